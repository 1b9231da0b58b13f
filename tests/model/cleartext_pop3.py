# SPDX-License-Identifier: BSD-2-Clause
"""POP3 before STLS: RFC 1939 3, RFC 2449 3, 5 and 8, RFC 2595 4, and sections 7.2 and 11.7 of the DEEP draft."""
import re

import dialogue
from cleartext_client import BROWSER, STRANGERS, Rules
from dialogue import require

COMMANDS = (b"USER joe", b"PASS secret", b"APOP joe c4c9334bac560ecc979e58001b3e22fb", b"AUTH", b"AUTH PLAIN", b"STAT",
            b"LIST", b"AUTH PLAIN AHRlc3QAdGVzdA==", b"LIST 1", b"RETR 1", b"DELE 1", b"RSET", b"TOP 1 0", b"UIDL",
            b"LANG", b"UTF8", b"XOIP 1", b"XCLIENT ADDR=1", b"STARTTLS", b"FOO", b"DEEP tls11", b"CLIENT tls=FORGED",
            b"STLSX", b"NOOPNOOP", b"a STLS", b"EHLO x")
GARBAGE = (b"", b" ", b" STLS", b"\tSTLS", b"STLS\t", b"STLS\tx", b"\xff\xfe", b"GET / HTTP/1.1", b".",
           b"AHRlc3QAdGVzdA==", b"*", b"Host: a", b"\x0bSTLS", b"+OK", b"NO\xc3\x96P")
WRONG = (b"%s\0", b"%s\r", b"\0%s", b"%s\rx", b"%s \0", b"\r%s", b"%s\r\r", b"\0\r%s", b"USER \0 %s", b"NOOP\r%s", b"%s\r ")
SERVED = {b"CAPA": ("list", "open"), b"NOOP": ("+OK", "open"), b"QUIT": ("+OK", "logout"), b"STLS": ("+OK", "starttls")}
# What a proxy can know without a server, and what the draft wants.
MAY_ANNOUNCE = {b"STLS", b"DEEP", b"PIPELINING", b"RESP-CODES", b"AUTH-RESP-CODE", b"IMPLEMENTATION"}
CODES = (b"LOGIN-DELAY", b"IN-USE", b"SYS/TEMP", b"SYS/PERM", b"AUTH")


class Pop3(Rules):
    refusal_is_word = True
    SERVED = ("capability", "noop")
    REFUSED = ("refused", "refused", "refused", "wrong", "arguments", "odd", "odd", "odd", "garbage", "lookalikes",
               "burst")

    def expect(self, line):
        name, blank, arguments = line.partition(b" ")
        no = {"-ERR": "refused"}
        if BROWSER.fullmatch(line):
            return {"-ERR": "client-error"}
        if re.search(rb"[\r\0]", line) or name.upper() not in SERVED:
            return no
        kind, follows = SERVED[name.upper()]
        # NOOP with an argument is no command of RFC 1939, but harms nobody; so does QUIT. STLS has none (RFC 2595 4).
        lenient = not arguments.strip(b" ") or name.upper() != b"STLS"
        return ({kind: follows} if lenient else {}) | (no if blank else {})

    def take_answer(self, client, line):
        reply = client.line()
        require(reply, "answer", "none to", line)
        self.check_form(reply)
        if reply.startswith(b"+OK") and line[:4].upper() == b"CAPA":
            self.check_list(client)
            return "list"
        return reply.split()[0].decode()

    @staticmethod
    def check_form(reply):
        """RFC 1939 3: a status in upper case, at most 512 octets with the CRLF; RFC 2449 8: no code that is none."""
        form = re.fullmatch(rb"(?:\+OK|-ERR)(?: (?:\[([^\]]*)\] )?[!-Z^-~][ -~]*)?\r\n", reply)
        require(form and len(reply) <= 512, "form", "", reply)
        require(not form[1] or form[1] in CODES, "form", "response code:", reply)

    def check_list(self, client):
        lines = []
        while (line := client.line()) != b".\r\n":
            require(line and re.fullmatch(rb"[!-~]+(?: [!-~]+)*\r\n", line) and len(line) <= 512, "CAPA", "", line)
            lines.append(line[:-2])
        names = [line.split()[0].upper() for line in lines]
        require(len(set(names)) == len(names) and {b"STLS", b"DEEP"} <= set(names) <= MAY_ANNOUNCE, "CAPA", "", *lines)
        status = self.world.status.encode()
        require(b"DEEP" + (b" " + status if status else b"") in lines, "DEEP", "", *lines)

    def check_greeting(self, reply):
        """RFC 1939 4, and 7: a timestamp would announce APOP."""
        self.check_form(reply)
        require(reply.startswith(b"+OK ") and b"<" not in reply, "greeting", "", reply)

    @staticmethod
    def is_word(octets):
        return octets.startswith(b"-ERR ")

    # ---- items ----

    def capability(self, rng):
        return dialogue.letter_case(rng, b"CAPA")

    def noop(self, rng):
        return dialogue.letter_case(rng, b"NOOP")

    def starttls(self, rng):
        return dialogue.letter_case(rng, b"STLS")

    def logout(self, rng):
        return dialogue.letter_case(rng, b"QUIT")

    def item_refused(self, rng):
        name, blank, rest = rng.choice(COMMANDS).partition(b" ")
        return self.line(rng, dialogue.letter_case(rng, name) + blank + rest)

    def item_wrong(self, rng):
        return self.line(rng, rng.choice(WRONG) % rng.choice(tuple(SERVED)))

    def item_arguments(self, rng):
        return self.line(rng, rng.choice(tuple(SERVED)) + b" " + rng.choice((b"", b" ", b"x", b"x y", b"STLS")))

    def item_garbage(self, rng):
        return self.line(rng, rng.choice(GARBAGE + STRANGERS))
