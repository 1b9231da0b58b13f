# SPDX-License-Identifier: BSD-2-Clause
"""A small IMAP server for the reference model: it conforms, but with habits that servers differ in."""
import re

import dialogue
from dialogue import FORGED, require
from imap_syntax import LITERAL, parse_id, quoted

FORBIDDEN = (b"STARTTLS", b"COMPRESS")
WORDS = (b"IMAP4rev1", b"STARTTLS", b"starttls", b"COMPRESS=DEFLATE", b"AUTH=PLAIN", b"AUTH=SCRAM-SHA-1",
         b"AUTH=SCRAM-SHA-1-PLUS", b"AUTH=EXTERNAL", b"auth=external", b"auth=scram-sha-256-plus", b"IDLE", b"NAMESPACE", b"UIDPLUS", b"SASL-IR", b"DEEP",
         b"UNAUTHENTICATE", b"ENABLE", b"NOTIFY", b"LOGINDISABLED", b"X-STARTTLS", b"MULTIAPPEND", b"QUOTA=RES-STORAGE")
TEXTS = (b"done {5}", b"go ahead {3}", b"[ALERT] * CAPABILITY IMAP4rev1 STARTTLS", b"no such {7}", b"x", b"ID () {2+}",
         b"[TRYCREATE] [CAPABILITY x]", b'"', b"[UIDNEXT 5] y (", b"\xc3\xa9")


class Unit:
    """A response as it was said. how: plain, capabilities, id, optional (it may be swallowed), own (it must be)."""

    def __init__(self, text, how):
        self.text, self.how = text, how


class Got:
    """A command as it came. announced: the engine had read by then that there is ID."""

    def __init__(self, raw, own, announced):
        self.raw, self.own, self.announced = raw, own, announced
        self.refused_literal = False


