# SPDX-License-Identifier: BSD-2-Clause
"""A client certificate is a login: SASL EXTERNAL with Dovecot behind PROXY v2, XCLIENT LOGIN with Postfix."""

import base64
import unittest

import common
import client_certificates  # behind common, which says where it is
from common import ADDRESS, LOGIN, PASSWORD, USER, message

PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())


class Certified(common.Case):
    """`more`: keys of the group, by protocol."""

    more = {}

    @classmethod
    def start_servers(cls, directory):
        reason = common.backends.missing()
        if reason:
            raise unittest.SkipTest(reason)
        return common.backends.Backends(directory, external=True)

    @classmethod
    def write_configuration(cls, servers, **options):
        if "clients" not in vars(cls):
            cls.clients = client_certificates.Authority(cls.folder, "clients-ca")
            cls.demo = cls.clients.certify(f"/CN={USER}", ADDRESS)
            cls.nobody = cls.clients.certify("/CN=nobody-here", "nobody-here@localhost")
        keys = {name: f'client_certificates = {{ ca = "clients-ca.pem"; {cls.more.get(name, "")} }};'
                for name in servers}
        return super().write_configuration(servers, keys=keys, **options)

    def certified(self, service, source, identity):
        context = identity.show(self.context()) if identity else self.context()
        client = common.Raw(self.port(service), context, source, service=service, listener=self.listener)
        self.addCleanup(client.close)
        return client


knows_names = unittest.skipIf(common.backend_files.dovecot_version() == (2, 4, 1),
                              "Dovecot 2.4.1 loses the name of a certificate in the PROXY header")


class Dovecot(Certified):
    services = ("imap", "pop3")

    @knows_names
    def test_imap(self):
        client = self.certified("imap", "127.0.2.1", self.demo)
        client.line()
        client.ask(b"a CAPABILITY\r\n", b"* CAPABILITY ")
        client.lines_to(b"a OK")
        client.ask(b"b AUTHENTICATE EXTERNAL =\r\n", b"b OK")
        client.ask(b"c SELECT INBOX\r\n", b"* FLAGS")
        self.in_log(self.servers.dovecot_log, f"{LOGIN}user=<{USER}>, method=EXTERNAL, rip=127.0.2.1,")
        client.close()
        self.assertEqual(self.session_of("127.0.2.1", "imap")["client_cert"], f"CN={USER}")

    @knows_names
    def test_pop3(self):
        client = self.certified("pop3", "127.0.2.2", self.demo)
        client.line()
        client.send(b"CAPA\r\n")
        self.assertIn(b"SASL PLAIN LOGIN CRAM-MD5 EXTERNAL\r\n", client.lines_to(b".\r\n"))
        client.ask(b"AUTH EXTERNAL\r\n", b"+ ")
        client.ask(b"\r\n", b"+OK")
        client.ask(b"STAT\r\n", b"+OK")
        self.in_log(self.servers.dovecot_log, f"{LOGIN}user=<{USER}>, method=EXTERNAL, rip=127.0.2.2,")

    def test_a_password_still_does(self):
        client = self.certified("imap", "127.0.2.3", self.demo)
        client.line()
        client.ask(b"a AUTHENTICATE PLAIN " + PLAIN + b"\r\n", b"a OK")
        self.in_log(self.servers.dovecot_log, f"{LOGIN}user=<{USER}>, method=PLAIN, rip=127.0.2.3,")

    def test_a_certificate_of_nobody(self):
        client = self.certified("imap", "127.0.2.4", self.nobody)
        client.line()
        client.ask(b"a AUTHENTICATE EXTERNAL =\r\n", b"a NO")
        # Nor is it somebody else's.
        client.ask(b"b AUTHENTICATE EXTERNAL " + base64.b64encode(USER.encode()) + b"\r\n", b"b NO")

    def test_without_one(self):
        """Dovecot announces it to everybody."""
        self.assertIn(b"AUTH=EXTERNAL", self.in_clear("imap").line())
        client = self.certified("imap", "127.0.2.5", None)
        self.assertNotIn(b"EXTERNAL", client.line())
        client.ask(b"a AUTHENTICATE EXTERNAL =\r\n", b"a NO EXTERNAL is not available here")
        client = self.certified("pop3", "127.0.2.6", None)
        client.line()
        client.send(b"CAPA\r\n")
        capabilities = client.lines_to(b".\r\n")
        self.assertIn(b"SASL PLAIN LOGIN CRAM-MD5\r\n", capabilities)
        client.ask(b"AUTH EXTERNAL =\r\n", b"-ERR EXTERNAL is not available here")


class DovecotStarttls(Dovecot):
    listener = "starttls"


class Postfix(Certified):
    services = ("submission",)
    identity = "native"
    more = {"submission": 'login = "email";'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy = cls.enterClassContext(cls.start_proxy(
            {"submission": [f"127.0.0.1:{cls.servers.ports['submission-native']}"]}))

    def greeted(self, source, identity):
        client = self.certified("submission", source, identity)
        client.line()
        client.send(b"EHLO c.example.com\r\n")
        return client, client.lines_to(b"250 ")

    def send(self, client, subject):
        client.ask(f"MAIL FROM:<{ADDRESS}>\r\n".encode(), b"250")
        client.ask(f"RCPT TO:<{ADDRESS}>\r\n".encode(), b"250")
        client.ask(b"DATA\r\n", b"354")
        client.ask(message(subject) + b".\r\n", b"250")

    def test_the_certificate_is_the_login(self):
        client, lines = self.greeted("127.0.2.11", self.demo)
        self.assertIn(b"250-AUTH EXTERNAL\r\n", lines)
        self.assertNotIn(b"PLAIN", lines)
        client.ask(b"AUTH EXTERNAL =\r\n", b"235 2.7.0")
        self.send(client, f"by certificate {self.listener}")
        self.in_log(self.servers.postfix_log, "client=unknown[127.0.2.11]", "sasl_method=XCLIENT",
                    f"sasl_username={ADDRESS}")

    def test_who_has_none_logs_in_by_password(self):
        """Postfix announces EXTERNAL, as its Dovecot has it; it would be the proxy's."""
        client, lines = self.greeted("127.0.2.12", None)
        self.assertIn(b"250-AUTH PLAIN LOGIN CRAM-MD5\r\n", lines)
        client.ask(b"MAIL FROM:<a@example.com>\r\n", b"250")
        client.ask(f"RCPT TO:<{ADDRESS}>\r\n".encode(), b"554")
        client.ask(b"RSET\r\n", b"250")
        client.ask(b"AUTH EXTERNAL =\r\n", b"504")
        client.ask(b"AUTH PLAIN " + PLAIN + b"\r\n", b"235")

    def test_a_client_that_names_itself(self):
        """No client's words become a login."""
        client = self.certified("submission", "127.0.2.13", None)
        client.line()
        client.send(b"EHLO c LOGIN=root\r\n")
        client.lines_to(b"250 ")
        client.ask(b"XCLIENT LOGIN=root\r\n", b"502")
        client.ask(b"MAIL FROM:<a@example.com>\r\n", b"250")
        client.ask(f"RCPT TO:<{ADDRESS}>\r\n".encode(), b"554")


class PostfixStarttls(Postfix):
    listener = "starttls"


if __name__ == "__main__":
    unittest.main(verbosity=2)
