# SPDX-License-Identifier: BSD-2-Clause
"""The submission client of the reference model: honest commands in all their forms, and what no honest client says."""
import re

import dialogue
import ordered
from ordered import Entry
from submission_backend import FORBIDDEN, client_syntax_is_right

SASL_LINES = (b"QUIT", b"RSET", b"DATA", b"", b"EHLO", b"dGVzdAB0ZXN0AHRlc3Q=", b"STARTTLS", b"AAAA" * 300)


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

    def item_external(self, rng):
        text = b"AUTH " + rng.choice((b"EXTERNAL", b"external", b"EXTERNAL =", b" \tEXTERNAL"))
        self.exchange(self.command(rng, text, kind="plain" if self.world.external else "refused"), rng, 2)

    def item_odd_mechanism(self, rng):
        self.command(rng, b"AUTH " + rng.choice((b"EXTERNAL\v", b"\vEXTERNAL =", b'"EXTERNAL"', b"EXTERNAL=")), kind="refused")

    def item_odd_sasl(self, rng):
        self.world.hostile = True
        self.exchange(self.command(rng, b"AUTH LOGIN"), rng, 3, ordered.ODD_SASL_LINES)

    def exchange(self, entry, rng, rounds, lines=SASL_LINES):
        """Answers challenges as long as they come; "*" ends it."""
        def challenged(reply):
            if reply.startswith(b"334"):
                text = b"*" if rounds == 0 else rng.choice(lines)
                kind = "sasl" if text in ordered.ODD_SASL_LINES else "plain"
                self.exchange(self.send(Entry(text + b"\r\n", kind, command=False)), rng, max(0, rounds - 1), lines)
        self.block(entry, challenged)

    def item_client(self, rng):
        words = rng.sample((b"name=demo_submit", b"version=1.5", b"latch=tls11,tls-cert", b"security-tags=tls12", b"x=1",
                            b"latch-fail=tls-dane-tlsa", b"tls=FORGED_1", b"TLS=FORGED", b"Tls=0x1301", b"flag",
                            b"Name=other"), rng.randint(1, 5))
        self.client_command(rng, b"".join(b" " + word for word in words))

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


def untold(raw):
    """The parameters of a CLIENT command but for "tls"."""
    return [word for word in raw.split()[1:] if word[:4].lower() != b"tls="]


def message(rng):
    """A dot-stuffed message and its end."""
    lines = dialogue.content_lines(rng, 12)
    return b"".join((b"." + l if l.startswith(b".") else l) + b"\r\n" for l in lines) + b".\r\n"
