# SPDX-License-Identifier: BSD-2-Clause
"""The reference for submission: RFC 5321, 6409, 4954, 2920, 3030, and section 7.3 of the DEEP draft."""
import re

import dialogue
import ordered
from dialogue import require
from ordered import Entry

PROTOCOL = "submission"
FORBIDDEN = (b"STARTTLS", b"XCLIENT", b"XFORWARD")
HIDDEN = (b"STARTTLS", b"XCLIENT", b"XFORWARD", b"PIPECONNECT")
ITEMS = ("transaction", "transaction", "transaction", "bdat", "bdat", "noop", "rset", "vrfy", "help", "client", "ehlo",
         "auth_initial", "auth_steps", "auth_cancelled", "unknown", "mail", "data", "bdat_alone")
HOSTILE = ("starttls", "xclient", "xforward", "bare_lf", "octets", "long_line", "empty_line", "smuggle", "early_data",
           "client_bad", "bad_bdat", "burst", "plus_mechanism", "odd_sasl")
KEYWORDS = (b"PIPELINING", b"8BITMIME", b"SIZE 10240000", b"DSN", b"ENHANCEDSTATUSCODES", b"CHUNKING", b"SMTPUTF8",
            b"STARTTLS", b"XCLIENT NAME ADDR PROTO", b"XFORWARD NAME", b"PIPECONNECT", b"HELP", b"BURL imap",
            b"AUTH PLAIN LOGIN", b"AUTH=PLAIN LOGIN SCRAM-SHA-1-PLUS", b"AUTH SCRAM-SHA-256-PLUS", b"X-STARTTLS",
            b"auth scram-sha-1-plus scram-sha-1", b"starttls", b"LIMITS RCPTMAX=100", b"DEEPER x", b"VRFY", b"ETRN")
SASL_LINES = (b"QUIT", b"RSET", b"DATA", b"", b"EHLO", b"dGVzdAB0ZXN0AHRlc3Q=", b"STARTTLS", b"AAAA" * 300)
TAG = rb"[A-Za-z][A-Za-z0-9_-]{0,63}"
PARAMETERS = {b"latch": TAG + b"(," + TAG + b")*", b"latch-fail": TAG + b"(," + TAG + b")*",
              b"security-tags": TAG + b"(," + TAG + b")*", b"tls": rb"[A-Za-z][A-Za-z0-9_]*|0x[0-9A-Fa-f]{4}"}
VALUE = rb"[\x21-\x3c\x3e-\x7e]+"
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
    server = Server(world)
    return Client(world, items, server), server


def client_syntax_is_right(text):
    """deep-cmd of section 7.3, less the word CLIENT and the line end."""
    if not text.startswith(b" "):
        return False
    for parameter in text[1:].split(b" "):
        name, equals, value = parameter.partition(b"=")
        if name.lower() in (b"name", b"version", *PARAMETERS):
            if not equals or not re.fullmatch(PARAMETERS.get(name.lower(), VALUE), value):
                return False
        elif not re.fullmatch(rb"[A-Za-z0-9][A-Za-z0-9-]*", name) or (equals and not re.fullmatch(VALUE, value)):
            return False
    return True


