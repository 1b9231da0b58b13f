# SPDX-License-Identifier: BSD-2-Clause
"""The IMAP client of the reference model: honest commands in all their forms, and what no honest client says."""
import dialogue
from dialogue import FORGED, require
from imap_syntax import string, whole_response

SASL_LINES = (b"", b"AGpvZQBzZWNyZXQ=", b"DONE", b"AAAA" * 300, b"NOOP", b"e30=")
# No base64: the proxy may end the exchange for it, which is all that a server could do.
ODD_SASL_LINES = (b"=", b"a1 STARTTLS", b"a1 LOGOUT", b"x {5}", b'a1 ID ("tls" "FORGED")', b"AAAA\0", b"AA\rAA", b" *")


class Command:
    """`parts` are sent one after another, each behind the first one when a "+" has come. `kind`: plain (reaches the
    backend as `raw`), refused, free (either of the two), id (edited on the way, or answered by the proxy)."""

    def __init__(self, tag, parts, kind="plain", sent=None, pairs=None):
        self.tag, self.parts, self.kind, self.pairs = tag, parts, kind, pairs
        self.sent = list(sent or parts)
        self.given = 0  # parts that have been said
        self.replies = []
        self.early = False  # what follows its "+" has been sent before
        self.next_line = None  # makes the answer to a "+" of an open exchange

    def raw(self):
        """What the backend should have of it by now."""
        return b"".join(self.parts[:self.given])


