# SPDX-License-Identifier: BSD-2-Clause
"""The reference for POP3: RFC 1939, 2449, 5034, and section 7.2 of the DEEP draft."""
import base64
import re

import dialogue
import ordered
from dialogue import require
from ordered import Entry

PROTOCOL = "pop3"
FORBIDDEN = (b"STLS", b"XCLIENT", b"XOIP")
LOGINS = ("user_pass", "user_pass", "apop", "auth_initial", "auth_steps", "auth_cancelled", "auth_list", "capa",
          "external")
ITEMS = ("stat", "list", "list_one", "uidl", "uidl_one", "retr", "retr", "retr", "top", "dele", "noop", "rset", "capa",
         "lang", "lang_one", "unknown", "burst")
HOSTILE = ("stls", "xclient", "xoip", "bare_lf", "octets", "long_line", "empty_line", "long_sasl", "login_again",
           "plus_mechanism", "external", "odd_mechanism", "odd_sasl")
CAPABILITIES = (b"TOP", b"USER", b"UIDL", b"RESP-CODES", b"PIPELINING", b"AUTH-RESP-CODE", b"STLS", b"EXPIRE 60",
                b"LOGIN-DELAY 900 USER", b"IMPLEMENTATION Mail (STLS) v1", b"LANG", b"UTF8 USER", b"CAPA", b"XCLIENT",
                b"XOIP", b"DEEP tls11", b"X-DEEP", b"SASL PLAIN LOGIN", b"SASL SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN",
                b"SASL SCRAM-SHA-256-PLUS", b"STLSX", b"deep", b"sasl login oauthbearer-plus", b"stls",
                b"SASL EXTERNAL PLAIN", b"sasl external")
MECHANISMS = (b"PLAIN", b"LOGIN", b"SCRAM-SHA-1", b"SCRAM-SHA-1-PLUS", b"SCRAM-SHA-256-PLUS", b"XOAUTH2", b"APOP",
              b"EXTERNAL", b"external")
# Valid base64 that reads as a command.
SASL_LINES = (b"STLS", b"QUIT", b"CAPA", b"RETR", b"", b"dGVzdAB0ZXN0AHRlc3Q=", b"AAAA" * 200)


def plan(world):
    rng = world.draw("plan")
    for _ in range(rng.randint(0, 3)):
        yield rng.choice(LOGINS)
    yield rng.choice(("user_pass", "auth_initial", "auth_steps", "apop"))
    hostile = rng.choice((0, 0, 0.15))
    for _ in range(rng.randint(0, 14)):
        yield rng.choice(HOSTILE if rng.random() < hostile else ITEMS)
    if rng.random() < 0.7:
        yield "quit"


def peers(world, items):
    server = Server(world)
    return Client(world, items), server


