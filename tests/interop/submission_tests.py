# SPDX-License-Identifier: BSD-2-Clause
"""
Submission as it has to be before every server. A mixin: a class that is a common.Case as well runs it, says what its
server shows, and finds what it delivered: by find_message(subject), as soon as it is there, and messages(), all so far.
"""

import re

import sasl
from common import ADDRESS, MEGABYTES_2, digest, message, odd_octets
from shown import Assertions

EHLO = b"EHLO client.test\r\n"
ENVELOPE = f"MAIL FROM:<{ADDRESS}>\r\n".encode(), f"RCPT TO:<{ADDRESS}>\r\n".encode()
# What this or that server took for the end of a message (CVE-2023-51764 and its like), and the end itself.
FALSE_ENDS = (
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n",
    b"\r\n.\0\r\n", b"\r\n.\0x\r\n",
)


class SubmissionTests(Assertions):
    greeting = ""      # its whole line
    shows = {}         # place: Shown of the lines behind EHLO's first; the places are before and after (AUTH)
    ehlo_name = ""     # EHLO's first line
    ehlo_again = True  # whether EHLO may come a second time
    needs_auth = True
    line_end = b"\r\n"  # of a message as find_message() gives it

    def offers(self, keyword):
        return any(line.split()[0] == keyword for line in self.shows["before"].clear)

    def greeted(self, source="127.0.0.1", at=None):
        client = self.raw("submission", source, at=at)
        return client, client.line()

    def logged_in(self, source="127.0.0.1", at=None):
        client, _ = self.greeted(source, at)
        client.ask(EHLO, b"250 ")
        if self.needs_auth:
            client.ask(b"AUTH PLAIN " + sasl.PLAIN, b"235")
        return client

    def envelope(self, client):
        for command in ENVELOPE:
            client.ask(command, b"250")

    def assert_delivered(self, subject, body):
        received = self.find_message(subject).partition(self.line_end * 2)[2]
        expected = body.replace(b"\r\n", self.line_end)
        self.assertEqual((len(received), digest(received)), (len(expected), digest(expected)))

    # ---- what is shown ----

    def ehlo(self, client):
        lines = [line[4:].decode().rstrip("\r\n") for line in client.ask(EHLO, b"250 ")]
        self.assertEqual(lines[0], self.ehlo_name)
        return lines[1:]

    def test_greeting_and_ehlo(self):
        pair = self.in_clear("submission"), self.raw("submission")
        self.assert_greeting(self.greeting, *[client.line() for client in pair])
        self.assert_shown(self.shows["before"], *[self.ehlo(client) for client in pair])
        if not self.ehlo_again:
            for client in pair:
                client.ask(EHLO, b"503")
            return
        self.assert_shown(self.shows["before"], *[self.ehlo(client) for client in pair])
        for client in pair:
            client.ask(b"AUTH PLAIN " + sasl.PLAIN, b"235")
        self.assert_shown(self.shows["after"], *[self.ehlo(client) for client in pair])

    def test_helo(self):
        """It has no extensions; EHLO may follow."""
        client, _ = self.greeted()
        self.assertEqual(len(client.ask(b"HELO client.test\r\n", b"250 ")), 1)
        if self.ehlo_again:
            client.ask(b"HELO client.test\r\n", b"250 ")
            self.assertIn(self.shows["before"].added[0], self.ehlo(client))
        client.ask(b"NOOP\r\n", b"250")

    def test_client_command(self):
        client = self.logged_in("127.0.0.2")
        client.ask(b"CLIENT name=tester version=1.5 latch=tls11,tls-cert security-tags=tls12\r\n", b"250")
        client.ask(b"CLIENT latch=,\r\n", b"501")
        client.ask(b"CLIENT\r\n", b"501")
        client.ask(b"NOOP\r\n", b"250")
        client.ask(b"QUIT\r\n", b"221")
        client.close()
        line = self.session_of("127.0.0.2", "submission")
        self.assertEqual((line["client_name"], line["client_version"]), ("tester", "1.5"))
        self.assertEqual((line["latch"].replace(",", " "), line["security_tags"]), ("tls11 tls-cert", "tls12"))
        self.assertNotIn("CLIENT", self.servers.logs["submission"].read_text())

    # ---- what is not passed on ----

    def test_starttls_xclient_xforward_are_refused(self):
        client = self.logged_in("127.0.0.3")
        for command in (b"STARTTLS\r\n", b"XCLIENT ADDR=198.51.100.66\r\n", b"XFORWARD ADDR=198.51.100.66\r\n"):
            client.ask(command, b"5")
        client.ask(b"NOOP\r\n", b"250")
        self.assertNotIn("198.51.100.66", self.servers.logs["submission"].read_text())

    # ---- carrying ----

    def test_megabytes_by_data(self):
        body = odd_octets(MEGABYTES_2, seed=4)
        client = self.logged_in()
        self.envelope(client)
        client.ask(b"DATA\r\n", b"354")
        stuffed = re.sub(rb"(?m)^\.", b"..", body.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        client.ask(message("megabytes by DATA").partition(b"Hello")[0] + stuffed + b".\r\n", b"250")
        self.assert_delivered("megabytes by DATA", body)

    def test_end_of_data_is_nothing_but_crlf_dot_crlf(self):
        body = b"dots\r\n..\r\n...\r\n....and more\r\n.. \r\n"
        client = self.logged_in()
        self.envelope(client)
        client.ask(b"DATA\r\n", b"354")
        client.send(message("dots").partition(b"Hello")[0] + body)
        client.ask(b".\r\n", b"250")
        self.assert_delivered("dots", b"".join(line[1:] if line.startswith(b".") else line
                                               for line in body.splitlines(True)))

    def test_smuggling(self):
        """Whatever looks like an end, the server has one message, or none, and one answer for it."""
        for number, end in enumerate(FALSE_ENDS):
            with self.subTest(end=end):
                client = self.logged_in()
                self.envelope(client)
                client.ask(b"DATA\r\n", b"354")
                within = end + b"".join(ENVELOPE) + b"DATA\r\nSubject: smuggled\r\n\r\nSmuggled.\r\n.\r\n"
                client.send(message(f"smuggler {number}") + b"text" + within)
                told = client.line()
                client.ask(b"NOOP\r\n", b"250 ")
                client.send(b"QUIT\r\n")
                self.assertEqual([line[:4] for line in client.rest().splitlines()], [b"221 "])
                if told.startswith(b"250"):
                    self.assertIn(b"Smuggled.", self.find_message(f"smuggler {number}"))
                else:
                    self.assertRegex(told, rb"^[45]\d\d ")
        heads = [text.replace(b"\r\n", b"\n").partition(b"\n\n")[0] for text in self.messages()]
        self.assertFalse([head for head in heads if b"\nSubject: smuggled" in b"\n" + head])

    def test_refused_bdat_takes_its_octets_all_the_same(self):
        """Without an envelope; and where the server has no CHUNKING."""
        client = self.logged_in()
        client.ask(b"BDAT 12 LAST\r\nQUIT\r\nNOOP\r\n", b"5")
        client.ask(b"NOOP\r\n", b"250")

    def test_pipelining(self):
        client = self.logged_in()
        commands = *ENVELOPE, b"CLIENT name=x\r\n", b"RCPT TO:<a@example.com>\r\n", b"DATA\r\n"
        if self.offers("PIPELINING"):
            client.send(b"".join(commands))
            codes = [client.line()[:1] for _ in commands]
        else:
            codes = [client.ask(command, b"")[0][:1] for command in commands]
        self.assertEqual(codes, [b"2", b"2", b"2", b"5", b"3"])
        client.send(b"Subject: pipelined\r\n\r\nHello.\r\n.\r\n" + b"RSET\r\nQUIT\r\n" * self.offers("PIPELINING"))
        if not self.offers("PIPELINING"):
            client.ask(b"", b"250")
            client.ask(b"RSET\r\n", b"250")
            client.send(b"QUIT\r\n")
        self.assertEqual([line[:3] for line in client.rest().splitlines()],
                         [b"250", b"250", b"221"] if self.offers("PIPELINING") else [b"221"])
        self.assertIn(b"Hello.", self.find_message("pipelined"))

    # ---- ends ----

    def test_quit(self):
        """The answer, close_notify, and the end: without close_notify the last would be an error."""
        client = self.logged_in()
        client.send(b"QUIT\r\n")
        self.assertEqual([line[:4] for line in client.rest().splitlines()], [b"221 "])

    def test_server_that_stops(self):
        with self.start_servers(self.folder / "stopping") as servers:
            with self.start_proxy({"submission": [f"127.0.0.1:{servers.ports['submission']}"]}) as own:
                client = self.logged_in(at=own)
                servers.stop()
                self.assertRegex(client.rest().splitlines()[-1], rb"^421 ")
                late, greeting = self.greeted(at=own)
                self.assertRegex(greeting, rb"^421 4\.3\.2 .")
                self.assertEqual(late.rest(), b"")


class AuthTests:
    """For a server that takes logins in clear."""

    def mechanisms(self):
        return next((line.split()[1:] for line in self.shows["before"].clear if line.startswith("AUTH ")), [])

    def test_auth(self):
        """Each mechanism that the server offers, and that a client of a few lines can do."""
        for mechanism in self.mechanisms():
            if mechanism in sasl.STEPS:
                with self.subTest(mechanism=mechanism):
                    client, _ = self.greeted()
                    client.ask(EHLO, b"250 ")
                    sasl.exchange(client, b"AUTH", mechanism, b"334 ", b"235")
                    self.envelope(client)

    def test_auth_with_initial_response(self):
        for mechanism in self.mechanisms():
            if mechanism in ("PLAIN", "LOGIN"):
                with self.subTest(mechanism=mechanism):
                    client, _ = self.greeted()
                    client.ask(EHLO, b"250 ")
                    first, *rest = sasl.STEPS[mechanism]
                    client.ask(b"AUTH " + mechanism.encode() + b" " + first, b"334 " if rest else b"235")
                    for step in rest:
                        client.ask(step, b"235")
                    self.envelope(client)

    def test_auth_given_up_and_wrong_password(self):
        client, _ = self.greeted()
        client.ask(EHLO, b"250 ")
        client.ask(b"AUTH PLAIN\r\n", b"334")
        client.ask(b"*\r\n", b"501")
        client.ask(b"AUTH PLAIN " + sasl.WRONG, b"535")
        client.ask(b"AUTH PLAIN " + sasl.PLAIN, b"235")
        self.envelope(client)


class ChunkingTests:
    """For a server with CHUNKING (RFC 3030)."""

    def test_bdat_in_chunks_that_look_like_commands(self):
        body = b"QUIT\r\n.\r\nBDAT 5 LAST\r\n..\r\n" + odd_octets(300000, seed=5)
        text = message("by BDAT").partition(b"Hello")[0] + body
        client = self.logged_in()
        self.envelope(client)
        for start in range(0, len(text), 65536):
            chunk = text[start:start + 65536]
            client.ask(b"BDAT %d\r\n" % len(chunk) + chunk, b"250")
        client.ask(b"BDAT 0 LAST\r\n", b"250")
        client.ask(b"NOOP\r\n", b"250")
        self.assert_delivered("by BDAT", body)
