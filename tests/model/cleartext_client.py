# SPDX-License-Identifier: BSD-2-Clause
"""The client before STARTTLS, which judges each answer as soon as it can have one: whatever the chunks are, what the
engine has said is always the answers to the whole lines that it has got, in order, and nothing else.

The rules of a protocol say what a line may be answered by: a dictionary from kinds of answers to what follows.
    open       the session goes on
    refused    so it does, but there is an end to patience
    starttls   the handshake follows
    logout     the end, which the client wants
    client-error    the end, with a word, which it does not
"""
import re

import dialogue
from dialogue import require

LINE_MAX = 4096
LITERAL_MAX = 64 * 1024
REFUSALS_MAX = 10
HANDSHAKE = b"\x16\x03\x01\x02\x00\x01\x00"  # as RFC 8446 5.1 begins it


class Command:
    """A line, for IMAP with its literals and the lines behind them. answered: even before its last line."""

    def __init__(self, line, expected):
        self.line, self.expected, self.answered = line, expected, False


class Client(dialogue.Peer):
    def __init__(self, world, items, rules):
        super().__init__()
        self.world, self.items, self.rules = world, list(items), rules
        self.patient = world.draw("client").random() < 0.5
        self.wire = bytearray()  # what the engine has got and is not judged yet
        self.command, self.literal = None, 0
        self.greeted = False
        self.refusals = self.behind = 0  # behind: octets after the line that ended the session
        self.end = "open"

    def more(self, pipelining):
        if not self.items or self.end != "open" or (pipelining and self.patient):
            return False
        item = self.items.pop(0)
        self.say(getattr(self.rules, "item_" + item[1])(self.world.draw("item", item[0])))
        return True

    def give(self, count):
        octets = super().give(count)
        self.wire += octets
        return octets

    def waits(self):
        return "" if self.greeted else "for the greeting"

    def hear(self, octets):
        super().hear(octets)
        require(not self.inbox, "extra answer", "to no whole line:", self.inbox)

    def step(self):
        if not self.greeted:
            greeting = self.line()
            require(greeting, "greeting", "none")
            self.greeted = True
            self.rules.check_greeting(greeting)
        elif self.end != "open":
            self.behind += len(self.wire)
            self.wire.clear()
            return False
        elif self.literal:
            return self.skip_literal()
        else:
            line = self.whole_line()
            return line is not None and self.judge(line)
        return True

    def skip_literal(self):
        count = min(self.literal, len(self.wire))
        del self.wire[:count]
        self.literal -= count
        return count > 0

    def whole_line(self):
        """Whether the line's end counts for its length is the engine's to say; no item depends on it. A client that begins
        its handshake unasked waits for no line, and so has no line to end."""
        end = self.wire.find(b"\n") + 1
        length = end or len(self.wire)
        too_long = length > LINE_MAX + 2 or (not end and length > LINE_MAX - 2 and self.inbox)
        if too_long or self.wire[:2] == HANDSHAKE[:2] or (self.wire == HANDSHAKE[:1] and self.inbox):
            self.take_last_word()
        if not end or self.end != "open":
            return None
        line = bytes(self.wire[:end - 1]).removesuffix(b"\r")
        del self.wire[:end]
        return line

    def judge(self, line):
        self.command = self.command or Command(line, self.rules.expect(line))
        size = self.rules.literal(line)
        early = self.inbox and not self.rules.is_word(self.inbox)
        if not self.command.answered and (size is None or early):
            self.command.answered = True
            self.take_answer(self.command)
        if self.end == "open" and size is not None and size > LITERAL_MAX:
            self.take_last_word()
        self.literal = size or 0
        self.command = self.command if size is not None else None
        return True

    def take_answer(self, command):
        kind = self.rules.take_answer(self, command.line)
        may_end = self.refusals == REFUSALS_MAX - 1 and "refused" in command.expected.values()
        if kind == "word" and may_end:
            self.end = "client-error"
            return
        require(kind in command.expected, "answer", f"{kind}, not {list(command.expected)} to", command.line)
        follows = command.expected[kind]
        self.refusals += follows == "refused"
        if follows in ("starttls", "logout", "client-error"):
            self.end = follows
        elif self.refusals == REFUSALS_MAX and (self.inbox or not self.rules.refusal_is_word):
            self.take_last_word()
        elif self.refusals == REFUSALS_MAX:
            self.end = "client-error"

    def take_last_word(self):
        self.end = "client-error"
        word = self.line()
        require(word and self.rules.is_word(word), "last word", "at a limit:", word)