class Client(ordered.OrderedClient):
    def __init__(self, world, items, server):
        super().__init__(world, items)
        self.server = server
        self.patient = world.draw("client").random() < 0.5

    def may_pipeline(self):
        return not self.patient and self.server.pipelining

    def step(self):
        reply = re.match(rb"(?:[^\r\n]{3}-[^\n]*\n)*(?:[^\n]{3}[^-\n][^\n]*\n|[^\n]{0,3}\n)", bytes(self.inbox))
        if not reply:
            return False
        del self.inbox[:reply.end()]
        self.take_reply(reply[0])
        return True

    def command(self, rng, text, **more):
        word, blank, rest = text.partition(b" ")
        return self.send(Entry(dialogue.letter_case(rng, word) + blank + rest + b"\r\n", **more))

    def item_ehlo(self, rng):
        self.command(rng, b"EHLO client.example.com", kind="ehlo")

    def item_helo(self, rng):
        self.command(rng, b"HELO client.example.com")

    def item_ehlo_helo(self, rng):
        entry = self.command(rng, b"EHLO [192.0.2.1]", kind="ehlo")
        self.block(entry, lambda reply: reply.startswith(b"250") or self.item_helo(rng))

    def item_noop(self, rng):
        self.command(rng, rng.choice((b"NOOP", b"NOOP STARTTLS")))

    def item_rset(self, rng):
        self.command(rng, b"RSET")

    def item_vrfy(self, rng):
        self.command(rng, b"VRFY joe")

    def item_help(self, rng):
        self.command(rng, rng.choice((b"HELP", b"HELP STARTTLS", b"EXPN list")))

    def item_unknown(self, rng):
        self.command(rng, rng.choice((b"TURN", b"ETRN x", b"BURL imap://x LAST", b"FOO", b"XADR a@b")))

    def item_quit(self, rng):
        self.command(rng, b"QUIT")
        self.ended = True

    def item_mail(self, rng):
        self.command(rng, b"MAIL FROM:<a@example.com>" + rng.choice((b"", b" SIZE=1000", b" BODY=8BITMIME")))

    def item_rcpt(self, rng):
        self.command(rng, b"RCPT TO:<b@example.com>" + rng.choice((b"", b" NOTIFY=NEVER")))

    def item_transaction(self, rng):
        self.item_mail(rng)
        for _ in range(rng.randint(1, 3)):
            self.item_rcpt(rng)
        self.item_data(rng)

    def item_data(self, rng, content=None):
        entry = self.command(rng, b"DATA")
        stuffed = content if content is not None else message(rng)
        self.block(entry, lambda reply: reply.startswith(b"354") and self.send(Entry(stuffed, "message")))

    def item_smuggle(self, rng):
        self.item_mail(rng)
        self.item_rcpt(rng)
        ends = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\0\r\n.\n", b"\n..\n")
        parts = [rng.choice((b"Subject: x\r\n\r\nbody", b"MAIL FROM:<FORGED@x>", b"XCLIENT ADDR=1", b"a\nb", b"a\rb", b""))
                 for _ in range(rng.randint(1, 5))]
        content = b"".join(part + rng.choice(ends + (b"\r\n", b"\n", b"\r", b"\n\n")) for part in parts)
        self.item_data(rng, re.sub(rb"(?s)^\.|(?<=\r\n)\.(?=\r\n)", b"..", content) + b"x\r\n.\r\n")
        self.world.hostile = True

    def item_early_data(self, rng):
        """The content behind DATA at once: it is a message or so many commands, as the backend answers."""
        self.server.rushed = True
        self.world.hostile = True
        self.item_mail(rng)
        self.item_rcpt(rng)
        lines = [rng.choice((b"XCLIENT ADDR=1", b"Subject: x", b"RSET", b"STARTTLS", b"NOOP")) for _ in range(4)]
        data = self.command(rng, b"DATA")
        stuffed = b"".join(line + b"\r\n" for line in lines) + b".\r\n"
        content = self.send(Entry(stuffed, "message"))
        data.on_reply = lambda reply: reply.startswith(b"354") or self.was_no_message(content)
        self.blocked = True

    def was_no_message(self, content):
        at = self.entries.index(content)
        lines = content.sent.splitlines(keepends=True)
        self.entries[at:at + 1] = [Entry(line, self.kind_of(line)) for line in lines]

    @staticmethod
    def kind_of(line):
        return "refused" if line.split()[0].upper() in FORBIDDEN else "free"

    def item_bdat(self, rng):
        self.item_mail(rng)
        self.item_rcpt(rng)
        for last in (*[b""] * rng.randint(0, 3), b" LAST"):
            self.chunk(rng, last)

    def item_bdat_alone(self, rng):
        self.chunk(rng, rng.choice((b"", b" LAST", b" last")))

    def chunk(self, rng, last):
        kind = "plain" if self.knows_chunking() else "free"
        self.world.hostile |= kind == "free"
        content = b"\r\n".join(dialogue.content_lines(rng)) + rng.choice((b"", b"\r\n.\r\n", b"\n", b"\0", b"\r"))
        return self.send(Entry(b"BDAT %d%s\r\n%s" % (len(content), last, content), kind))

    def knows_chunking(self):
        """Has the last EHLO or HELO been answered, and with CHUNKING?"""
        greetings = [e for e in self.entries if e.sent[:4].upper() in (b"EHLO", b"HELO")]
        return bool(greetings) and re.search(rb"(?m)^250.CHUNKING\r", greetings[-1].reply or b"") is not None

    def item_bad_bdat(self, rng):
        self.world.hostile = True
        size = rng.choice((b"", b" -1", b" 99999999999999999999999", b" 18446744073709551616", b" 0x10", b" 5 LAST x", b" 5x",
                           b" +5"))
        return self.send(Entry(b"BDAT" + size + b"\r\n", "free"))

    def item_auth_initial(self, rng):
        self.exchange(self.command(rng, b"AUTH PLAIN " + rng.choice((b"AHRlc3QAdGVzdA==", b"=", b"QUIT"))), rng, 3)

    def item_auth_steps(self, rng):
        self.exchange(self.command(rng, b"AUTH " + rng.choice((b"LOGIN", b"SCRAM-SHA-1", b"plain"))), rng, 3)

    def item_auth_cancelled(self, rng):
        self.exchange(self.command(rng, b"AUTH LOGIN"), rng, rng.randint(0, 1))

    def item_plus_mechanism(self, rng):
        self.exchange(self.command(rng, b"AUTH SCRAM-SHA-1-PLUS", kind="free"), rng, 3)

    def item_odd_sasl(self, rng):
        self.world.hostile = True
        self.exchange(self.command(rng, b"AUTH LOGIN"), rng, 3, ordered.ODD_SASL_LINES)

    def exchange(self, entry, rng, rounds, lines=SASL_LINES):
        """Answers challenges as long as they come; "*" ends it."""
        def challenged(reply):
            if reply.startswith(b"334"):
                text = b"*" if rounds == 0 else rng.choice(lines)
                kind = "sasl" if text in ordered.ODD_SASL_LINES else "plain"
                self.exchange(self.send(Entry(text + b"\r\n", kind)), rng, max(0, rounds - 1), lines)
        self.block(entry, challenged)

    def item_client(self, rng):
        words = rng.sample((b"name=demo_submit", b"version=1.5", b"latch=tls11,tls-cert", b"security-tags=tls12", b"x=1",
                            b"latch-fail=tls-dane-tlsa", b"tls=FORGED_1", b"TLS=FORGED", b"Tls=0x1301", b"flag",
                            b"Name=other"), rng.randint(1, 5))
        entry = self.client_command(rng, b"".join(b" " + word for word in words))
        if not Rules.kept(entry.raw):
            self.block(entry, lambda reply: None)  # to the server it looks like the proxy's own, which waits

    def item_client_bad(self, rng):
        self.client_command(rng, rng.choice((b"", b" name=", b" latch=1x", b" latch=a,,b", b" tls=a-b", b" tls=FORGED\xc3\xa9",
                                             b" tls=0x13", b" name", b" name=a  version=1", b" -x=1", b" x=", b" tls=",
                                             b" latch=" + b"a" * 65, b" latch=" + b"a" * 64, b" name=a=b", b"\ttls=FORGED",
                                             b" name=x\ttls=FORGED", b" security-tags=" + b"," * 9)))

    def client_command(self, rng, text):
        return self.command(rng, b"CLIENT" + text, kind="client", right=client_syntax_is_right(text))

    def item_starttls(self, rng):
        self.command(rng, rng.choice((b"STARTTLS", b"STARTTLS ", b"STARTTLS now")), kind="refused")

    def item_xclient(self, rng):
        self.command(rng, b"XCLIENT ADDR=192.0.2.1 NAME=FORGED", kind="refused")

    def item_xforward(self, rng):
        self.command(rng, b"XFORWARD NAME=FORGED", kind="refused")

    def item_bare_lf(self, rng):
        for text in rng.sample((b"NOOP", b"RSET", b"VRFY x"), rng.randint(1, 3)):
            self.send(Entry(text + b"\r\n", sent=text + b"\n"))
        if rng.random() < 0.5:
            self.send(Entry(None, "refused", sent=rng.choice((b"STARTTLS\n", b"XCLIENT ADDR=192.0.2.1\n"))))

    def item_octets(self, rng):
        self.world.hostile = True
        text = rng.choice((b"NOOP\0", b"START\0TLS", b"STARTTLS\0", b"NOOP\rSTARTTLS", b"\0STARTTLS", b" STARTTLS",
                           b"\tXCLIENT ADDR=1", b"\rSTARTTLS", b"STARTTLS\r", b"\xff\xfe NOOP", b"MAIL FROM:<a\rb>",
                           b"XFORWARD\tNAME=1", b"STARTTLS\tx", b"\x0bSTARTTLS", b"CLIENT\0tls=FORGED"))
        self.send(Entry(text + b"\r\n", "free"))

    def item_long_line(self, rng):
        self.world.hostile = True
        self.send(Entry(b"NOOP " + b"x" * rng.choice((500, 1100, 5000, 70000)) + b"\r\n", "free"))

    def item_empty_line(self, rng):
        self.world.hostile = True
        self.send(Entry(rng.choice((b"\r\n", b" \r\n")), "free"))

    def item_burst(self, rng):
        self.server.rushed = True
        for _ in range(rng.randint(2, 60)):
            getattr(self, "item_" + rng.choice(("noop", "vrfy", "ehlo", "rset", "bdat_alone")))(rng)


