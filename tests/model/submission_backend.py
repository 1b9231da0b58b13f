# SPDX-License-Identifier: BSD-2-Clause
"""A small submission server for the reference model: it conforms, but with habits that servers differ in."""
import re

import dialogue
import ordered
from dialogue import require

FORBIDDEN = (b"STARTTLS", b"XCLIENT", b"XFORWARD")
KEYWORDS = (b"PIPELINING", b"8BITMIME", b"SIZE 10240000", b"DSN", b"ENHANCEDSTATUSCODES", b"CHUNKING", b"SMTPUTF8",
            b"STARTTLS", b"XCLIENT NAME ADDR PROTO", b"XFORWARD NAME", b"PIPECONNECT", b"HELP", b"BURL imap",
            b"AUTH PLAIN LOGIN", b"AUTH=PLAIN LOGIN SCRAM-SHA-1-PLUS", b"AUTH SCRAM-SHA-256-PLUS", b"X-STARTTLS",
            b"auth scram-sha-1-plus scram-sha-1", b"AUTH EXTERNAL", b"AUTH=LOGIN external", b"starttls", b"LIMITS RCPTMAX=100", b"DEEPER x", b"VRFY", b"ETRN")
TAG = rb"[A-Za-z][A-Za-z0-9_-]{0,63}"
PARAMETERS = {b"latch": TAG + b"(," + TAG + b")*", b"latch-fail": TAG + b"(," + TAG + b")*",
              b"security-tags": TAG + b"(," + TAG + b")*", b"tls": rb"[A-Za-z][A-Za-z0-9_]*|0x[0-9A-Fa-f]{4}"}
VALUE = rb"[\x21-\x3c\x3e-\x7e]+"


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
        self.client_ends = 0
        self.rushed = False  # the client pipelines, announced or not
        self.say(self.greeting)

    def step(self):
        if self.inbox:
            # RFC 2920 3.1: a command of an extension is the last of its group, PIPELINING or not.
            require(self.fed >= self.client_ends, "CLIENT not last", "more behind it before its answer:", self.inbox)
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
        self.client_ends = self.said

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