# A browser, and what makes one attack its users' mail (ALPACA): it is not listened to for a second line. Nor is a balancer
# with a header of the PROXY protocol (version 1, or the third line of version 2's signature), or a client of SSH.
BROWSER = re.compile(rb"(GET|POST|PUT|HEAD|CONNECT|OPTIONS|DELETE|PATCH) (/.*|\S+ HTTP/\d.*)"
                     rb"|(?is:PROXY (TCP4 |TCP6 |UNKNOWN).*|SSH-.*)|\0")
STRANGERS = (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 143", b"PROXY UNKNOWN", b"proxy tcp6 x", b"PROXY TCP5 x", b"PROXY", b"\0",
             b"SSH-2.0-OpenSSH_9.2", b"SSH", b"ssh-x y")


class Rules:
    """What the protocols share. Items by what the proxy does: it serves them, refuses them, ends the session for them."""
    refusal_is_word = False
    SERVED, REFUSED, FATAL = (), (), ("long", "endless", "handshake")
    ENDS = ("starttls", "starttls", "starttls_and_more", "logout", "logout_and_more", "unfinished")

    def __init__(self, world):
        self.world = world

    @classmethod
    def plan(cls, rng):
        unfriendly, hostile = rng.choice((0, 0.1, 0.4, 0.9)), rng.choice((0, 0, 0.02, 0.1))
        for _ in range(rng.randint(0, 20)):
            kinds = cls.REFUSED if rng.random() < unfriendly else cls.SERVED
            yield rng.choice(cls.FATAL if rng.random() < hostile else kinds)
        if rng.random() < 0.9:
            yield rng.choice(cls.ENDS)

    def literal(self, line):
        """How many octets follow the line as a part of it."""
        return None

    # ---- items ----

    @staticmethod
    def line(rng, text):
        return text + rng.choice((b"\r\n", b"\r\n", b"\r\n", b"\n"))

    @staticmethod
    def odd(rng, text):
        """The text with one octet more, fewer or other."""
        at, octet = rng.randint(0, len(text)), bytes([rng.choice(b" \t\r\0.x{}()\"*+-\\\x7f\xe9\x0b=")])
        return text[:at] + rng.choice((octet, b"")) + text[at + rng.randint(0, 1):]

    def item_odd(self, rng):
        texts = (self.capability(rng), self.noop(rng), self.starttls(rng), self.logout(rng))
        return self.line(rng, self.odd(rng, rng.choice(texts)))

    def item_capability(self, rng):
        return self.line(rng, self.capability(rng))

    def item_noop(self, rng):
        return self.line(rng, self.noop(rng))

    def item_starttls(self, rng):
        return self.line(rng, self.starttls(rng))

    def item_logout(self, rng):
        return self.line(rng, self.logout(rng))

    def more(self, rng):
        """What a man in the middle puts behind a command, or a client that does not wait."""
        return rng.choice((HANDSHAKE, self.item_noop(rng), self.item_refused(rng), b"\n", b"\r", b"\0" * 9,
                           b"x" * rng.choice((50, 500, 5000, 70000)), self.noop(rng), self.item_burst(rng)))

    def item_starttls_and_more(self, rng):
        return self.item_starttls(rng) + self.more(rng)

    def item_logout_and_more(self, rng):
        return self.item_logout(rng) + self.more(rng)

    def item_unfinished(self, rng):
        whole = rng.choice((self.starttls(rng), self.logout(rng), self.noop(rng))) + b"\r"
        return whole[:rng.randint(1, len(whole))]

    def item_lookalikes(self, rng):
        return b"".join(self.line(rng, text) for text in dialogue.content_lines(rng, 3) if len(text) < LINE_MAX - 2)

    def item_long(self, rng):
        """No longer than it may be, however that is counted, and longer."""
        length = rng.choice((LINE_MAX - 2, LINE_MAX - 2, 300, 1100, LINE_MAX + 2, LINE_MAX + 2, 5000, 70000))
        return self.line(rng, self.noop(rng).ljust(length, b"x")[:length])

    def item_endless(self, rng):
        return rng.choice((b"x", b"\0", b"\r", b" ")) * rng.choice((2500, 2500, 4200, 4200, 5000, 70000))

    def item_handshake(self, rng):
        return HANDSHAKE + self.more(rng)

    def item_burst(self, rng):
        return b"".join(getattr(self, "item_" + rng.choice(self.SERVED))(rng) for _ in range(rng.randint(2, 40)))