class Client(ordered.OrderedClient):
    def step(self):
        reply = self.whole_reply()
        if reply is None:
            return False
        del self.inbox[:len(reply)]
        self.take_reply(reply)
        return True

    def whole_reply(self):
        end = self.inbox.find(b"\r\n") + 2
        if end == 1:
            return None
        entry = self.entries[self.answered] if self.answered < len(self.entries) else None
        if self.greeting is not None and entry and entry.multiline and self.inbox.startswith(b"+OK"):
            if self.inbox.startswith(b".\r\n", end):
                return bytes(self.inbox[:end + 3])
            last = self.inbox.find(b"\r\n.\r\n", end - 2)
            return bytes(self.inbox[:last + 5]) if last >= 0 else None
        return bytes(self.inbox[:end])

    def command(self, rng, text, **more):
        word, blank, rest = text.partition(b" ")
        raw = dialogue.letter_case(rng, word) + blank + rest + b"\r\n"
        return self.send(Entry(raw, **more))

    def item_user_pass(self, rng):
        self.command(rng, b"USER joe")
        self.command(rng, b"PASS " + rng.choice((b"secret", b"two words", b"STLS", b"+OK \xc3\xa4")))

    def item_apop(self, rng):
        self.command(rng, b"APOP joe c4c9334bac560ecc979e58001b3e22fb")

    def item_auth_initial(self, rng):
        self.exchange(self.command(rng, b"AUTH PLAIN " + rng.choice((b"AHRlc3QAdGVzdA==", b"=", b"STLS"))), rng, 3)

    def item_auth_steps(self, rng):
        self.exchange(self.command(rng, b"AUTH " + rng.choice((b"LOGIN", b"SCRAM-SHA-1", b"plain"))), rng, 3)

    def item_auth_cancelled(self, rng):
        self.exchange(self.command(rng, b"AUTH LOGIN"), rng, rng.randint(0, 1))

    def item_long_sasl(self, rng):
        self.world.hostile = True
        self.exchange(self.command(rng, b"AUTH GSSAPI"), rng, 3,
                      (base64.b64encode(b"x" * rng.randint(3000, 9000)),))

    def item_plus_mechanism(self, rng):
        self.exchange(self.command(rng, b"AUTH SCRAM-SHA-1-PLUS", kind="free"), rng, 3)

    def item_external(self, rng):
        text = b"AUTH " + rng.choice((b"EXTERNAL", b"external", b"EXTERNAL =", b" EXTERNAL"))
        self.exchange(self.command(rng, text, kind="plain" if self.world.external else "refused"), rng, 2)

    def item_odd_mechanism(self, rng):
        self.command(rng, b"AUTH " + rng.choice((b"\tEXTERNAL", b"EXTERNAL\t=", b"EXTERNAL\v", b'"EXTERNAL"')), kind="refused")

    def item_odd_sasl(self, rng):
        self.world.hostile = True
        self.exchange(self.command(rng, b"AUTH LOGIN"), rng, 3, ordered.ODD_SASL_LINES)

    def exchange(self, entry, rng, rounds, lines=SASL_LINES):
        """Answers challenges as long as they come; "*" ends it."""
        def challenged(reply):
            if reply.startswith(b"+ ") or reply == b"+\r\n":
                text = b"*" if rounds == 0 else rng.choice(lines)
                kind = "sasl" if text in ordered.ODD_SASL_LINES else "plain"
                self.exchange(self.send(Entry(text + b"\r\n", kind)), rng, max(0, rounds - 1), lines)
        self.block(entry, challenged)

    def item_auth_list(self, rng):
        self.command(rng, b"AUTH", multiline=True, kind="mechanisms")

    def item_capa(self, rng):
        self.command(rng, b"CAPA", multiline=True, kind="capa")

    def item_stat(self, rng):
        self.command(rng, b"STAT")

    def item_list(self, rng):
        self.command(rng, b"LIST", multiline=True)

    def item_list_one(self, rng):
        self.command(rng, b"LIST %d" % rng.randint(0, 9))

    def item_uidl(self, rng):
        self.command(rng, b"UIDL", multiline=True)

    def item_uidl_one(self, rng):
        self.command(rng, b"UIDL 2")

    def item_retr(self, rng):
        self.command(rng, b"RETR %d" % rng.randint(1, 9), multiline=True)

    def item_top(self, rng):
        self.command(rng, b"TOP %d 10" % rng.randint(1, 9), multiline=True)

    def item_dele(self, rng):
        self.command(rng, b"DELE 1")

    def item_noop(self, rng):
        self.command(rng, b"NOOP")

    def item_rset(self, rng):
        self.command(rng, b"RSET")

    def item_lang(self, rng):
        self.command(rng, b"LANG", multiline=True)

    def item_lang_one(self, rng):
        self.command(rng, b"LANG es")

    def item_unknown(self, rng):
        self.command(rng, rng.choice((b"XTND XMIT", b"UTF8", b"X", b"DEEP tls11", b"CLIENT tls=x", b"FOO BAR BAZ")))

    def item_burst(self, rng):
        for _ in range(rng.randint(2, 60)):
            getattr(self, "item_" + rng.choice(("noop", "stat", "retr", "list", "capa")))(rng)

    def item_quit(self, rng):
        self.command(rng, b"QUIT")
        self.ended = True

    def item_stls(self, rng):
        self.command(rng, rng.choice((b"STLS", b"STLS ", b"STLS now")), kind="refused")

    def item_xclient(self, rng):
        self.command(rng, b"XCLIENT ADDR=192.0.2.1 PORT=FORGED", kind="refused")

    def item_xoip(self, rng):
        self.command(rng, b"XOIP 192.0.2.1", kind="refused")

    def item_bare_lf(self, rng):
        for text in rng.sample((b"NOOP", b"STAT", b"DELE 2"), rng.randint(1, 3)):
            self.send(Entry(text + b"\r\n", sent=text + b"\n"))
        if rng.random() < 0.5:
            self.send(Entry(None, "refused", sent=rng.choice((b"STLS\n", b"XCLIENT ADDR=192.0.2.1\n"))))

    def item_octets(self, rng):
        self.world.hostile = True
        text = rng.choice((b"NOOP\0", b"ST\0LS", b"STLS\0", b"NOOP\rSTLS", b"\0STLS", b" STLS", b"\tXCLIENT ADDR=1",
                           b"\rSTLS", b"STLS\r", b"\xff\xfe NOOP", b"NOOP\r\rXCLIENT ADDR=1", b"STLS\tx", b"\x0bSTLS"))
        self.send(Entry(text + b"\r\n", "free"))

    def item_long_line(self, rng):
        self.world.hostile = True
        self.send(Entry(b"NOOP " + b"x" * rng.choice((200, 400, 1000, 5000, 70000)) + b"\r\n", "free"))

    def item_empty_line(self, rng):
        self.world.hostile = True
        self.send(Entry(rng.choice((b"\r\n", b" \r\n")), "free"))

    def item_login_again(self, rng):
        self.item_user_pass(rng)


