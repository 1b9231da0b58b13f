# SPDX-License-Identifier: BSD-2-Clause
"""
POP3 as it has to be before every server. A mixin: a class that is a common.Case as well runs it, and says what its
server shows.
"""

import hashlib
import re

import sasl
from common import MEGABYTES_2, PASSWORD, USER, digest, message, until
from shown import Assertions

LOGIN = f"USER {USER}\r\n".encode(), f"PASS {PASSWORD}\r\n".encode()
DOTS = b".\r\n..\r\n.CAPA\r\n.\r\nDEEP x\r\n+OK\r\n. \r\n"


def answer(client, command):
    """The lines of a multi-line answer, without the status and the end."""
    return [line.decode().rstrip("\r\n") for line in client.ask(command, b".\r\n")[1:-1]]


class Pop3Tests(Assertions):
    greeting = ""       # its whole line
    shows = {}          # place: Shown; the places are before and after (login)
    auth_list = None    # what AUTH without an argument lists; None: it does not

    def offers(self, mechanism):
        line = next((line for line in self.shows["before"].clear if line.startswith("SASL ")), "")
        return mechanism in line.split()[1:]

    def greeted(self, source="127.0.0.1", at=None):
        client = self.raw("pop3", source, at=at)
        return client, client.line()

    def log_in(self, client):
        """A server that lets one session into the mailbox may not have noticed yet that the last one ended."""
        client.ask(LOGIN[0], b"+OK")
        until("the maildrop", lambda: client.ask(LOGIN[1], b"+OK", b"-ERR")[-1].startswith(b"+OK")
              or client.ask(LOGIN[0], b"+OK") and None)

    def logged_in(self, source="127.0.0.1", at=None):
        client, _ = self.greeted(source, at)
        self.log_in(client)
        return client

    def quit(self, client):
        client.send(b"QUIT\r\n")
        self.assertRegex(client.rest().splitlines()[-1], rb"^\+OK")

    # ---- what is shown ----

    def test_greeting_and_capa(self):
        pair = self.in_clear("pop3"), self.raw("pop3")
        self.assert_greeting(self.greeting, *[client.line() for client in pair])
        self.assert_shown(self.shows["before"], *[answer(client, b"CAPA\r\n") for client in pair])
        after = []
        for client in pair:
            self.log_in(client)
            after.append(answer(client, b"CAPA\r\n"))
            self.quit(client)
        self.assert_shown(self.shows["after"], *after)

    def test_auth_alone_is_a_list_where_the_server_has_one(self):
        for client in (self.in_clear("pop3"), self.raw("pop3")):
            client.line()
            if self.auth_list is None:
                client.ask(b"AUTH\r\n", b"-ERR")
            else:
                self.assertEqual(answer(client, b"AUTH\r\n"), self.auth_list.split())
            client.ask(b"CAPA\r\n", b".\r\n")

    # ---- logins ----

    def test_user_and_pass(self):
        client = self.logged_in()
        client.ask(b"STAT\r\n", b"+OK")
        self.quit(client)

    def test_apop(self):
        """Refused where the greeting has no timestamp."""
        client, greeting = self.greeted()
        stamp = re.search(rb"<[^>]+>", greeting)
        told = hashlib.md5((stamp[0] if stamp else b"") + PASSWORD.encode()).hexdigest()
        reply = client.ask(f"APOP {USER} {told}\r\n".encode(), b"+OK", b"-ERR")[-1]
        self.assertEqual(reply[:3] == b"+OK", stamp is not None, reply)
        self.quit(client)

    def test_auth(self):
        """Each mechanism that the server offers, and that a client of a few lines can do."""
        for mechanism in sasl.STEPS:
            if self.offers(mechanism):
                with self.subTest(mechanism=mechanism):
                    client, _ = self.greeted()
                    sasl.exchange(client, b"AUTH", mechanism, b"+ ", b"+OK")
                    client.ask(b"STAT\r\n", b"+OK")
                    self.quit(client)

    def test_auth_with_initial_response(self):
        client, _ = self.greeted()
        client.ask(b"AUTH PLAIN " + sasl.PLAIN, b"+OK")
        client.ask(b"STAT\r\n", b"+OK")
        self.quit(client)

    def test_auth_given_up(self):
        client, _ = self.greeted()
        client.ask(b"AUTH PLAIN\r\n", b"+ ")
        client.ask(b"*\r\n", b"-ERR")
        self.log_in(client)
        self.quit(client)

    def test_wrong_password(self):
        client, _ = self.greeted()
        client.ask(LOGIN[0], b"+OK")
        client.ask(b"PASS wrong\r\n", b"-ERR")
        self.log_in(client)
        self.quit(client)

    # ---- what is not passed on ----

    def test_stls_and_xclient_are_refused(self):
        for command in (b"STLS\r\n", b"XCLIENT ADDR=198.51.100.66\r\n", b"XOIP 198.51.100.66\r\n"):
            client, _ = self.greeted("127.0.0.3")
            self.assertTrue(client.ask(command, b"-ERR", b"+OK")[0].startswith(b"-ERR"), command)
            self.log_in(client)
            self.quit(client)
        self.assertNotIn("198.51.100.66", self.servers.logs["pop3"].read_text())

    # ---- carrying ----

    def test_dots_and_lines_that_look_like_protocol(self):
        self.put(message("dots by POP3").replace(b"Hello.\r\n", DOTS))
        client = self.logged_in()
        last = re.match(rb"\+OK (\d+)", client.ask(b"STAT\r\n", b"+OK")[-1])[1]
        found = [body for number in range(1, int(last) + 1)
                 if b"Subject: dots by POP3\r\n" in (body := client.ask(b"RETR %d\r\n" % number, b".\r\n"))]
        text = b"".join(line[1:] if line.startswith(b".") else line for line in found[0][1:-1])
        self.assertEqual(text.partition(b"\r\n\r\n")[2], DOTS)
        self.quit(client)

    def test_pipelining(self):
        """Once logged in: a server that changes processes at PASS may lose what is glued to it."""
        self.put(message("for pipelining"))
        client = self.logged_in()
        client.send(b"STAT\r\nLIST\r\nLIST 1\r\nCAPA\r\nRETR 1\r\nUIDL\r\nUIDL 1\r\nTOP 1 0\r\nNOOP\r\nQUIT\r\n")
        text = client.rest()
        self.assertEqual(text.count(b"\r\nDEEP tls11 "), 1)
        self.assertEqual(text.count(b"\r\n.\r\n"), 5)
        self.assertTrue(text.splitlines()[-1].startswith(b"+OK"))

    def test_megabytes_down(self):
        sent = message("megabytes by POP3", MEGABYTES_2, seed=12)
        self.put(sent)
        client = self.logged_in()
        last = int(re.match(rb"\+OK (\d+)", client.ask(b"STAT\r\n", b"+OK")[-1])[1])
        line = b"Subject: megabytes by POP3\r\n"
        number = next(number for number in range(last, 0, -1) if line in client.ask(b"TOP %d 0\r\n" % number, b".\r\n"))
        lines = client.ask(b"RETR %d\r\n" % number, b".\r\n")[1:-1]
        received = b"".join(line[1:] if line.startswith(b".") else line for line in lines)
        self.assertEqual((len(received), digest(received)), (len(sent), digest(sent)))
        self.quit(client)

    # ---- ends ----

    def test_quit(self):
        """The answer, close_notify, and the end: without close_notify the last would be an error."""
        client, _ = self.greeted()
        client.send(b"QUIT\r\n")
        self.assertEqual([line[:3] for line in client.rest().splitlines()], [b"+OK"])

    def test_server_that_stops(self):
        with self.start_servers(self.folder / "stopping") as servers:
            with self.start_proxy({"pop3": [f"127.0.0.1:{servers.ports['pop3']}"]}) as own:
                client = self.logged_in(at=own)
                servers.stop()
                # POP3 has no words that nobody asked for; Dovecot has some all the same.
                self.assertRegex(client.rest(), rb"^(-ERR \[SYS/TEMP\] [^\r\n]+\r\n)?$")
                late, greeting = self.greeted(at=own)
                self.assertRegex(greeting, rb"^-ERR \[SYS/TEMP\] .")
                self.assertEqual(late.rest(), b"")