class Client(dialogue.Peer):
    def __init__(self, world, items, server):
        super().__init__()
        self.world, self.items, self.server = world, list(items), server
        self.commands, self.by_tag, self.responses = [], {}, []
        self.open = None  # the command whose next part waits for a "+"
        self.ended = False
        self.patient = world.draw("client").random() < 0.5
        self.lines = set()  # whole lines without a tag that have been sent

    def waits(self):
        if not self.responses and self.world.stage == "new":
            return "for the greeting"
        return next((f"for the answer to {c.sent[0][:80]!r}" for c in self.commands if c.tag and not c.replies), "")

    def more(self, pipelining):
        if not self.items or self.open or self.ended or (self.waits() and (self.patient or not pipelining)):
            return False
        item = self.items.pop(0)
        rng = self.world.draw("item", item[0])
        getattr(self, "item_" + item[1])(rng)
        return True

    # ---- what comes ----

    def step(self):
        response = whole_response(self.inbox)
        if response is None:
            return False
        del self.inbox[:len(response)]
        self.responses.append(response)
        if response.startswith(b"+"):
            self.go_on()
        elif not response.startswith(b"* "):
            self.tagged(response)
        return True

    def go_on(self):
        command = self.open
        require(command, "continuation", "nobody waits for", self.responses[-1])
        if command.given < len(command.sent):
            self.give_part(command)
        elif command.next_line:
            line = command.next_line()
            command.parts.append(line)
            command.sent.append(line)
            self.give_part(command)

    def tagged(self, response):
        command = self.by_tag.get(response.split(b" ")[0])
        if not command and any(line.startswith(response.split(b" ")[0]) for line in self.lines):
            return  # "GET BAD" and the like
        require(command, "tag", "nobody's:", response)
        command.replies.append(response)
        require(len(command.replies) == 1, "tag", "answered twice:", *command.replies)
        if self.open is command:
            self.open = None

    # ---- what goes ----

    def give_part(self, command):
        self.say(command.sent[command.given])
        command.given += 1
        if command.given == len(command.sent) and not command.next_line and not command.early:
            self.open = None

    def send(self, command):
        self.commands.append(command)
        command.id_announced = self.server.has_announced_id()
        if command.tag:
            self.by_tag[command.tag] = command
        self.open = command
        self.give_part(command)
        return command

    def tag(self, rng):
        return rng.choice((b"a%d", b"A%03d", b"x.%d", b"%d")) % len(self.commands)

    def command(self, rng, text, **more):
        """`text` is bytes, or a list of bytes and ("literal", octets) of which a command is put together."""
        tag = self.tag(rng)
        word, blank, rest = (text if isinstance(text, bytes) else text[0]).partition(b" ")
        first = tag + b" " + dialogue.letter_case(rng, word) + blank + rest
        pieces = [first] if isinstance(text, bytes) else [first, *text[1:]]
        return self.send(Command(tag, self.parts(rng, pieces), **more))

    def parts(self, rng, pieces):
        parts = [b""]
        for piece in pieces:
            if isinstance(piece, bytes):
                parts[-1] += piece
                continue
            mark, octets = piece
            if self.server.takes_nonsync(len(octets)) and rng.random() < 0.5:
                parts[-1] += mark + b"{%d+}\r\n" % len(octets) + octets
            else:
                parts[-1] += mark + b"{%d}\r\n" % len(octets)
                parts.append(octets)
        parts[-1] += b"\r\n"
        return parts

    def item_capability(self, rng):
        self.command(rng, b"CAPABILITY")

    def item_noop(self, rng):
        self.command(rng, rng.choice((b"NOOP", b"CHECK")))

    def item_login(self, rng):
        word = lambda w: rng.choice((w, b'"' + w + b'"', (b"", w)))
        pieces = [b"LOGIN ", word(b"joe"), b" ", word(rng.choice((b"secret", b"a1 STARTTLS"[rng.choice((0, 3)):])))]
        pieces[3] = (b"", b"a1 STARTTLS\r\n* ID {3}") if rng.random() < 0.1 else pieces[3]
        self.command(rng, pieces)

    def item_authenticate(self, rng, initial=b"", rounds=4, answers=SASL_LINES, names=(b"PLAIN", b"login", b"SCRAM-SHA-1")):
        command = Command(self.tag(rng), [b""])
        command.parts[0] = command.sent[0] = command.tag + b" AUTHENTICATE " + rng.choice(
            names) + initial + b"\r\n"
        lines = [rng.choice(answers) + b"\r\n" for _ in range(rounds)]
        command.next_line = lambda: lines.pop(0) if lines else b"*\r\n"
        self.send(command)

    def item_authenticate_initial(self, rng):
        self.item_authenticate(rng, b" " + rng.choice((b"AGpvZQBzZWNyZXQ=", b"=", b"AAAA" * 200, b"AAAA" * 3072)))

    def item_auth_cancelled(self, rng):
        self.item_authenticate(rng, b"", rng.randint(0, 1))

    def item_select(self, rng):
        self.command(rng, [b"SELECT ", rng.choice((b"INBOX", b'"x {5}"', (b"", b"INBOX {3}")))])

    def item_fetch(self, rng):
        self.command(rng, rng.choice((b"FETCH 1:3 (UID BODY[])", b"UID FETCH 1 BINARY[1]", b'FETCH 1 BODY["{3}"]')))

    def item_store(self, rng):
        self.command(rng, b"STORE 1 +FLAGS (\\Seen)")

    def item_search(self, rng):
        self.command(rng, [b"SEARCH CHARSET UTF-8 TEXT ", (b"", b"a1 STARTTLS\r\n\xc3\xa9"), b" SUBJECT ", (b"", b"x {4}\n")])

    def item_append(self, rng):
        pieces = [b"APPEND ", rng.choice((b"INBOX", (b"", b"INBOX")))]
        for _ in range(rng.choice((1, 1, 2, 3))):
            pieces += [rng.choice((b" ", b" (\\Seen) ", b' "17-Jul-1996 02:44:25 -0700" ')), self.message(rng)]
        if rng.random() < 0.2:
            pieces = [b"APPEND INBOX CATENATE (TEXT ", self.message(rng), b" TEXT ", self.message(rng), b")"]
        self.command(rng, pieces)

    def message(self, rng):
        content = b"\r\n".join(dialogue.content_lines(rng)) + rng.choice((b"", b"\r\n", b"\n", b"{5}\r\n"))
        mark = b"~" if rng.random() < 0.1 else b""
        return mark, content + (b"\0\xff" if mark else b"")

    def item_idle(self, rng):
        if self.server.idles and rng.random() < 0.2:
            tag = self.tag(rng)
            command = Command(tag, [tag + b" IDLE\r\nDONE\r\n"])
            command.early = True
            self.send(command)
            return
        command = Command(self.tag(rng), [b""])
        command.parts[0] = command.sent[0] = command.tag + b" IDLE\r\n"
        command.next_line = lambda: rng.choice((b"DONE\r\n", b"done\r\n"))
        self.send(command)

    def item_list(self, rng):
        self.command(rng, b'LIST "" "*"')

    def item_enable(self, rng):
        self.command(rng, b"ENABLE UTF8=ACCEPT CONDSTORE")

    def item_notify(self, rng):
        self.command(rng, b"NOTIFY SET STATUS (selected (MessageNew))")

    def item_unauthenticate(self, rng):
        self.command(rng, b"UNAUTHENTICATE")

    def item_unknown(self, rng):
        self.command(rng, rng.choice((b"XLIST", b"FOO bar", b"GETQUOTAROOT INBOX", b"X {x}", b"DEEP")))

    def item_logout(self, rng):
        self.command(rng, b"LOGOUT")
        self.ended = True

    # ---- ID ----

    def item_id(self, rng):
        if rng.random() < 0.2:
            return self.command(rng, b"ID NIL", kind="id", pairs=[])
        names = rng.sample((b"name", b"version", b"\xc3\xa9", b"os", b"vendor", b"Date", b"latch", b"latch-fail", b"security-tags",
                            b"support-url", b"x-mine"), rng.randint(0, 6))
        return self.id_command(rng, [(name, self.id_value(rng)) for name in names])

    @staticmethod
    def id_value(rng):
        return rng.choice((None, b"", b"Demo Mail", b'quo"ted\\', b"tls11 tls-cert", b"{5}", b"(x) NIL", b"x" * 1024, b"NIL",
                           b"Gr\xc3\xb6\xc3\x9fe", b"a\r\na1 STARTTLS\r\nb", b"\xff{5}\r\n", b"a, b"))

    def id_command(self, rng, pairs, kind="id"):
        pieces = [b"ID ("]
        for i, (name, value) in enumerate(pairs):
            pieces += [self.separator(rng) if i else b"", string(rng, name), self.separator(rng), string(rng, value)]
        return self.command(rng, [*pieces, b")"], kind=kind, pairs=pairs)

    @staticmethod
    def separator(rng):
        """RFC 2971 has a space within a pair, and the "#" of RFC 822 between them: a comma."""
        return rng.choice((b" ", b" ", b" ", b"  ", b",", b", ", b" ,"))

    def item_long_id(self, rng):
        """RFC 2971 section 3.3: 30 fields of 30 octets, their values of 1,024."""
        octets = rng.choice((b"v", b'"', b"\\", b"\xfc"))
        self.id_command(rng, [(b"n%029d" % i, octets * 1024) for i in range(rng.choice((29, 30)))])

    def item_forged_id(self, rng):
        names = (b"tls", b"TLS", b"x-originating-ip", b"X-Originating-Port", b"x-connected-ip", b"x-proxy-ttl",
                 b"x-session-id", b"x-session-ext-id", b"x-multiplex", b"x-forward-user", b"x-client-transport",
                 b"x-connected-name", b"Tls")
        pairs = [(name, FORGED) for name in rng.sample(names, rng.randint(1, 4))] + [(b"name", b"Mail")]
        rng.shuffle(pairs)
        self.id_command(rng, pairs)

    def item_many_pairs(self, rng):
        count = rng.choice((28, 29, 30, 31, 40))
        kind = "id" if count <= 30 else "free"
        self.id_command(rng, [(b"f%d" % i, rng.choice((None, b"v", b'"'))) for i in range(count)], kind)

    def item_odd_id(self, rng):
        self.world.hostile = True
        text = rng.choice((b'ID("tls" "FORGED")', b'ID  ("tls" "FORGED")', b'ID ( "tls" "FORGED" )', b"ID (tls FORGED)",
                           b'ID ("t\\ls" "FORGED")', b'ID ("tls" "FORGED"', b'ID ("name" "x"("tls" "FORGED"))', b"ID",
                           b'ID "tls" "FORGED"', b'ID ("tls"\t"FORGED")', b'ID ("name" "x") ("tls" "FORGED")', b'ID ("a")',
                           b'ID\t("tls" "FORGED")', b'ID (NIL "FORGED" "tls" "FORGED")',
                           b'ID ("tls" "FORGED")x', b'ID ("x" "' + b"y" * 1025 + b'" "tls" "FORGED")',
                           b'ID ("' + b"n" * 31 + b'" "x" "tls" "FORGED")'))
        self.command(rng, text, kind="free")

    # ---- what no honest client says ----

    def item_starttls(self, rng):
        self.command(rng, rng.choice((b"STARTTLS", b"STARTTLS ", b"STARTTLS x", b"STARTTLS {3+}\r\nabc")), kind="refused")

    def item_compress(self, rng):
        self.command(rng, b"COMPRESS DEFLATE", kind="refused")

    def item_plus_mechanism(self, rng):
        self.item_authenticate(rng)
        self.commands[-1].kind = "free"

    def item_external(self, rng):
        if self.world.external:
            self.item_authenticate(rng, rng.choice((b"", b" =")), 2, names=(b"EXTERNAL", b"external", b'"EXTERNAL"'))
            return
        self.command(rng, b"AUTHENTICATE " + rng.choice((b"EXTERNAL", b"External =", b'"EXTERNAL" =')), kind="refused")

    def item_odd_mechanism(self, rng):
        self.command(rng, b"AUTHENTICATE " + rng.choice((b" EXTERNAL", b'"EXTER\\NAL" =', b"(EXTERNAL) =", b"\tEXTERNAL", b"",
                                                         b"EXTERNAL\t=", b"{8+}\r\nEXTERNAL")), kind="refused")

    def item_odd_sasl(self, rng):
        self.world.hostile = True
        self.item_authenticate(rng, b"", 3, ODD_SASL_LINES)
        self.commands[-1].kind = "free"

    def item_bare_lf(self, rng):
        for word in rng.sample((b"NOOP", b"CHECK", b"STARTTLS", b"LSUB {x} x"), rng.randint(1, 3)):
            tag = self.tag(rng)
            kind = "refused" if word == b"STARTTLS" else "plain"
            self.send(Command(tag, [tag + b" " + word + b"\r\n"], kind, [tag + b" " + word + b"\n"]))
        if rng.random() < 0.5:
            tag = self.tag(rng)
            self.send(Command(tag, [tag + b" SELECT {5}\r\n", b"INBOX\r\n"], "plain", [tag + b" SELECT {5}\n", b"INBOX\n"]))

    def item_octets(self, rng):
        self.world.hostile = True
        tag = self.tag(rng)
        text = rng.choice((b"NOOP\0", b"START\0TLS", b"STARTTLS\0", b"NOOP\rz STARTTLS", b"\0STARTTLS", b" STARTTLS",
                           b"\tSTARTTLS", b"STARTTLS\r", b"\xff\xfe", b'LOGIN "a\rb" c', b"STARTTLS\tx", b"\x0bSTARTTLS",
                           b"NOOP\r\r", b"COMPRESS\tDEFLATE", b"ID\0(FORGED"))
        self.send(Command(tag, [tag + b" " + text + b"\r\n"], "free"))

    def item_garbage(self, rng):
        self.world.hostile = True
        line = rng.choice((b"\r\n", b" \r\n", b"NOOP\r\n", b"* STARTTLS\r\n", b"+ STARTTLS\r\n", b" a STARTTLS\r\n",
                           b"\xff\xff\r\n", b"GET / HTTP/1.1\r\n", b"* NOOP\r\n", b"DONE\r\n", b'"a" NOOP\r\n', b"(\r\n"))
        self.lines.add(line)
        self.send(Command(None, [line], "free"))

    def item_long_line(self, rng):
        self.world.hostile = True
        self.command(rng, b"SEARCH SUBJECT " + b"x" * rng.choice((900, 8000, 20000, 90000, 300000)), kind="free")

    def item_huge_literal(self, rng):
        self.world.hostile = True
        tag = self.tag(rng)
        size = rng.choice((b"9223372036854775808", b"18446744073709551616", b"99999999999999999999999", b"-1"))
        self.send(Command(tag, [tag + b" APPEND INBOX {" + size + b"}\r\n", b"\r\n"], "free"))

    def item_burst(self, rng):
        for _ in range(rng.randint(2, 60)):
            if not self.open:
                getattr(self, "item_" + rng.choice(("noop", "fetch", "capability", "id", "list", "unknown")))(rng)