class Server(ordered.OrderedServer):
    def __init__(self, world):
        super().__init__(world)
        rng = world.draw("server")
        self.greeting = rng.choice((b"+OK ready\r\n", b"+OK <1896.697170952@dbc.example>\r\n", b"+OK\r\n",
                                    b"+OK [XCLIENT] Dovecot ready.\r\n", b"+OK X [XCLIENT] is not a code here\r\n"))
        self.capa = [capability_lines(rng), capability_lines(rng)]
        self.knows_capa = rng.random() < 0.8
        self.content = []
        self.user = self.authenticated = False
        self.challenges = None  # how many more of them; None outside an exchange
        self.say(self.greeting)

    def step(self):
        line = self.line()
        if line is None:
            return False
        rng = self.world.draw("answer", line)
        if self.challenges is not None:
            self.sasl(rng, line)
            return True
        ordered.forbid_words(line, FORBIDDEN)
        word, _, argument = line.rstrip(b"\r\n").partition(b" ")
        handler = getattr(self, "do_" + word.decode("latin-1").lower(), None)
        if handler and not self.closed:
            handler(rng, line, argument)
        elif not self.closed:
            self.answer(line, b"-ERR unknown command\r\n")
        return True

    def multi(self, rng, line, lines):
        first = rng.choice((b"+OK\r\n", b"+OK follows\r\n", b"+OK 120 octets .\r\n"))
        stuffed = [b"." + l if l.startswith(b".") else l for l in lines]
        self.answer(line, first + b"".join(l + b"\r\n" for l in stuffed) + b".\r\n")

    def single(self, rng, line, ok=0.8):
        yes = rng.random() < ok
        self.answer(line, rng.choice((b"+OK\r\n", b"+OK 2 320\r\n", b"+OK .\r\n")) if yes else
                    rng.choice((b"-ERR\r\n", b"-ERR [IN-USE] no\r\n", b"-ERR [AUTH] +OK\r\n")))
        return yes

    def do_user(self, rng, line, argument):
        self.user = self.single(rng, line) and not self.authenticated

    def do_pass(self, rng, line, argument):
        if not self.user or self.authenticated:
            self.answer(line, b"-ERR not now\r\n")
        else:
            self.authenticated = self.single(rng, line)
        self.user = False

    def do_apop(self, rng, line, argument):
        if self.authenticated:
            self.answer(line, b"-ERR not now\r\n")
        else:
            self.authenticated = self.single(rng, line)

    def do_auth(self, rng, line, argument):
        if not argument and rng.random() < 0.7:
            self.multi(rng, line, rng.sample(MECHANISMS, rng.randint(0, 5)))
        elif not argument or self.authenticated or rng.random() < 0.1:
            self.answer(line, b"-ERR no such mechanism\r\n")
        else:
            self.challenges = rng.randint(0, 2)
            if self.challenges or b" " not in argument:
                self.challenge(rng, line)
            else:
                self.finish(rng, line)

    def challenge(self, rng, line):
        self.answer(line, b"+ " + rng.choice((b"", b"VXNlcm5hbWU6", b"STLS", b"AAAA" * 50)) + b"\r\n")

    def finish(self, rng, line):
        self.challenges = None
        self.authenticated = self.single(rng, line)

    def sasl(self, rng, line):
        if line == b"*\r\n":
            self.challenges = None
            self.answer(line, b"-ERR cancelled\r\n")
        elif self.challenges > 1:
            self.challenges -= 1
            self.challenge(rng, line)
        else:
            self.finish(rng, line)

    def do_capa(self, rng, line, argument):
        if self.knows_capa:
            self.multi(rng, line, self.capa[self.authenticated])
        else:
            self.answer(line, b"-ERR unknown command\r\n")

    def listing(self, rng, line, argument):
        if argument:
            self.single(rng, line)
        elif rng.random() < 0.1:
            self.answer(line, b"-ERR no\r\n")
        else:
            self.multi(rng, line, [b"%d %d" % (n + 1, rng.randint(1, 99999)) for n in range(rng.randint(0, 5))])

    do_list = do_uidl = do_lang = listing

    def do_retr(self, rng, line, argument):
        if rng.random() < 0.15:
            self.answer(line, b"-ERR no such message\r\n")
        else:
            self.multi(rng, line, message(rng))

    do_top = do_retr

    def plain(self, rng, line, argument):
        self.single(rng, line)

    do_stat = do_dele = do_noop = do_rset = do_utf8 = plain

    def do_quit(self, rng, line, argument):
        self.answer(line, b"+OK bye\r\n")
        self.closed = True


