# SPDX-License-Identifier: BSD-2-Clause
"""Submission before STARTTLS: RFC 3207 4, RFC 5321 2.4, 4.1.1 and 4.2, RFC 2034 4, RFC 6409 4.3."""
import re

import dialogue
from cleartext_client import BROWSER, STRANGERS, Rules
from dialogue import require

HOSTNAME = rb"proxy\.example\.com"
COMMANDS = (b"MAIL FROM:<a@example.com>", b"RCPT TO:<b@example.com>", b"DATA", b"RSET", b"VRFY joe", b"EXPN list",
            b"HELP", b"AUTH LOGIN", b"AUTH PLAIN AHRlc3QAdGVzdA==", b"BDAT 0 LAST", b"ETRN x", b"BURL imap://x LAST",
            b"CLIENT tls=FORGED", b"XFORWARD NAME=x", b"XCLIENT ADDR=1", b"MAIL FROM:<> SIZE=1 BODY=8BITMIME")
KNOWN = {text.split(b" ")[0] for text in COMMANDS}
GARBAGE = (b"", b" ", b" STARTTLS", b"\tSTARTTLS", b"STARTTLS\tx", b"\xff\xfe", b"GET / HTTP/1.1", b".",
           b"AHRlc3QAdGVzdA==", b"*", b"Host: a", b"\x0bSTARTTLS", b"220", b"NO\xc3\x96P", b"\t")
WRONG = (b"%s\0", b"%s\r", b"\0%s", b"%s\rx", b"%s \0", b"\r%s", b"%s\r\r", b"\0\r%s", b"MAIL FROM:<a\r%s>", b"NOOP\r%s")
WHOM = (b"", b" ", b" a b", b" \xc3\xa9", b" <x>", b" " + b"a" * 600)
NOBODYS = (b"FOO", b"TURN", b"STARTTLSX", b"STLS", b"CAPA", b"NOOPX y", b"a STARTTLS", b"LHLO x", b"USER joe")
SYNTAX = {"500": "refused", "501": "refused"}
NO = {"530": "refused"}
DOMAIN = re.compile(rb"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[A-Za-z0-9.:]+\]")
# What a proxy can know without a server. Without STARTTLS there is no AUTH, and DEEP is for behind it.
MAY_ANNOUNCE = {b"STARTTLS", b"PIPELINING", b"ENHANCEDSTATUSCODES", b"8BITMIME", b"SMTPUTF8"}


