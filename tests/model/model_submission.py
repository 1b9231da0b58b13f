# SPDX-License-Identifier: BSD-2-Clause
"""The reference for submission: RFC 5321, 6409, 4954, 2920, 3030, and section 7.3 of the DEEP draft. Here is what must
hold between the peers, which are in submission_client.py and submission_backend.py."""
import re

import dialogue
import ordered
import submission_backend
import submission_client
from dialogue import require
from submission_client import untold

PROTOCOL = "submission"
HIDDEN = (b"STARTTLS", b"XCLIENT", b"XFORWARD", b"PIPECONNECT")
ITEMS = ("transaction", "transaction", "transaction", "bdat", "bdat", "noop", "rset", "vrfy", "help", "client", "ehlo",
         "auth_initial", "auth_steps", "auth_cancelled", "external", "unknown", "mail", "data", "bdat_alone")
HOSTILE = ("starttls", "xclient", "xforward", "bare_lf", "octets", "long_line", "empty_line", "smuggle", "early_data",
           "client_bad", "bad_bdat", "burst", "plus_mechanism", "external", "odd_mechanism", "odd_sasl")
# What one server or another takes for the end of a message (CVE-2023-51764 and its kin).
LENIENT_END = re.compile(rb"(?:\r\n|\n|\r)\.(?:\r\n|\n|\r)")


def plan(world):
    rng = world.draw("plan")
    yield rng.choice(("ehlo", "ehlo", "ehlo", "helo", "noop", "ehlo_helo"))
    hostile = rng.choice((0, 0, 0.2))
    for _ in range(rng.randint(0, 14)):
        yield rng.choice(HOSTILE if rng.random() < hostile else ITEMS)
    if rng.random() < 0.7:
        yield "quit"


def peers(world, items):
    server = submission_backend.Server(world)
    return submission_client.Client(world, items, server), server


# ---- what must hold ----

def same_output(talk, side, before, after):
    """Replies have one order, however the octets come."""
    return before == after


def check(talk):
    client, server = talk.client, talk.server
    if talk.world.stage == "new" and client.greeting is not None:
        require(client.greeting == server.greeting, "greeting", "", client.greeting, server.greeting)
    if talk.answer.reason == "client-error" and re.fullmatch(rb"421[^\r\n]*\r\n", client.extra):
        client.extra = b""
    ordered.match(client, server, Rules(talk.world, talk.answer.reason))
    if talk.end() == "open":
        require(("a" in talk.answer.flags) == server.authenticated, "status", f"authenticated: {talk.answer.flags}")
        require(not client.ended or "e" in talk.answer.flags, "status", f"not ending after QUIT: {talk.answer.flags}")


def check_farewell(talk, answer):
    """A 421; nothing inside a reply."""
    if talk.farewell:
        require(re.fullmatch(rb"421[^\r\n]*\r\n", talk.farewell), "goodbye", "no 421:", talk.farewell)
        require(not talk.client.inbox, "goodbye", "inside a reply:", talk.client.inbox)


def same_message(sent, got):
    """Equal; but where the client's has a bare CR or LF, LF may have become CRLF and dots behind either one be stuffed."""
    return sent == got or (re.search(rb"\r(?!\n)|(?<!\r)\n", sent) and loosely(sent) == loosely(got))


def loosely(content):
    return re.sub(rb"(^|[\r\n])\.+", rb"\1.", re.sub(rb"(?<!\r)\n", b"\r\n", content))


def first_line_upper(raw):
    line, end, rest = raw.partition(b"\n")
    return line.upper() + end + rest

# What adds to a message: a chunk, and what the server fetches itself (RFC 4468 3.2).
PART = re.compile(rb"(BDAT|BURL)\b", re.IGNORECASE)