def capability_lines(rng):
    lines, seen = [], set()
    for line in rng.sample(CAPABILITIES, rng.randint(0, len(CAPABILITIES))):
        word = line.split()[0].upper()
        if word not in seen:
            seen.add(word)
            lines.append(line)
    return lines


def message(rng):
    """Lines of a message; a bare LF, CR or NUL may stand in one, but nothing that makes the end doubtful."""
    lines = dialogue.content_lines(rng, 12)
    if rng.random() < 0.1:
        lines.append(rng.choice((b"a\nb", b"a\rb", b"a\0b", b"+OK\n-ERR", b"\n", b"\r")))
    return lines


# ---- what must hold ----

def same_output(talk, side, before, after):
    """Replies have one order, however the octets come."""
    return before == after


def check(talk):
    client, server = talk.client, talk.server
    if talk.world.stage == "new":
        check_greeting(client.greeting, server.greeting)
    ordered.match(client, server, Rules(talk.world))
    if talk.end() == "open":
        require(("a" in talk.answer.flags) == server.authenticated, "status", f"authenticated: {talk.answer.flags}")
        require(not client.ended or "e" in talk.answer.flags, "status", f"not ending after QUIT: {talk.answer.flags}")


def check_farewell(talk, answer):
    """An -ERR as a reply or a greeting; nothing inside a reply."""
    if talk.farewell:
        require(re.fullmatch(rb"-ERR[^\r\n]*\r\n", talk.farewell), "goodbye", "no -ERR:", talk.farewell)
        require(not talk.client.inbox, "goodbye", "inside a reply:", talk.client.inbox)


