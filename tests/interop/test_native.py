# SPDX-License-Identifier: BSD-2-Clause
"""identity = "native": Dovecot and Postfix learn who the client is by IMAP ID and XCLIENT, without a PROXY header."""

import base64
import unittest

import common
from common import ADDRESS, LOGIN, PASSWORD, USER, message

PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())


class Native(common.Case):
    identity = "native"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        ports = cls.servers.ports
        cls.addresses = {"imap": [f"{common.backends.NATIVE_HOST}:{ports['imap-native']}"],
                         "pop3": [f"{common.backends.NATIVE_HOST}:{ports['pop3-native']}"],
                         "submission": [f"127.0.0.1:{ports['submission-native']}"]}
        cls.proxy = cls.enterClassContext(cls.start_proxy(cls.addresses))

    def greeted(self, source, name=b"c.example.com", at=None):
        client = self.raw("submission", source, at=at)
        client.line()
        client.send(b"EHLO " + name + b"\r\n")
        return client

    def test_submission(self):
        with self.smtp("127.0.0.31") as client:
            client.ehlo("c.example.com")
            client.login(USER, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], message("by XCLIENT"))
        self.in_log(self.servers.postfix_log, "client=unknown[127.0.0.31]", "sasl_username=demo")
        self.assertIn(b"from c.example.com (unknown [127.0.0.31])", self.find_message("by XCLIENT"))

    def test_submission_with_pipelining_and_helo(self):
        client = self.raw("submission", "127.0.0.32")
        client.line()
        client.send(b"HELO c.example.com\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nQUIT\r\n")
        self.assertEqual([line[:3] for line in client.rest().splitlines()], [b"250", b"250", b"554", b"221"])
        self.in_log(self.servers.postfix_log, "reject: RCPT from unknown[127.0.0.32]", "proto=SMTP helo=<c.example.com>")

    def test_no_name_forges_an_attribute(self):
        client = self.greeted("127.0.0.33", b"x ADDR=198.51.100.66 LOGIN=root +0D+0A")
        client.lines_to(b"250 ")
        client.ask(b"MAIL FROM:<a@example.com>\r\n", b"250")
        client.ask(b"RCPT TO:<b@example.com>\r\n", b"554")
        self.in_log(self.servers.postfix_log, "reject: RCPT from unknown[127.0.0.33]")
        self.assertNotIn("unknown[198.51.100.66]", self.servers.postfix_log.read_text())

    def test_a_name_at_the_limit(self):
        """Of a value as it is encoded; one that is longer is none."""
        for last, name in enumerate((b"a" * 255, b"=" * 85, b"=" * 85 + b"a", b"a" * 256)):
            with self.subTest(name=name):
                client = self.greeted(f"127.0.1.{last}", name)
                client.lines_to(b"250 ")
                client.ask(b"MAIL FROM:<a@example.com>\r\n", b"250")
                client.ask(b"RCPT TO:<b@example.com>\r\n", b"554")
                self.in_log(self.servers.postfix_log, f"reject: RCPT from unknown[127.0.1.{last}]")

    def test_submission_server_that_does_not_trust_the_proxy(self):
        distrusting = self.enterContext(self.start_proxy({"submission": self.direct["submission"]}))
        client = self.greeted("127.0.0.35", at=distrusting)
        self.assertTrue(client.rest().startswith(b"421 4.3.2 "))
        client.close()
        line = self.session_of("127.0.0.35", "submission", at=distrusting)
        self.assertIn("smtpd_authorized_xclient_hosts", line["detail"])

    def test_pop3(self):
        client = self.pop3("127.0.0.36")
        self.assertNotIn(b"XCLIENT", client.getwelcome())
        client.user(USER)
        client.pass_(PASSWORD)
        client.quit()
        self.in_log(self.servers.dovecot_log, "pop3-login: Info: " + LOGIN + "user=<demo>", "rip=127.0.0.36")

    def test_pop3_server_that_does_not_trust_the_proxy(self):
        distrusting = self.enterContext(self.start_proxy({"pop3": self.direct["pop3"]}))
        client = self.raw("pop3", "127.0.0.37", at=distrusting)
        self.assertTrue(client.rest().startswith(b"-ERR [SYS/TEMP]"))
        self.assertIn("login_trusted_networks", distrusting.wait_line(event="backend-failed")["error"])

    def test_imap(self):
        with self.imap("127.0.0.38") as client:
            self.assertNotIn("LOGINDISABLED", client.capabilities)
            client.xatom("ID", '("name" "test-native" "x-originating-ip" "198.51.100.66")')
            client.login(USER, PASSWORD)
        self.in_log(self.servers.dovecot_log, "imap-login: Info: " + LOGIN + "user=<demo>", "rip=127.0.0.38")
        self.in_log(self.servers.dovecot_log, "ID sent: name=test-native", "tls=TLS_")
        self.assertNotIn("198.51.100.66", self.servers.dovecot_log.read_text())

    def test_imap_client_without_id(self):
        with self.imap("127.0.0.39") as client:
            client.login(USER, PASSWORD)
        self.in_log(self.servers.dovecot_log, "imap-login: Info: " + LOGIN + "user=<demo>", "rip=127.0.0.39")


if __name__ == "__main__":
    unittest.main(verbosity=2)