class Server(ordered.OrderedServer):
    def __init__(self, world):
        super().__init__(world)
        rng = world.draw("server")
        self.greeting = rng.choice((b"220 mail.example.com ESMTP\r\n", b"220-mail.example.com STARTTLS\r\n220 go\r\n",
                                    b"220 mail.example.com\r\n"))
        self.keywords = [rng.sample(KEYWORDS, rng.randint(0, len(KEYWORDS))) for _ in range(2)]
        self.deep = rng.random() < 0.4
        if self.deep:
            self.keywords = [k + [b"DEEP" + rng.choice((b"", b" tls11"))] for k in self.keywords]
            self.keywords[0].insert(0, self.keywords[0].pop()) if rng.random() < 0.3 else None
        self.pipelining = self.chunking = False  # announced by the last EHLO
        self.esmtp = rng.random() < 0.9
        self.once = rng.random() < 0.15  # one EHLO for each connection
        self.announced = None  # where the reply to an EHLO that announces DEEP ends
        self.told = self.sender = self.recipient = self.authenticated = self.in_data = False
        self.challenges = None
        self.own_ends = 0
        self.rushed = False  # the client pipelines, announced or not
        self.say(self.greeting)

    def step(self):
        if self.inbox:
            # RFC 2920 3.1: a command of an extension is the last of its group, PIPELINING or not.
            rule = "own CLIENT not last" if self.pipelining else "own CLIENT"
            require(self.fed >= self.own_ends, rule, "more behind it before its answer:", self.inbox)
        if self.in_data:
            return self.data()
        at = self.inbox.find(b"\n") + 1
        bdat = re.match(rb"(?i)BDAT (\d{1,18})( LAST)?\r\n", bytes(self.inbox)) if self.challenges is None else None
        if not at or (bdat and len(self.inbox) < at + int(bdat[1])):
            return False
        if bdat:
            at += int(bdat[1])
        line = bytes(self.inbox[:at])
        del self.inbox[:at]
        self.command(line, bdat)
        return True

    def command(self, line, bdat):
        rng = self.world.draw("answer", line)
        if bdat:
            return self.chunk(rng, line, bdat)
        if self.challenges is not None:
            return self.sasl(rng, line)
        ordered.forbid_words(line, FORBIDDEN)
        word, _, argument = line.rstrip(b"\r\n").partition(b" ")
        handler = getattr(self, "do_" + word.decode("latin-1").lower(), None)
        if not self.closed:
            (handler or self.do_unknown)(rng, line, argument)

    def do_unknown(self, rng, line, argument):
        self.answer(line, b"500 5.5.2 unknown\r\n")

    def ok(self, rng, line, ok=0.85):
        yes = rng.random() < ok
        self.answer(line, rng.choice((b"250 OK\r\n", b"250 2.0.0 STARTTLS\r\n", b"250-two\r\n250 lines\r\n")) if yes else
                    rng.choice((b"550 no\r\n", b"451 4.3.0 later\r\n", b"550-no\r\n550-250 OK\r\n550 never\r\n")))
        return yes

    def do_ehlo(self, rng, line, argument):
        if not self.esmtp or (self.once and self.announced is not None):
            return self.answer(line, rng.choice((b"500 what\r\n", b"502 5.5.1 no\r\n", b"503 5.5.1 already\r\n")))
        first = rng.choice((b"mail.example.com", b"mail.example.com Hello x [192.0.2.1]"))
        lines = [first, *self.keywords[self.authenticated]]
        marks = [b"-"] * (len(lines) - 1) + [b" "]
        self.answer(line, b"".join(b"250" + mark + text + b"\r\n" for mark, text in zip(marks, lines)))
        self.announced = self.said
        self.pipelining, self.chunking = b"PIPELINING" in lines, b"CHUNKING" in lines
        self.sender = self.recipient = False

    def do_helo(self, rng, line, argument):
        self.announced = None  # no extensions from here on
        self.pipelining = self.chunking = False
        self.answer(line, b"250 mail.example.com\r\n")

    def before_mail(self, line):
        """Section 7.3 and 7.1: the suite is told before it matters."""
        known = self.deep and self.announced is not None and self.fed >= self.announced
        require(self.told or not known, "tls not told", "before", line)

    def do_mail(self, rng, line, argument):
        self.before_mail(line)
        self.sender = self.ok(rng, line)
        self.recipient = False

    def do_rcpt(self, rng, line, argument):
        if not self.sender:
            return self.answer(line, b"503 5.5.1 MAIL first\r\n")
        if self.ok(rng, line):
            self.recipient = True

    def do_data(self, rng, line, argument):
        if not self.recipient or rng.random() < 0.1:
            return self.answer(line, b"503 5.5.1 no recipient\r\n")
        self.in_data = True
        return self.answer(line, rng.choice((b"354 go\r\n", b"354 End data with <CR><LF>.<CR><LF>\r\n", b"354-x\r\n354 y\r\n")))

    def data(self):
        require(self.heard_all() or not self.inbox, "DATA", "content before the backend's 354 could have been read:", self.inbox)
        end = 0 if self.inbox.startswith(b".\r\n") else self.inbox.find(b"\r\n.\r\n") + 2
        if end == 1:
            return False
        content = bytes(self.inbox[:end + 3])
        del self.inbox[:end + 3]
        self.in_data = self.sender = self.recipient = False
        self.ok(self.world.draw("message", content), content)
        return True

    def chunk(self, rng, line, bdat):
        done = self.sender and self.recipient and self.chunking
        if done:
            self.ok(rng, line)
        else:
            self.answer(line, b"503 5.5.1 not now\r\n")
        if bdat[2]:
            self.sender = self.recipient = False

    def do_rset(self, rng, line, argument):
        self.sender = self.recipient = False
        self.answer(line, b"250 2.0.0 OK\r\n")

    def plain(self, rng, line, argument):
        self.ok(rng, line)

    do_noop = do_vrfy = do_expn = plain

    def do_help(self, rng, line, argument):
        self.answer(line, b"214-STARTTLS XCLIENT\r\n214-250 OK\r\n214 end\r\n")

    def do_client(self, rng, line, argument):
        require(self.deep, "CLIENT", "to a backend without DEEP:", line)
        require(client_syntax_is_right(line[6:-2]), "CLIENT", "broken syntax to the backend:", line)
        suites = [w[4:] for w in argument.split() if w[:4].lower() == b"tls="]
        require(suites == [self.world.cipher.encode()] and dialogue.FORGED not in line, "tls", "not ours:", line)
        all_heard = self.heard_all()
        self.told = True
        self.answer(line, rng.choice((b"250 OK\r\n", b"250 2.0.0 noted\r\n", b"250-a\r\n250 b\r\n", b"451 later\r\n")))
        if argument.split() == suites or argument == b"tls=" + suites[0]:
            require(all_heard or self.pipelining or self.rushed, "own CLIENT", "pipelined to a backend without PIPELINING:", line)
            self.own_ends = self.said

    def do_auth(self, rng, line, argument):
        self.before_mail(line)
        if self.authenticated or rng.random() < 0.1:
            return self.answer(line, b"503 5.5.1 no\r\n")
        self.challenges = rng.randint(0, 2)
        if self.challenges or b" " not in argument:
            return self.challenge(rng, line)
        return self.finish(rng, line)

    def challenge(self, rng, line):
        self.answer(line, b"334 " + rng.choice((b"", b"VXNlcm5hbWU6", b"STARTTLS", b"AAAA" * 50)) + b"\r\n")

    def finish(self, rng, line):
        self.challenges = None
        self.authenticated = rng.random() < 0.7
        self.answer(line, b"235 2.7.0 yes\r\n" if self.authenticated else b"535 5.7.8 no\r\n")

    def sasl(self, rng, line):
        if line == b"*\r\n":
            self.challenges = None
            self.answer(line, b"501 5.7.0 cancelled\r\n")
        elif self.challenges > 1:
            self.challenges -= 1
            self.challenge(rng, line)
        else:
            self.finish(rng, line)

    def do_quit(self, rng, line, argument):
        self.answer(line, b"221 2.0.0 bye\r\n")
        self.closed = True