class Server(dialogue.Peer):
    def __init__(self, world):
        super().__init__()
        self.world = world
        rng = world.draw("server")
        self.has_id = rng.random() < 0.7
        self.first_id_only = rng.random() < 0.3
        self.literals = rng.choice((b"LITERAL+", b"LITERAL-", None))
        self.idles = rng.random() < 0.8
        self.lists = [self.capability_list(rng) for _ in range(2)]
        self.units, self.commands, self.client = [], [], None
        self.raw, self.literal = bytearray(), None
        self.mode, self.tag, self.challenges = "command", b"", 0
        self.authenticated = self.told = self.closed = self.id_answered = False
        self.announces_id, self.announced_ends, self.login_ends = False, 0, 0
        self.id_ends = None  # where the first list with ID ends
        self.list_ends = None  # where the first list of all ends
        self.fed_before = 0  # what the engine had of this side before the last piece
        self.asked = self.awaits_login = self.id_came = False  # the proxy's own CAPABILITY has come; and what it was for has not; an ID
        self.question_ends = 0  # where the answer to it ends
        self.greet(rng)
        # A man in the middle strips STARTTLS so: RFC 9051 7.1.4 and 11.1.
        self.preauth_is_refused = self.authenticated and world.stage == "behind"
        self.may_cause = frozenset(("backend-refused",) if self.preauth_is_refused else ())

    def has_announced_id(self):
        """Has the engine read a list with ID?"""
        return self.id_ends is not None and self.fed >= self.id_ends

    def give(self, count):
        self.fed_before = self.fed
        return super().give(count)

    def takes_nonsync(self, size):
        return self.literals == b"LITERAL+" or (self.literals == b"LITERAL-" and size <= 4096)

    def capability_list(self, rng):
        words = rng.sample(WORDS, rng.randint(1, len(WORDS)))
        words += [b"ID" if rng.random() < 0.9 else b"id"] if self.has_id else []
        words += [self.literals] if self.literals else []
        rng.shuffle(words)
        return words

    # ---- what goes ----

    def emit(self, text, how="plain"):
        self.units.append(Unit(text + b"\r\n", how))
        self.say(text + b"\r\n")

    def announce(self, rng, before, after=b"", how="capabilities"):
        """A list of capabilities between two texts; sometimes a shorter one, as Cyrus greets."""
        words = self.lists[self.authenticated]
        if after and rng.random() < 0.2:
            words = words[:max(1, len(words) // 2)]
        self.emit(before + b" " + b" ".join(words) + after, how)
        self.list_ends = self.list_ends or self.said
        self.announces_id = b"ID" in [w.upper() for w in words]
        self.announced_ends = self.said
        if self.announces_id and self.id_ends is None:
            self.id_ends = self.said

    def greet(self, rng):
        self.authenticated = rng.random() < 0.1
        word = b"* PREAUTH" if self.authenticated else rng.choice((b"* OK", b"* ok", b"* OK"))
        if rng.random() < 0.6:
            self.announce(rng, word + rng.choice((b" [CAPABILITY", b" [capability")), b"] ready {3}")
        else:
            self.emit(word + b" " + rng.choice(TEXTS))
        if self.world.stage == "behind":
            self.units.clear()

    def tagged(self, rng, tag, ok=0.85, how="plain"):
        yes = rng.random() < ok
        self.emit(tag + b" " + (rng.choice((b"OK ", b"Ok ")) if yes else rng.choice((b"NO ", b"BAD "))) + rng.choice(TEXTS), how)
        return yes

    def unsolicited(self, rng):
        if rng.random() < 0.25:
            self.emit(rng.choice((b"* 5 EXISTS", b"* OK still here {5}", b"* 3 EXPUNGE", b"* NO disk {1}", b"* FLAGS (\\Seen)",
                                  b"* 1 FETCH (FLAGS (\\Seen))", b"* BAD hm {2+}", b"* OK [ALERT] STARTTLS")))
        if rng.random() < 0.05:
            self.announce(rng, b"* CAPABILITY")
        if rng.random() < 0.05:
            self.announce(rng, b"* OK [CAPABILITY", b"] new")

    # ---- what comes ----

    def step(self):
        if self.literal is not None:
            if len(self.inbox) < self.literal:
                return False
            self.raw += self.inbox[:self.literal]
            del self.inbox[:self.literal]
            self.literal = None
            return True
        line = self.line()
        if line is None:
            return False
        rng = self.world.draw("answer", line)
        getattr(self, "take_" + self.mode)(rng, line)
        return True

    def take_command(self, rng, line):
        if not self.raw:
            self.check_line(line)
        require(not re.search(rb"\0|\r(?!\n)|(?<!\r)\n", line), "raw line", "NUL, bare CR or LF in a command:", line)
        self.raw += line
        literal = LITERAL.search(line)
        if literal:
            self.begin_literal(rng, int(literal[1]), literal[2])
        else:
            raw = bytes(self.raw)
            self.raw.clear()
            self.command(rng, raw)

    def check_line(self, line):
        words = re.split(rb"[\s\0]+", line.upper())
        require(not [w for w in words[:3] if w in FORBIDDEN], "forbidden command", "to the backend:", line)

    def begin_literal(self, rng, size, nonsync):
        own = self.is_own()
        if nonsync:
            require(self.literals, "literal", "{n+} to a backend without LITERAL+:", self.raw)
        elif not own and rng.random() < 0.1:
            self.commands.append(self.got(own))
            self.commands[-1].refused_literal = True
            words = bytes(self.raw).split(b" ")
            self.check_awaited(self.raw, words[1].upper())
            self.raw.clear()
            return self.emit(words[0] + b" NO no literal {5}", "refused id" if words[1].upper() == b"ID" else "plain")
        else:
            # Where the client has sent {n+} or the proxy has taken the literal itself, the client waits for no "+".
            self.emit(b"+ go ahead {3}", "own" if own else "optional")
        self.literal = size
        return None

    def is_own(self):
        """The proxy's own command: the tag is none that the client has used."""
        tag = bytes(self.raw).split(b" ")[0]
        return tag not in self.client.by_tag and bytes(self.raw) not in self.client.lines and tag.strip() not in (b"", b"*")

    def got(self, own):
        return Got(bytes(self.raw), own, self.announces_id and self.fed >= self.announced_ends)

    def told_before(self, got):
        return any(g.raw is not got.raw and b"TLS" in g.raw.upper() for g in self.commands[:self.commands.index(got)])

    def command(self, rng, raw):
        self.raw += raw
        own = self.is_own()
        got = self.got(own)
        self.raw.clear()
        self.commands.append(got)
        if self.closed:
            return
        words = raw.rstrip(b"\r\n").split(b" ")
        name = words[1].upper() if len(words) > 1 else b""
        self.tag = words[0]
        require(self.fed >= self.question_ends, "own CAPABILITY", "not waited for:", raw)
        if own and name == b"CAPABILITY":
            return self.answer_question(rng, raw)
        if own:
            self.check_own(raw, name)
        else:
            self.check_awaited(raw, name)
        if not own:
            self.unsolicited(rng)
        handler = getattr(self, "do_" + name.decode("latin-1").lower(), None)
        if handler:
            handler(rng, got) if name == b"ID" else handler(rng, raw)
        elif not words[0] or len(words) < 2:
            self.emit(b"* BAD what")
        else:
            self.emit(self.tag + rng.choice((b" BAD what {5}", b" NO Error in IMAP command")))

    def check_awaited(self, raw, name):
        require(not self.awaits_login or name in (b"LOGIN", b"AUTHENTICATE"), "own CAPABILITY", "before no login:", raw)
        self.awaits_login = False

    def check_own(self, raw, name):
        require(name == b"ID", "foreign command", "neither the client's nor an ID:", raw)
        require(parse_id(raw) == [(b"tls", self.world.cipher.encode())], "own ID", "not the suite alone:", raw)
        require(self.fed >= self.login_ends, "own ID", "behind a login that is not answered:", raw)
        require(not self.told, "own ID", "told before:", raw)
        require(self.has_announced_id(), "own ID", "to a backend that has not announced ID:", raw)

    def answer_question(self, rng, raw):
        """The proxy asks whether there is ID, before a login or if there will be none: once, and if it can't know."""
        require(raw == self.tag + b" CAPABILITY\r\n", "own CAPABILITY", "not that alone:", raw)
        require(not self.asked and not self.id_came, "own CAPABILITY", "asked before, or sent ID:", raw)
        require(self.list_ends is None or self.fed_before < self.list_ends, "own CAPABILITY", "the list has been read:", raw)
        require(self.fed >= self.login_ends, "own CAPABILITY", "behind a login that is not answered:", raw)
        self.asked, self.awaits_login = True, not self.authenticated
        if rng.random() < 0.3:
            self.emit(rng.choice((b"* 5 EXISTS", b"* OK still here {5}")))
        style = rng.choice(("list", "list", "list", "list and code", "code", "nothing", "refused"))
        if style.startswith("list"):
            self.announce(rng, rng.choice((b"* CAPABILITY", b"* capability")), how="own")
        if style.endswith("code"):
            self.announce(rng, self.tag + b" OK [CAPABILITY", b"] done {3}", how="own")
        else:
            self.emit(self.tag + (b" BAD what {5}" if style == "refused" else b" OK done"), "own")
        self.question_ends = self.said

    def before_login(self, raw):
        require(self.asked or self.id_came or self.list_ends is not None, "own CAPABILITY", "not sent before", raw)
        known = self.announces_id and self.fed >= self.announced_ends
        require(self.told or self.authenticated or not known, "tls not told", "before", raw)

    # ---- commands ----

    def do_id(self, rng, got):
        how, refused = ("own", "own") if got.own else ("plain", "refused id")
        require(FORGED not in got.raw, "forged", "a client's word in ID:", got.raw)
        self.id_came = True
        if not self.has_id:
            return self.emit(self.tag + rng.choice((b" BAD no ID", b" NO Error in IMAP command")), refused)
        pairs = parse_id(got.raw)
        if pairs is None or len(pairs) > 30 or any(len(n) > 30 or len(v or b"") > 1024 for n, v in pairs):
            return self.emit(self.tag + b" BAD Invalid ID", refused)
        self.told |= any(name.lower() == b"tls" for name, value in pairs)
        if self.authenticated or not (self.id_answered and self.first_id_only):
            self.emit(self.id_response(rng), "own" if got.own else "id")
        self.id_answered = True
        return self.emit(self.tag + b" OK NIL", how)

    @staticmethod
    def id_response(rng):
        fields = rng.sample((b"name", b"version", b"deep-status", b"support-url", b"DEEP", b"os"), rng.randint(0, 6))
        value = lambda: rng.choice((b"NIL", quoted(b"Demo"), quoted(b'a"b\\c)'), b"{5}\r\n) {3}", b'""'))
        listed = b" ".join(quoted(field) + b" " + value() for field in fields)
        return rng.choice((b"* ID NIL", b"* ID (" + listed + b")", b"* ID (" + listed + b")"))

    def do_capability(self, rng, raw):
        self.announce(rng, rng.choice((b"* CAPABILITY", b"* capability")))
        self.emit(self.tag + b" OK " + rng.choice(TEXTS))

    def login(self, rng):
        if self.authenticated or rng.random() < 0.2:
            self.emit(self.tag + rng.choice((b" NO [AUTHENTICATIONFAILED] no {5}", b" BAD [CLIENTBUG] x")))
        else:
            self.authenticated = True
            style = rng.choice(("code", "untagged", "none"))
            if style == "code":
                self.announce(rng, self.tag + b" OK [CAPABILITY", b"] Logged in {3}")
            elif style == "untagged":
                self.announce(rng, b"* CAPABILITY")
            if style != "code":
                self.emit(self.tag + b" OK Logged in")
        self.login_ends = self.said
        self.mode = "command"

    def do_login(self, rng, raw):
        self.before_login(raw)
        self.login(rng)

    def do_authenticate(self, rng, raw):
        self.before_login(raw)
        self.challenges = rng.randint(0, 2)
        if self.authenticated or rng.random() < 0.1:
            self.emit(self.tag + b" NO no {3}")
        elif raw.count(b" ") > 2 and not self.challenges:
            self.login(rng)
        else:
            self.mode = "sasl"
            self.login_ends = 1 << 60
            self.challenge(rng)

    def challenge(self, rng):
        self.emit(rng.choice((b"+ ", b"+ VXNlcm5hbWU6", b"+ DONE", b"+ " + b"AAAA" * 50)))

    def take_sasl(self, rng, line):
        self.commands[-1].raw += line
        self.challenges -= 1
        if line == b"*\r\n":
            self.emit(self.tag + b" BAD cancelled {3}")
            self.mode, self.login_ends = "command", self.said
        elif self.challenges > 0:
            self.challenge(rng)
        else:
            self.login(rng)

    def do_idle(self, rng, raw):
        if not self.idles:
            return self.emit(self.tag + b" BAD no IDLE {4}")
        self.mode = "idle"
        self.emit(b"+ " + rng.choice((b"idling", b"idling {3}")))
        return [self.unsolicited(rng) for _ in range(3)]

    def take_idle(self, rng, line):
        require(line.upper() == b"DONE\r\n", "foreign command", "in IDLE:", line)
        self.commands[-1].raw += line
        self.mode = "command"
        self.unsolicited(rng)
        self.tagged(rng, self.tag)

    def do_logout(self, rng, raw):
        self.emit(b"* BYE Logging out {5}")
        self.emit(self.tag + b" OK done")
        self.closed = True

    def do_unauthenticate(self, rng, raw):
        if self.tagged(rng, self.tag, 0.8 if self.authenticated else 0):
            self.authenticated = False
            self.login_ends = 0

    def do_fetch(self, rng, raw):
        for n in range(rng.randint(0, 3)):
            self.emit(b"* %d FETCH (" % (n + 1) + b" ".join(self.item(rng) for _ in range(rng.randint(1, 4))) + b")")
        self.tagged(rng, self.tag)

    do_uid = do_search = do_store = do_fetch

    @staticmethod
    def item(rng):
        content = b"\r\n".join(dialogue.content_lines(rng)) + rng.choice((b"", b"\r\n", b"\n", b"\0", b"{5}\r\n"))
        return rng.choice((b"UID 5", b'ENVELOPE ("x {3}" "* CAPABILITY STARTTLS" NIL "a\\"{4}")', b"FLAGS (\\Seen)",
                           b"BODY[] {%d}\r\n" % len(content) + content, b"BINARY[1] ~{%d}\r\n" % len(content) + content,
                           b"BODY[TEXT] {0}\r\n"))

    def do_list(self, rng, raw):
        for _ in range(rng.randint(0, 3)):
            self.emit(rng.choice((b'* LIST () "/" INBOX', b'* LIST () "/" {9}\r\nbox {5}\r\n', b'* LIST () "/" "x {5}"',
                                  b'* LIST (\\Noselect) NIL {4}\r\nID ( ("CHILDINFO" ("SUBSCRIBED"))')))
        self.tagged(rng, self.tag)

    def plain(self, rng, raw):
        self.tagged(rng, self.tag)

    do_noop = do_check = do_select = do_append = do_notify = do_lsub = plain

    def do_enable(self, rng, raw):
        self.emit(b"* ENABLED UTF8=ACCEPT")
        self.tagged(rng, self.tag)