def check_greeting(got, said):
    if got is None:
        return
    if said.startswith(b"+OK [XCLIENT]"):
        require(got.startswith(b"+OK") and b"XCLIENT" not in got and b"Dovecot ready." in got, "greeting", "", got)
    else:
        require(got == said, "greeting", "", got, said)


class Rules:
    """For ordered.match."""

    def __init__(self, world):
        self.status, self.external = world.status.encode(), world.external

    def is_own(self, got, entry):
        return False

    def forwarded(self, entry, got):
        if got is None or entry.kind == "refused":
            return False
        return got.raw == entry.raw or (entry.kind == "sasl" and got.raw == b"*\r\n")

    def check_pair(self, entry, got):
        if entry.kind == "capa":
            check_capa(entry.reply, got.reply, self.status, self.external)
        elif entry.kind == "mechanisms" and got.reply.startswith(b"+OK"):
            check_mechanisms(entry.reply, got.reply, self.external)
        else:
            ordered.check_reply(entry, got.reply)

    def check_unforwarded(self, entry, got):
        require(entry.kind in ("refused", "free", "sasl"), "lost command", f"{entry.kind}, answered by {entry.reply!r}:",
                entry.sent, got and got.raw)
        require(entry.reply.startswith(b"-ERR"), "refusal", "not refused:", entry.sent, entry.reply)


def body(reply):
    first, _, rest = reply.partition(b"\r\n")
    require(rest.endswith(b".\r\n"), "multi-line", "no end:", reply)
    return first, rest[:-3].split(b"\r\n")[:-1]


def check_capa(reply, said, status, external):
    """Section 7.2: DEEP once, with the status; what cannot work is gone; the rest as the backend has it."""
    if reply is None:
        return
    first, lines = body(reply)
    deep = [line for line in lines if line.split()[:1] and line.split()[0].upper() == b"DEEP"]
    require(len(deep) == 1, "DEEP", "not once in CAPA:", reply)
    require(deep[0] == b"DEEP " + status or (deep[0] == b"DEEP" and not status), "DEEP", "not the status:", deep[0])
    if not said.startswith(b"+OK"):
        require(first.startswith(b"+OK"), "CAPA", "refused:", reply)
        return
    said_first, said_lines = body(said)
    require(first == said_first, "CAPA", "first line:", first, said_first)
    lines.remove(deep[0])
    require(edited(lines, True) == edited(said_lines, external) and not forbidden(lines, external), "CAPA", "not the backend's:", said, reply)


def forbidden(lines, external):
    return [word for line in lines for word in line.upper().split()[:1] if word in FORBIDDEN] + \
        [word for line in lines if line[:4].upper() == b"SASL" for word in line.split()[1:] if not dialogue.works(word, external)]


def edited(lines, external):
    """The words of each capability that a client may see, but for DEEP; tags without regard to case (RFC 2449 3)."""
    expected = []
    for line in lines:
        words = line.split()
        name = words[0].upper()
        if name == b"SASL":
            words = words[:1] + [w for w in words[1:] if dialogue.works(w, external)]
        if name not in (b"STLS", b"XCLIENT", b"XOIP", b"DEEP") and not (name == b"SASL" and len(words) == 1):
            expected.append([name, *words[1:]])
    return expected


def check_mechanisms(reply, said, external):
    if reply is not None:
        first, lines = body(reply)
        expected = [line for line in body(said)[1] if dialogue.works(line, external)]
        require(first == body(said)[0] and lines == expected, "mechanisms", "", reply, said)