def message(rng):
    """A dot-stuffed message and its end."""
    lines = dialogue.content_lines(rng, 12)
    return b"".join((b"." + l if l.startswith(b".") else l) + b"\r\n" for l in lines) + b".\r\n"


# ---- what must hold ----

def same_output(talk, side, before, after):
    """Replies have one order, however the octets come."""
    return before == after


def check(talk):
    client, server = talk.client, talk.server
    if client.greeting is not None:
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


class Rules:
    """For ordered.match."""

    def __init__(self, world, reason):
        self.world = world
        self.last_word = b"421" if reason == "client-error" else None
        self.chunk_was_refused = False
        self.own = b"CLIENT tls=" + world.cipher.encode() + b"\r\n"

    def is_own(self, got, entry):
        return got.raw == self.own and not (entry and entry.kind == "client" and self.forwarded(entry, got))

    def forwarded(self, entry, got):
        if got is None or entry.kind == "refused":
            return False
        if entry.kind == "client":
            return entry.right and got.raw[:6].upper() == b"CLIENT" and self.kept(got.raw) == self.kept(entry.raw)
        if entry.kind == "sasl":
            return got.raw in (entry.raw, b"*\r\n")
        if entry.kind == "message":
            return same_message(entry.raw, got.raw)
        if entry.raw[:5] == b"BDAT ":
            return first_line_upper(got.raw) == first_line_upper(entry.raw)
        return got.raw == entry.raw

    @staticmethod
    def kept(raw):
        return [word for word in raw.split()[1:] if word[:4].lower() != b"tls="]

    def check_pair(self, entry, got):
        if entry.kind == "message":
            inside = LENIENT_END.search(b"\r\n" + got.raw[:-3])
            require(not inside or inside.end() == len(got.raw) + 2, "smuggling", "an end for some server in:", got.raw)
        if entry.kind == "ehlo" and got.reply.startswith(b"250"):
            check_ehlo(entry.reply, got.reply, self.world.status.encode())
        elif entry.kind == "client":
            require(entry.reply is None or entry.reply.startswith(b"250"), "CLIENT", "not 250:", entry.sent, entry.reply)
        else:
            ordered.check_reply(entry, got.reply)

    def check_unforwarded(self, entry, got):
        if entry.reply[:3] == self.last_word:
            return
        chunk = entry.sent[:4].upper() == b"BDAT"
        if entry.kind == "plain" and chunk and self.chunk_was_refused:
            require(False, "BDAT refused for an earlier one", "", entry.sent, entry.reply)
        elif entry.kind == "client":
            code = b"250" if entry.right else b"501"
            require(entry.reply[:3] == code, "CLIENT", f"not {code.decode()}:", entry.sent, entry.reply)
        else:
            require(entry.kind in ("refused", "free", "sasl"), "lost command", f"{entry.kind}, answered by {entry.reply!r}:",
                    entry.sent, got and got.raw)
            require(re.match(rb"[45]\d\d", entry.reply), "refusal", "not refused:", entry.sent, entry.reply)
            self.chunk_was_refused |= chunk


