# SPDX-License-Identifier: BSD-2-Clause
"""Courier: no ID, no LITERAL+, no list in the answer to LOGIN, and what is glued to a LOGIN is lost."""

import unittest

import client_tests
import imap_tests
import pop3_tests
import rooted_case
from shown import Shown

BEFORE = """IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE AUTH=CRAM-MD5
    AUTH=PLAIN ACL ACL2=UNION STARTTLS ENABLE UTF8=ACCEPT"""

CAPA = Shown.lines("""
    SASL PLAIN LOGIN CRAM-MD5
    STLS
    TOP
    USER
    LOGIN-DELAY 10
    PIPELINING
    UIDL
    UTF8 USER
    IMPLEMENTATION Courier Mail Server
    """, taken="STLS")


class Imap(imap_tests.ImapTests, rooted_case.Case):
    server = "courier"
    services = ("imap", "pop3")
    greeting = "Courier-IMAP ready. Copyright ... See COPYING for distribution information."
    shows = {
        "greeting": Shown.words(BEFORE, taken="STARTTLS", added="ID DEEP"),
        "before": Shown.words(BEFORE, taken="STARTTLS", added="ID DEEP"),
        "login": None,
        "after": Shown.words(BEFORE.replace("STARTTLS ", ""), added="ID DEEP"),
    }
    id_answer = None
    mailbox_prefix = "INBOX."

    def test_what_is_glued_to_login_is_lost_in_clear(self):
        """Why nothing of the proxy's own, nor of the client's, goes behind a LOGIN without an answer."""
        for client, answered in ((self.in_clear("imap"), []), (self.raw("imap"), [b"n OK"])):
            client.line()
            client.ask(b"a " + imap_tests.LOGIN + b"n NOOP\r\n", b"a OK")
            client.send(b"z LOGOUT\r\n")
            self.assertEqual([line[:4] for line in client.rest().splitlines()], answered + [b"* BY", b"z OK"])

    def test_no_id_reaches_it(self):
        """It would answer NO: the proxy answers alone, and what the client says of itself is in the proxy's log."""
        client, _ = self.greeted("127.0.0.2")
        client.ask(b'a ID ("name" "tester" "latch" "tls12")\r\n', b"a OK")
        client.ask(b"b " + imap_tests.LOGIN, b"b OK")
        client.send(b"c LOGOUT\r\n")
        client.rest()
        line = self.session_of("127.0.0.2", "imap")
        self.assertEqual((line["client_name"], line["latch"]), ("tester", "tls12"))


class Pop3(pop3_tests.Pop3Tests, rooted_case.Case):
    server = "courier"
    services = ("imap", "pop3")
    greeting = "+OK Hello there."
    shows = {"before": CAPA, "after": CAPA}


class Clients(client_tests.ImapClients, client_tests.Pop3Clients, rooted_case.Case):
    server = "courier"
    services = ("imap", "pop3")
    mailbox_prefix = "INBOX."


class Checks(rooted_case.ChecksCase):
    server = "courier"
    services = ("imap", "pop3")


if __name__ == "__main__":
    unittest.main(verbosity=2)
