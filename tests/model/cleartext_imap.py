# SPDX-License-Identifier: BSD-2-Clause
"""IMAP before STARTTLS: RFC 3501 2.2.1, 6.1, 6.2.1 and 7.1, RFC 9051 7.1, RFC 2595 3, RFC 5530, RFC 7888."""
import re

import dialogue
from cleartext_client import BROWSER, LITERAL_MAX, STRANGERS, Rules
from dialogue import require

# RFC 3501 9: ASTRING-CHAR less "+"; ATOM-CHAR.
TAG = rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+"
ATOM = rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+"
COMMAND = re.compile(rb"(%s) (%s)( .*)?" % (TAG, ATOM), re.S)
# The longest one that must be given back: no RFC has a limit, but the proxy may.
TAG_MAX = 64
# With the arguments that they must have.
REFUSED = (b"LOGIN joe secret", b'LOGIN "joe" "se\\"cret"', b"AUTHENTICATE PLAIN",
           b"AUTHENTICATE PLAIN AGpvZQBzZWNyZXQ=", b"SELECT INBOX", b"EXAMINE INBOX", b"CREATE x", b"DELETE x",
           b"RENAME x y", b"SUBSCRIBE x", b"UNSUBSCRIBE x", b'LIST "" "*"', b'LSUB "" "%"', b"NAMESPACE",
           b"STATUS INBOX (MESSAGES)", b"APPEND INBOX {5}", b"ENABLE CONDSTORE", b"IDLE", b"CHECK", b"CLOSE",
           b"UNSELECT", b"EXPUNGE", b"SEARCH ALL", b"FETCH 1 FLAGS", b"UID FETCH 1 FLAGS", b"STORE 1 +FLAGS (\\Seen)",
           b"COPY 1 x", b"MOVE 1 x", b"ID NIL", b'ID ("tls" "FORGED" "name" "x")', b"LOGIN {3}",
           b"AUTHENTICATE SCRAM-SHA-1 {70000}", b"LOGIN joe {0}")
KNOWN = {text.split(b" ")[0] for text in REFUSED}
SERVED = {b"CAPABILITY": ("capability", "open"), b"NOOP": ("ok", "open"), b"LOGOUT": ("logout", "logout"),
          b"STARTTLS": ("ok", "starttls")}
WORDS = {b"IMAP4REV1", b"STARTTLS", b"LOGINDISABLED"}
OPTIONAL = {b"IMAP4REV2", b"LITERAL+", b"LITERAL-"}
UNKNOWN = (b"FOO", b"XLIST x", b"STLS", b"EHLO x", b"LOGIN", b"UID", b"DEEP", b"STARTTLSX", b"NOOPNOOP", b"CAPA",
           b"QUIT", b"LOGOUT{3}", b"OK x")
GARBAGE = (b"", b" ", b"NOOP", b"* NOOP", b"+ STARTTLS", b" a STARTTLS", b"a  NOOP", b"\xff\xfe", b"GET / HTTP/1.1",
           b"DONE", b'"a" NOOP', b"(", b"a", b"a ", b"a\tNOOP", b"a+b NOOP", b"%a NOOP", b"{3} NOOP",
           b"AGpvZQBzZWNyZXQ=", b"a NOOP\tx", b"a NO\xc3\x96P", b"Host: a", b"a\\b NOOP")
WRONG = (b"%s\0", b"%s\r", b"\0%s", b"%s\rx", b"%s \0", b"\r%s", b"%s\r\r", b"\r%s\0", b"LOGIN \0 %s", b"%s\r ")
ARGUMENTS = (b"", b" ", b"x", b"x y", b"()", b"{3}", b'"', b"\xc3\xa9")
WITH_LITERALS = (b"LOGIN", b"LOGIN", b"APPEND INBOX", b"STARTTLS", b"NOOP", b"LOGOUT", b"FOO", b"ID", b"UID SEARCH TEXT")
# Each of them ends where a literal begins, and begins where one ends.
PIECES = (b"", b" ", b" joe ", b"STARTTLS", b'"x" ')


def tag_of(line):
    tag = line.split(b" ")[0]
    return tag if re.fullmatch(TAG, tag) else None


def check_capabilities(words, response):
    words = words.upper().split(b" ")
    require(len(set(words)) == len(words), "capabilities", "twice:", response)
    require(WORDS <= set(words) <= WORDS | OPTIONAL, "capabilities", "missing, or too much:", response)