class Submission(Rules):
    SERVED = ("capability", "noop", "capability", "noop", "helo", "noop_text")
    REFUSED = ("refused", "refused", "refused", "unknown", "wrong", "arguments", "odd", "odd", "odd", "garbage",
               "lookalikes", "burst", "greet_whom")

    def __init__(self, world):
        super().__init__(world)
        self.codes_announced = False

    def expect(self, line):
        if BROWSER.fullmatch(line):
            return {"word": "client-error"}
        if re.search(rb"[\r\0]", line):
            return SYNTAX
        # RFC 5321 4.1.1: white space before the line end SHOULD be tolerated. A tab for a blank may be.
        name, blank, arguments = line.rstrip(b" \t").partition(b" ")
        if b"\t" in name:
            return NO | SYNTAX | {"502": "refused"} | self.expect(line.replace(b"\t", b" "))
        name = name.upper()
        if name in (b"EHLO", b"HELO"):
            return self.expect_ehlo(name, arguments)
        if name == b"NOOP":
            return {"250": "open"} | (SYNTAX if re.search(rb"[^ -~]", line) else {})
        if name in (b"STARTTLS", b"QUIT"):
            # The rule of its own is for take_answer.
            return self.expect_bare(name, blank) | ({"501": "refused"} if line[-1:] in b" \t" else {})
        if name in KNOWN:
            return NO if line.rstrip(b" \t") in COMMANDS else NO | SYNTAX
        return NO | SYNTAX | {"502": "refused"}

    @staticmethod
    def expect_ehlo(name, arguments):
        served = {"list" if name == b"EHLO" else "250": "open"}
        return served if DOMAIN.fullmatch(arguments) else served | {"501": "refused"}

    @staticmethod
    def expect_bare(name, blank):
        """RFC 3207 4: STARTTLS has no parameters; with one it is a 501."""
        served = {"220": "starttls"} if name == b"STARTTLS" else {"221": "logout"}
        if not blank:
            return served
        return {"501": "refused"} if name == b"STARTTLS" else served | {"501": "refused"}

    def take_answer(self, client, line):
        reply = client.line()
        require(reply, "answer", "none to", line)
        if reply.startswith(b"250-") or (reply.startswith(b"250 ") and line[:4].upper() == b"EHLO"):
            self.check_list(client, reply)
            return "list"
        self.check_form(reply, line[:4].upper() in (b"EHLO", b"HELO"))
        bare = line.upper().rstrip(b" ") in (b"STARTTLS", b"QUIT")
        require(not (bare and reply.startswith(b"501")), "trailing white space", "", line, reply)
        return "word" if reply.startswith(b"421") else reply[:3].decode()

    def check_form(self, reply, greets=False):
        """RFC 5321 4.2: text of one line, 512 octets; RFC 2034 4: a code of the same class, in all but what greets."""
        form = re.fullmatch(rb"([2-5])\d\d ([245]\.\d{1,3}\.\d{1,3} )?[ -~]+\r\n", reply)
        require(form and len(reply) <= 512, "form", "", reply)
        require(not form[2] or form[2][:1] == form[1], "form", "classes differ:", reply)
        require(form[2] or greets or not self.codes_announced, "form", "no enhanced code:", reply)

    def check_list(self, client, first):
        lines = [first]
        while lines[-1].startswith(b"250-"):
            lines.append(client.line())
            require(lines[-1] and re.fullmatch(rb"250[ -][!-~]+(?: [!-~]+)*\r\n", lines[-1]), "EHLO", "", *lines)
        require(re.match(rb"250-%s[ \r]" % HOSTNAME, first), "EHLO", "not our name:", first)
        words = [line[4:-2].upper() for line in lines[1:]]
        require(b"STARTTLS" in words and len(set(words)) == len(words) and set(words) <= MAY_ANNOUNCE, "EHLO", "", *words)
        self.codes_announced |= b"ENHANCEDSTATUSCODES" in words

    def check_greeting(self, reply):
        self.check_form(reply, True)
        require(re.match(rb"220 %s[ \r]" % HOSTNAME, reply), "greeting", "", reply)

    @staticmethod
    def is_word(octets):
        return octets.startswith(b"421 ")

    # ---- items ----

    def capability(self, rng):
        whom = rng.choice((b"client.example.com", b"[192.0.2.1]", b"[IPv6:2001:db8::1]", b"pc"))
        return dialogue.letter_case(rng, b"EHLO") + b" " + whom

    def noop(self, rng):
        return dialogue.letter_case(rng, b"NOOP")

    def starttls(self, rng):
        return dialogue.letter_case(rng, b"STARTTLS")

    def logout(self, rng):
        return dialogue.letter_case(rng, b"QUIT")

    def item_helo(self, rng):
        return self.line(rng, dialogue.letter_case(rng, b"HELO") + b" client.example.com")

    def item_noop_text(self, rng):
        return self.line(rng, b"NOOP " + rng.choice((b"STARTTLS", b"x y", b"", b" ", b"\t")))

    def item_greet_whom(self, rng):
        return self.line(rng, rng.choice((b"EHLO", b"HELO")) + rng.choice(WHOM))

    def item_refused(self, rng):
        return self.line(rng, rng.choice(COMMANDS) + rng.choice((b"", b"", b"", b" ")))

    def item_unknown(self, rng):
        return self.line(rng, rng.choice((*NOBODYS, *KNOWN)))

    def item_wrong(self, rng):
        return self.line(rng, rng.choice(WRONG) % rng.choice((b"STARTTLS", b"NOOP", b"QUIT", b"EHLO x")))

    def item_arguments(self, rng):
        arguments = rng.choice((b" ", b"  ", b"\t", b" x", b" x y", b" \t", b"  x"))
        return self.line(rng, rng.choice((b"STARTTLS", b"QUIT")) + arguments)

    def item_garbage(self, rng):
        return self.line(rng, rng.choice(GARBAGE + STRANGERS))
