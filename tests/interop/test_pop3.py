# SPDX-License-Identifier: BSD-2-Clause
"""POP3: a real Dovecot behind, poplib, curl and hand-made clients in front."""

import base64
import unittest

import common
from common import MEGABYTES_10, PASSWORD, USER, digest, message, run


class Pop3(common.Case):
    def greeted(self, source="127.0.0.1"):
        client = self.raw("pop3", source)
        return client, client.line()

    def test_capa_has_deep_and_no_stls(self):
        client, greeting = self.greeted()
        self.assertTrue(greeting.startswith(b"+OK"))
        lines = client.ask(b"CAPA\r\n", b".\r\n")
        self.assertIn(b"DEEP tls11 tls12 <https://localhost/mail-security>\r\n", lines)
        self.assertIn(b"UIDL\r\n", lines)
        self.assertNotIn(b"STLS\r\n", lines)
        mechanisms = next(line for line in lines if line.startswith(b"SASL "))
        self.assertIn(b"PLAIN", mechanisms.split())
        self.assertFalse([word for word in mechanisms.split() if word.endswith(b"-PLUS")])

    def test_capa_after_login(self):
        client = self.pop3()
        client.user(USER)
        client.pass_(PASSWORD)
        self.assertEqual(client.capa()["DEEP"], ["tls11", "tls12", "<https://localhost/mail-security>"])
        client.quit()

    def test_backend_sees_the_clients_address_over_tls(self):
        client = self.pop3("127.0.0.2")
        client.user(USER)
        client.pass_(PASSWORD)
        client.quit()
        self.in_log(self.servers.dovecot_log, "pop3-login: Info: Login: user=<demo>", "rip=127.0.0.2,", "secured")
        line = self.session_of("127.0.0.2", "pop3")
        self.assertEqual((line["tls"], line["sni"], line["backend"]),
                         ("TLSv1.3", "localhost", self.addresses["pop3"][0]))
        self.assertGreater(int(line["out"]), 20)

    def test_stls_and_xclient_are_refused(self):
        for command in (b"STLS\r\n", b"XCLIENT ADDR=198.51.100.66\r\n", b"XOIP 198.51.100.66\r\n"):
            client, _ = self.greeted("127.0.0.3")
            self.assertTrue(client.ask(command, b"-ERR", b"+OK")[0].startswith(b"-ERR"), command)
            client.ask(b"USER demo\r\n", b"+OK")
            client.ask(b"PASS demo\r\n", b"+OK")
        self.in_log(self.servers.dovecot_log, "pop3-login", "Login: ", "rip=127.0.0.3,")
        self.assertNotIn("198.51.100.66", self.servers.dovecot_log.read_text())

    def test_wrong_password(self):
        client, _ = self.greeted()
        client.ask(b"USER demo\r\n", b"+OK")
        self.assertIn(b"[AUTH]", client.ask(b"PASS wrong\r\n", b"-ERR")[0])
        client.ask(b"USER demo\r\n", b"+OK")
        client.ask(b"PASS demo\r\n", b"+OK")

    def test_sasl_with_and_without_initial_response(self):
        plain = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
        client, _ = self.greeted()
        client.ask(b"AUTH PLAIN " + plain + b"\r\n", b"+OK")
        client, _ = self.greeted()
        client.ask(b"AUTH PLAIN\r\n", b"+")
        client.ask(plain + b"\r\n", b"+OK")
        client, _ = self.greeted()
        client.ask(b"AUTH LOGIN\r\n", b"+")
        client.ask(base64.b64encode(USER.encode()) + b"\r\n", b"+")
        client.ask(base64.b64encode(PASSWORD.encode()) + b"\r\n", b"+OK")
        client, _ = self.greeted()
        client.ask(b"AUTH LOGIN\r\n", b"+")
        client.ask(b"*\r\n", b"-ERR")
        client.ask(b"USER demo\r\n", b"+OK")

    def test_auth_alone_is_a_list(self):
        client, _ = self.greeted()
        lines = client.ask(b"AUTH\r\n", b".\r\n", b"-ERR")
        self.assertIn(b"PLAIN\r\n", lines)

    def test_pipelining(self):
        client, _ = self.greeted()
        client.send(b"USER demo\r\nPASS demo\r\nSTAT\r\nLIST\r\nLIST 1\r\nCAPA\r\nRETR 1\r\nUIDL\r\nUIDL 1\r\n"
                    b"TOP 2 0\r\nQUIT\r\n")
        text = client.rest()
        self.assertEqual(text.count(b"\r\nDEEP "), 1)
        self.assertEqual(text.count(b"\r\n.\r\n"), 5)
        self.assertTrue(text.splitlines()[-1].startswith(b"+OK"))

    def test_dots_and_lines_that_look_like_protocol(self):
        client = self.pop3()
        client.user(USER)
        client.pass_(PASSWORD)
        lines = client.retr(2)[1]
        self.assertIn(b".", lines)
        self.assertIn(b"Nor does this: ..", lines)
        self.assertIn(b"* CAPABILITY IMAP4rev1 STARTTLS", client.retr(3)[1])
        client.quit()

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

    def test_curl(self):
        status, out, error = run("curl", "-sS", "--cacert", self.authority, "-u", f"{USER}:{PASSWORD}",
                                 "--interface", "127.0.0.5", "--connect-to", "::127.0.0.1:",
                                 f"pop3s://localhost:{self.proxy.ports['pop3']}/1")
        self.assertEqual(status, 0, error)
        self.assertIn(b"Subject: Welcome", out)
        self.in_log(self.servers.dovecot_log, "pop3-login", "Login: ", "rip=127.0.0.5,")


if __name__ == "__main__":
    unittest.main(verbosity=2)