class Imap(Rules):
    SERVED = ("capability", "noop", "capability", "noop", "long_tag")
    REFUSED = ("refused", "refused", "refused", "unknown", "wrong", "arguments", "literals", "literals", "literals", "odd",
               "odd", "odd", "garbage", "lookalikes", "burst", "octets_of_literal")
    FATAL = (*Rules.FATAL, "huge_literal", "largest_literal")

    def __init__(self, world):
        super().__init__(world)
        self.tags = 0

    # ---- what must be answered ----

    def expect(self, line):
        tag, command = tag_of(line), COMMAND.fullmatch(line)
        bad = {"untagged bad": "refused"} | ({"bad": "refused"} if tag else {})
        if BROWSER.fullmatch(line):
            return {"word": "client-error"}
        if re.search(rb"[\r\0]", line) or not command:
            return bad
        return self.expect_command(line, command[2].upper(), command[3] or b"") | (bad if len(tag) > TAG_MAX else {})

    def expect_command(self, line, name, arguments):
        if name in SERVED:
            kind, follows = SERVED[name]
            return ({kind: follows} if not arguments.strip(b" ") else {}) | ({"bad": "refused"} if arguments else {})
        # A word of no specification may be no command.
        known = name + arguments in REFUSED or (self.literal(line) is not None and name in KNOWN)
        return {"no": "refused"} | ({} if known else {"bad": "refused"})

    def literal(self, line):
        literal = re.search(rb"\{(\d+)\+\}$", line)
        return int(literal[1]) if literal else None

    def take_answer(self, client, line):
        response, tag = client.line(), tag_of(line)
        require(response, "answer", "none to", line)
        self.check_form(response)
        head, word, text = response[:-2].split(b" ", 2)
        if (head, word) == (b"*", b"CAPABILITY"):
            check_capabilities(response[len(b"* CAPABILITY "):-2], response)
            return self.take_tagged_ok(client, tag, "capability")
        if (head, word) == (b"*", b"BYE"):
            return self.take_tagged_ok(client, tag, "logout") if client.inbox else "word"
        if (head, word) == (b"*", b"BAD"):
            return "untagged bad"
        require(tag and head == tag, "tag", "not the command's:", line, response)
        require((word == b"NO") == text.startswith(b"[PRIVACYREQUIRED] "), "PRIVACYREQUIRED", "", line, response)
        return word.decode().lower()

    def take_tagged_ok(self, client, tag, kind):
        response = client.line()
        require(response and tag and response.startswith(tag + b" OK "), "answer", f"no OK behind {kind}:", response)
        self.check_form(response)
        return kind

    @staticmethod
    def check_form(response):
        """RFC 3501 9: resp-text has text, of TEXT-CHAR; lines end in CRLF."""
        require(re.fullmatch(rb"[!-~]+ [A-Z]+ [ -~]+\r\n", response), "form", "", response)
        require(re.match(rb"\* (CAPABILITY|BAD|BYE|OK) |%s (OK|NO|BAD) " % TAG, response), "form", "", response)

    def check_greeting(self, response):
        self.check_form(response)
        greeting = re.match(rb"\* OK (?:\[CAPABILITY ([^\]]+)\] )?[^\[]", response)
        require(greeting, "greeting", "", response)
        if greeting[1]:
            check_capabilities(greeting[1], response)

    @staticmethod
    def is_word(octets):
        return octets.startswith(b"* BYE ")

    # ---- items ----

    def tagged(self, rng, text):
        self.tags += 1
        name, blank, rest = text.partition(b" ")
        tag = rng.choice((b"a%d", b"A%03d", b"x.%d", b"%d", b"]%d")) % self.tags
        return tag + b" " + dialogue.letter_case(rng, name) + blank + rest

    def capability(self, rng):
        return self.tagged(rng, b"CAPABILITY")

    def noop(self, rng):
        return self.tagged(rng, b"NOOP")

    def starttls(self, rng):
        return self.tagged(rng, b"STARTTLS")

    def logout(self, rng):
        return self.tagged(rng, b"LOGOUT")

    def item_long_tag(self, rng):
        return self.line(rng, b"t" * rng.randint(10, 60) + self.noop(rng))

    def item_refused(self, rng):
        return self.line(rng, self.tagged(rng, rng.choice(REFUSED)))

    def item_unknown(self, rng):
        return self.line(rng, self.tagged(rng, rng.choice(UNKNOWN)))

    def item_wrong(self, rng):
        return self.line(rng, self.tagged(rng, rng.choice(WRONG) % rng.choice(tuple(SERVED))))

    def item_arguments(self, rng):
        return self.line(rng, self.tagged(rng, rng.choice(tuple(SERVED)) + b" " + rng.choice(ARGUMENTS)))

    def item_garbage(self, rng):
        return self.line(rng, rng.choice(GARBAGE + STRANGERS))

    # ---- literals ----

    def item_literals(self, rng):
        """Of a command that is refused for what it is, or for having any; content that reads as commands."""
        octets = self.tagged(rng, rng.choice(WITH_LITERALS) + b" ")
        for _ in range(rng.choice((1, 1, 2, 3, 5))):
            content = rng.choice((b"", b"joe", self.item_noop(rng) + self.item_starttls(rng), b"\0\r\n\n", b"{5+}\r\n",
                                  b"x" * rng.choice((5000, 12000)), b"\n" * rng.randint(1, 20), self.item_noop(rng)[:-1]))
            head = b"%s{%0*d+}" % (rng.choice((b"", b"~")), rng.choice((1, 1, 9)), len(content))
            octets += self.line(rng, head) + content + rng.choice(PIECES)
        return self.line(rng, octets)

    def item_octets_of_literal(self, rng):
        """A literal that nobody has asked for: it was refused, and the octets are lines."""
        return self.line(rng, self.tagged(rng, b"LOGIN {3}")) + self.line(rng, rng.choice((b"joe", b"", self.noop(rng))))

    def item_largest_literal(self, rng):
        content = b"x" * LITERAL_MAX
        return self.line(rng, self.tagged(rng, b"LOGIN {%d+}" % len(content))) + self.line(rng, content)

    def item_huge_literal(self, rng):
        size = rng.choice((LITERAL_MAX + 1, 100000, 2 ** 31, 2 ** 32 + 5, 2 ** 63, 2 ** 64, 2 ** 64 + 3, 10 ** 30))
        return self.line(rng, self.tagged(rng, b"APPEND INBOX {%d+}" % size)) + self.item_noop(rng)