class Rules:
    """For ordered.match."""

    def __init__(self, world, reason):
        self.world = world
        self.last_word = b"421" if reason == "client-error" else None
        self.hole = None  # the last chunk that the proxy refused, of a message that may still be open
        self.mail = None  # the last MAIL that was accepted
        self.own = b"CLIENT tls=" + world.cipher.encode() + b"\r\n"

    def is_own(self, got, entry):
        return got.raw == self.own and not (entry and entry.kind == "client" and self.forwarded(entry, got))

    def forwarded(self, entry, got):
        if got is None or entry.kind == "refused":
            return False
        if entry.kind == "client":
            return entry.right and got.raw[:6].upper() == b"CLIENT" and untold(got.raw) == untold(entry.raw)
        if entry.kind == "sasl":
            return got.raw in (entry.raw, b"*\r\n")
        if entry.kind == "message":
            return same_message(entry.raw, got.raw)
        if entry.raw[:5] == b"BDAT ":
            return first_line_upper(got.raw) == first_line_upper(entry.raw)
        return got.raw == entry.raw

    def note(self, entry, reply):
        """What begins anew after a refused chunk: RSET, a new greeting, an accepted MAIL (RFC 5321 4.1.1.5, 4.1.4, 3.3)."""
        verb = entry.raw[:4].upper() if entry.command else b""
        if verb == b"RSET" or (verb in (b"EHLO", b"HELO") and reply.startswith(b"250")):
            self.hole = None
        elif verb == b"MAIL" and reply.startswith(b"250"):
            self.mail = entry

    def has_begun(self):
        return self.mail and self.mail.number > self.hole.number

    def check_pair(self, entry, got):
        if entry.command and PART.match(entry.raw):
            require(self.hole is None or self.has_begun(), "hole", "a chunk before this one was refused:", got.raw)
        self.note(entry, got.reply)
        if entry.kind == "message":
            inside = LENIENT_END.search(b"\r\n" + got.raw[:-3])
            require(not inside or inside.end() == len(got.raw) + 2, "smuggling", "an end for some server in:", got.raw)
        if entry.kind == "ehlo" and got.reply.startswith(b"250"):
            check_ehlo(entry.reply, got.reply, self.world)
        elif entry.kind == "client":
            require(entry.reply is None or entry.reply.startswith(b"250"), "CLIENT", "not 250:", entry.sent, entry.reply)
        else:
            ordered.check_reply(entry, got.reply)

    def check_unforwarded(self, entry, got):
        if entry.reply[:3] == self.last_word:
            return
        chunk = entry.command and PART.match(entry.sent)
        if entry.kind == "plain" and chunk and self.hole:
            known = self.has_begun() and entry.after > self.mail.number  # to the client too
            require(not known, "BDAT refused for an earlier one", "", entry.sent, entry.reply)
            self.hole = entry
        elif entry.kind == "client":
            code = b"250" if entry.right else b"501"
            require(entry.reply[:3] == code, "CLIENT", f"not {code.decode()}:", entry.sent, entry.reply)
        else:
            require(entry.kind in ("refused", "free", "sasl"), "lost command", f"{entry.kind}, answered by {entry.reply!r}:",
                    entry.sent, got and got.raw)
            require(re.match(rb"[45]\d\d", entry.reply), "refusal", "not refused:", entry.sent, entry.reply)
            self.hole = entry if chunk else self.hole


def lines_of(reply):
    lines = reply.split(b"\r\n")
    require(lines.pop() == b"", "EHLO", "line ends:", reply)
    require(all(l[:4] == b"250-" for l in lines[:-1]) and lines[-1][:4] == b"250 ", "EHLO", "not one reply:", reply)
    return [l[4:] for l in lines]


def edited(lines, external):
    """What a client may see of the backend's keywords but for DEEP; an AUTH line without a mechanism may go."""
    expected = []
    for words in (line.split() for line in lines):
        name, equals, _ = words[0].upper().partition(b"=")
        if name == b"AUTH":
            words = [words[0].upper(), *(w for w in words[1:] if dialogue.works(w, external))]
        if name not in (*HIDDEN, b"DEEP") and (name != b"AUTH" or equals or len(words) > 1):
            expected.append(words)
    return expected


def check_ehlo(reply, said, world):
    if reply is None:
        return
    status = world.status.encode()
    lines, said_lines = lines_of(reply), lines_of(said)
    require(lines[0] == said_lines[0], "EHLO", "first line:", reply)
    deep = [line for line in lines[1:] if line.split()[0].upper() == b"DEEP"]
    require(deep in ([b"DEEP " + status], [b"DEEP"] * (not status)), "DEEP", "not ours once:", reply)
    names = [line.split()[0].upper() for line in lines[1:]]
    require(not set(names) & set(HIDDEN), "EHLO", "shows what it must not:", reply)
    require(not re.search(rb"(?im)^250.AUTH\b.*-PLUS\b", reply), "EHLO", "shows -PLUS:", reply)
    require(world.external or not re.search(rb"(?im)^250.AUTH\b.*\bEXTERNAL\b", reply), "EHLO", "shows EXTERNAL:", reply)
    require(edited(lines[1:], True) == edited(said_lines[1:], world.external), "EHLO", "not the backend's:", said, reply)