def lines_of(reply):
    lines = reply.split(b"\r\n")
    require(lines.pop() == b"", "EHLO", "line ends:", reply)
    require(all(l[:4] == b"250-" for l in lines[:-1]) and lines[-1][:4] == b"250 ", "EHLO", "not one reply:", reply)
    return [l[4:] for l in lines]


def edited(lines):
    """What a client may see of the backend's keywords but for DEEP; an AUTH line without a mechanism may go."""
    expected = []
    for words in (line.split() for line in lines):
        name, equals, _ = words[0].upper().partition(b"=")
        if name == b"AUTH":
            words = [words[0].upper(), *(w for w in words[1:] if not w.upper().endswith(b"-PLUS"))]
        if name not in (*HIDDEN, b"DEEP") and (name != b"AUTH" or equals or len(words) > 1):
            expected.append(words)
    return expected


def check_ehlo(reply, said, status):
    if reply is None:
        return
    lines, said_lines = lines_of(reply), lines_of(said)
    require(lines[0] == said_lines[0], "EHLO", "first line:", reply)
    deep = [line for line in lines[1:] if line.split()[0].upper() == b"DEEP"]
    require(deep in ([b"DEEP " + status], [b"DEEP"] * (not status)), "DEEP", "not ours once:", reply)
    names = [line.split()[0].upper() for line in lines[1:]]
    require(not set(names) & set(HIDDEN), "EHLO", "shows what it must not:", reply)
    require(not re.search(rb"(?im)^250.AUTH\b.*-PLUS\b", reply), "EHLO", "shows -PLUS:", reply)
    require(edited(lines[1:]) == edited(said_lines[1:]), "EHLO", "not the backend's:", said, reply)
