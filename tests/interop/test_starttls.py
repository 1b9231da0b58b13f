# SPDX-License-Identifier: BSD-2-Clause
"""STARTTLS and STLS with real clients, before a real Dovecot and Postfix."""

import imaplib
import poplib
import smtplib
import socket
import unittest

from common import ADDRESS, PASSWORD, SECURED, USER, WAIT_SECONDS, Case, message, run

CURL = ("curl", "-sS", "--ssl-reqd", "--max-time", WAIT_SECONDS, "-u", f"{USER}:{PASSWORD}")


class Starttls(Case):
    def starttls_port(self, protocol):
        return self.proxy.ports[protocol + "-starttls"]

    def url(self, scheme, protocol, path=""):
        return f"{scheme}://localhost:{self.starttls_port(protocol)}{path}"

    def test_imaplib(self):
        with imaplib.IMAP4("localhost", self.starttls_port("imap"), timeout=WAIT_SECONDS) as client:
            self.assertIn("LOGINDISABLED", client.capabilities)
            self.assertIn("STARTTLS", client.capabilities)
            with self.assertRaises(imaplib.IMAP4.error) as refused:
                client.login(USER, PASSWORD)
            self.assertIn("PRIVACYREQUIRED", str(refused.exception))
            client.starttls(self.context())
            for capability in ("AUTH=PLAIN", "DEEP", "ID", "IDLE"):
                self.assertIn(capability, client.capabilities)
            for capability in ("LOGINDISABLED", "STARTTLS"):
                self.assertNotIn(capability, client.capabilities)
            client.login(USER, PASSWORD)
            self.assertEqual(client.select("INBOX", readonly=True)[0], "OK")
        self.assertNotIn(PASSWORD, self.proxy.text)

    def test_poplib(self):
        client = poplib.POP3("localhost", self.starttls_port("pop3"), WAIT_SECONDS)
        before = client.capa()
        self.assertIn("STLS", before)
        self.assertIn("DEEP", before)
        self.assertNotIn("USER", before)
        with self.assertRaises(poplib.error_proto):
            client.user(USER)
        client.stls(self.context())
        self.assertIn("USER", client.capa())
        self.assertNotIn("STLS", client.capa())
        client.user(USER)
        client.pass_(PASSWORD)
        self.assertGreater(client.stat()[0], 0)
        client.quit()

    def test_smtplib(self):
        with smtplib.SMTP("localhost", self.starttls_port("submission"), "client.test", WAIT_SECONDS) as client:
            client.ehlo()
            self.assertTrue(client.has_extn("starttls"))
            self.assertFalse(client.has_extn("auth"))
            self.assertEqual(client.docmd("MAIL", f"FROM:<{ADDRESS}>")[0], 530)
            client.starttls(context=self.context())
            client.ehlo()
            self.assertFalse(client.has_extn("starttls"))
            self.assertTrue(client.has_extn("deep"))
            client.login(USER, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], message("by STARTTLS", 300_000, 7))
        self.assertIn(b"Subject: by STARTTLS", self.find_message("by STARTTLS"))

    def test_curl(self):
        for scheme, protocol, path, shows in [("imap", "imap", "/INBOX;MAILINDEX=1", b"Subject: "),
                                              ("pop3", "pop3", "/1", b"Subject: ")]:
            status, out, errors = run(*CURL, "--cacert", self.authority, self.url(scheme, protocol, path))
            self.assertEqual(status, 0, errors)
            self.assertIn(shows, out)
        status, _, errors = run(*CURL, "--cacert", self.authority, "--mail-from", ADDRESS, "--mail-rcpt", ADDRESS, "-T", "-",
                                self.url("smtp", "submission"), text=b"Subject: curl and STARTTLS\r\n\r\nHello.\r\n")
        self.assertEqual(status, 0, errors)
        self.find_message("curl and STARTTLS")

    def test_openssl(self):
        for protocol, word, command, shows in [
                ("imap", "imap", b"a CAPABILITY\nb LOGOUT\n", b"DEEP"), ("pop3", "pop3", b"CAPA\nQUIT\n", b"DEEP tls11 tls12"),
                ("submission", "smtp", b"EHLO me\nQUIT\n", b"250 DEEP tls11 tls12")]:
            status, out, errors = run("openssl", "s_client", "-quiet", "-crlf", "-verify_return_error", "-CAfile", self.authority,
                                      "-servername", "localhost", "-starttls", word, "-connect",
                                      f"localhost:{self.starttls_port(protocol)}", text=command)
            self.assertEqual(status, 0, errors)
            self.assertIn(shows, out)

    def test_the_backend_sees_the_client_and_its_suite(self):
        plain = socket.create_connection(("127.0.0.1", self.starttls_port("imap")), WAIT_SECONDS, ("127.0.0.61", 0))
        with plain, plain.makefile("rb") as file:
            file.readline()
            plain.sendall(b"a STARTTLS\r\n")
            file.readline()
            with self.context().wrap_socket(plain, server_hostname="localhost") as client, client.makefile("rb") as lines:
                client.sendall(f"b LOGIN {USER} {PASSWORD}\r\nc LOGOUT\r\n".encode())
                self.assertIn(b"b OK", lines.read())
        self.in_log(self.servers.dovecot_log, "ID sent", "tls=TLS_AES_", "rip=127.0.0.61", SECURED)
        self.assertEqual(self.session_of("127.0.0.61", "imap-starttls")["reason"], "logout")


if __name__ == "__main__":
    unittest.main(verbosity=2)
