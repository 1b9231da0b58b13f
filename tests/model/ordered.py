# SPDX-License-Identifier: BSD-2-Clause
"""What POP3 and SMTP have in common: commands are lines, and each one gets one reply, in order.

An Entry is one thing that the client sends and that gets one reply: a command line, a line of a SASL exchange, a message,
a chunk. The server keeps the things that it received in the same way; at the end the two lists are compared.
"""
import re

import dialogue
from dialogue import require


# No base64: where one of them answers a challenge, the proxy may end the exchange with "*" in its place.
ODD_SASL_LINES = (b"=", b"XCLIENT ADDR=1", b"STLS now", b"STARTTLS x", b"x {5}", b"AAAA\0", b"AA\rAA", b" *", b"A")


class Entry:
    """`kind` says what must become of it:
    plain    it reaches the backend as `raw`, and the backend's reply reaches the client as it is
    refused  it never reaches the backend, and the reply says no
    free     either of the two
    sasl     a line of an exchange that is no base64
    Others are the protocol's own."""

    def __init__(self, raw, kind="plain", sent=None, **more):
        self.raw = raw
        self.sent = raw if sent is None else sent
        self.kind = kind
        self.reply = None
        self.on_reply = None
        self.multiline = False
        self.command = kind != "message"  # nor a line of an exchange
        self.after = 0  # replies that the client had when it sent this
        self.number = 0  # in the order of all entries
        self.__dict__.update(more)


class Received:
    """What the server got, what it said to it, and at which octet of all that it says that reply begins and ends."""

    def __init__(self, raw, reply, begins, ends):
        self.raw, self.reply, self.begins, self.ends = raw, reply, begins, ends


class OrderedClient(dialogue.Peer):
    def __init__(self, world, items):
        super().__init__()
        self.world = world
        self.items = list(items)
        self.entries = []
        self.answered = 0
        self.greeting = b"" if world.stage == "behind" else None  # there it was another one, in the clear
        self.blocked = False  # the next thing depends on a reply
        self.ended = False
        self.extra = b""  # replies beyond the last entry

    def rng(self, item):
        return self.world.draw("item", item[0])

    def send(self, entry):
        entry.after = self.answered
        self.entries.append(entry)
        self.say(entry.sent)
        return entry

    def waits(self):
        if self.greeting is None:
            return "for the greeting"
        if self.answered < len(self.entries):
            return f"for the reply to {self.entries[self.answered].sent[:80]!r}"
        return ""

    def more(self, pipelining):
        """Begins the next item, where that may be done now. True where it did."""
        if not self.items or self.blocked or self.ended or (self.waits() and not pipelining):
            return False
        if pipelining and self.waits() and not self.may_pipeline():
            return False
        item = self.items.pop(0)
        getattr(self, "item_" + item[1])(self.rng(item))
        return True

    def may_pipeline(self):
        return True

    def block(self, entry, on_reply):
        """Nothing more is sent before the reply to `entry`, which goes to `on_reply`."""
        self.blocked = True
        entry.on_reply = on_reply

    def take_reply(self, reply):
        if self.greeting is None:
            self.greeting = reply
            return
        if self.answered == len(self.entries):
            self.extra += reply
            return
        entry = self.entries[self.answered]
        entry.reply = reply
        self.answered += 1
        if entry.on_reply:
            self.blocked = False
            entry.on_reply(reply)


class OrderedServer(dialogue.Peer):
    may_cause = frozenset()

    def __init__(self, world):
        super().__init__()
        self.world = world
        self.received = []
        self.closed = False

    def answer(self, raw, reply):
        begins = self.said
        self.say(reply)
        self.received.append(Received(raw, reply, begins, self.said))

    def heard_all(self):
        """Have all replies so far reached the engine?"""
        return self.fed == self.said


def forbid_words(raw, words):
    """No habit of taking a line apart finds one of the words as a command: at CR, LF or NUL, after blanks."""
    for part in re.split(rb"[\r\n\0]+", raw):
        first = part.split()[:1]
        require(not first or first[0].upper() not in words, "forbidden command", "to the backend:", raw)
    require(not re.search(rb"\0|\r(?!\n)|(?<!\r)\n", raw), "raw line", "NUL, bare CR or bare LF in a command:", raw)


def match(client, server, protocol):
    """Compares the two lists. `protocol` has check_pair, is_own and is_no."""
    rest = list(server.received)
    for number, entry in enumerate(client.entries):
        entry.number = number
        while rest and protocol.is_own(rest[0], entry):
            rest.pop(0)
        got = rest[0] if rest else None
        if protocol.forwarded(entry, got):
            protocol.check_pair(entry, rest.pop(0))
        elif entry.reply is not None:
            protocol.check_unforwarded(entry, got)
    while rest and protocol.is_own(rest[0], None):
        rest.pop(0)
    require(not rest, "foreign command", "the backend got what the client did not send:", *[r.raw for r in rest[:2]])
    require(not client.extra, "extra reply", "to no command:", client.extra)


def check_reply(entry, expected):
    """The reply to an entry, as far as the client has it, is what was expected."""
    if entry.reply is not None:
        require(entry.reply == expected, "reply", f"to {entry.sent[:60]!r}:", *dialogue.differing(expected, entry.reply))
