# SPDX-License-Identifier: BSD-2-Clause
"""Dovecot's POP3: it takes PROXY v2, and many commands behind a login that it has not answered yet."""

import unittest

import common
import pop3_tests
from common import LOGIN, MEGABYTES_10, PASSWORD, SAYS, SECURED, USER, digest, message
from shown import Shown

CAPA = """
    CAPA
    TOP
    UIDL
    RESP-CODES
    PIPELINING
    AUTH-RESP-CODE
    """


class Pop3(pop3_tests.Pop3Tests, common.Case):
    greeting = "+OK " + SAYS["ready"]
    shows = {
        "before": Shown.lines(CAPA + "USER\nSASL PLAIN LOGIN CRAM-MD5"),
        "after": Shown.lines(CAPA),
    }
    auth_list = "PLAIN LOGIN CRAM-MD5"

    def test_pipelining_from_the_first_command_on(self):
        client, _ = self.greeted()
        client.send(b"".join(pop3_tests.LOGIN) + b"STAT\r\nCAPA\r\nRETR 1\r\nQUIT\r\n")
        text = client.rest()
        self.assertEqual(text.count(b"\r\nDEEP tls11 "), 1)
        self.assertEqual(text.count(b"\r\n.\r\n"), 2)
        self.assertTrue(text.splitlines()[-1].startswith(b"+OK"))

    def test_wrong_password_is_said_by_its_code(self):
        client, _ = self.greeted()
        client.ask(pop3_tests.LOGIN[0], b"+OK")
        self.assertIn(b"[AUTH]", client.ask(b"PASS wrong\r\n", b"-ERR")[0])

    def test_backend_sees_the_clients_address_over_tls(self):
        client = self.pop3("127.0.0.2")
        client.user(USER)
        client.pass_(PASSWORD)
        client.quit()
        self.in_log(self.servers.dovecot_log, "pop3-login: Info: " + LOGIN + "user=<demo>", "rip=127.0.0.2,", SECURED)
        line = self.session_of("127.0.0.2", "pop3")
        self.assertEqual((line["tls"], line["sni"], line["backend"]),
                         ("TLSv1.3", "localhost", self.addresses["pop3"][0]))
        self.assertGreater(int(line["out"]), 20)

    def test_ten_megabytes_down(self):
        sent = message("ten megabytes by POP3", MEGABYTES_10, seed=3)
        with self.imap() as client:
            client.login(USER, PASSWORD)
            self.assertEqual(client.append("INBOX", None, None, sent)[0], "OK")
        client = self.pop3()
        client.user(USER)
        client.pass_(PASSWORD)
        received = b"\r\n".join(client.retr(client.stat()[0])[1]) + b"\r\n"
        client.quit()
        self.assertEqual((len(received), digest(received)), (len(sent), digest(sent)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
