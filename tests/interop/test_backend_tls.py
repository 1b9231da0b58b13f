# SPDX-License-Identifier: BSD-2-Clause
"""TLS towards a real Dovecot and Postfix: from the first octet behind a PROXY header, and by STARTTLS and STLS."""

import re
import unittest

import common
import client_certificates  # behind common, which says where it is
from common import ADDRESS, LOGIN, MEGABYTES_10, PASSWORD, USER, backend_files, backends, certificates, digest, message


class BackendTls(common.Case):
    mode = None
    way = None

    @classmethod
    def start_servers(cls, directory):
        reason = backends.missing()
        if reason:
            raise unittest.SkipTest(reason)
        cls.certificate = cls.folder / "store"
        cls.certificate.mkdir(exist_ok=True)
        certificates.make(cls.certificate, ("store.internal",), ("127.0.0.1", backend_files.NATIVE_HOST))
        return backends.Backends(directory, tls=cls.certificate)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addresses = {name: [f"{cls.host(name)}:{cls.servers.ports[name + cls.way]}"] for name in cls.services}
        cls.proxy = cls.enterClassContext(cls.start_proxy(cls.addresses, pool=cls.pool_tls()))

    @classmethod
    def start_proxy(cls, servers, **options):
        return super().start_proxy(servers, **{"extra": 'workers = 1; log_level = "debug";\n', "pool": cls.pool_tls(),
                                               **options})

    @classmethod
    def pool_tls(cls, more=""):
        return f'tls = {{ mode = "{cls.mode}"; ca = "{cls.certificate}/ca.pem"; {more}}}; '

    @classmethod
    def host(cls, name):
        return backend_files.NATIVE_HOST if cls.way == "-native" and name != "submission" else "127.0.0.1"


class Both:
    """What holds in either mode."""

    source = None

    def test_imap(self):
        body = message("large by TLS", MEGABYTES_10, 3)
        with self.imap(self.source) as client:
            self.assertNotIn("STARTTLS", client.capabilities)
            self.assertNotIn("LOGINDISABLED", client.capabilities)
            self.assertIn("DEEP", client.capabilities)
            client.login(USER, PASSWORD)
            client.create("large")
            self.assertEqual(client.append("large", None, None, body)[0], "OK")
            client.select("large", readonly=True)
            uid = client.uid("SEARCH", "ALL")[1][0].split()[-1]
            self.assertEqual(digest(client.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1]), digest(body))
        self.in_log(self.servers.dovecot_log, "imap-login: Info: " + LOGIN + "user=<demo>", f"rip={self.source}", "TLS")
        self.in_log(self.servers.dovecot_log, "ID sent", "tls=TLS_AES_")
        self.assertEqual(self.session_of(self.source, "imap")["reason"], "logout")

    def test_pop3(self):
        client = self.pop3(self.source)
        self.assertNotIn(b"XCLIENT", client.getwelcome())
        self.assertNotIn("STLS", client.capa())
        client.user(USER)
        client.pass_(PASSWORD)
        self.assertIn(b"Subject: Welcome", client.retr(1)[1])
        client.quit()
        self.in_log(self.servers.dovecot_log, "pop3-login: Info: " + LOGIN + "user=<demo>", f"rip={self.source}", "TLS")

    def test_submission(self):
        with self.smtp(self.source) as client:
            client.ehlo("c.example.com")
            self.assertNotIn("starttls", client.esmtp_features)
            client.login(USER, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], message(f"TLS, {self.mode}", 1_000_000, 5))
        self.in_log(self.servers.postfix_log, f"client=unknown[{self.source}]", "sasl_username=demo")
        received = self.find_message(f"TLS, {self.mode}")[:2000]
        self.assertRegex(received, rb"using TLSv1\.3 with cipher TLS_AES_")

    resuming = ("imap", "pop3", "submission")

    def test_sessions_are_resumed(self):
        """Postfix gives a resumed session of TLS 1.3 no new ticket, so that there it is every second one."""
        for service in self.services:
            before = len(self.proxy.find(event="backend-tls", service=service))
            for _ in range(3):
                client = self.raw(service, self.source)
                client.line()
                client.send(b"a LOGOUT\r\n" if service == "imap" else b"QUIT\r\n")
                client.rest()
            lines = self.proxy.wait_lines(before + 3, event="backend-tls", service=service)[before:]
            self.assertEqual("yes" in [line["resumed"] for line in lines[1:]], service in self.resuming, service)

    def test_a_server_of_another_name(self):
        wrong = self.enterContext(self.start_proxy(self.addresses, pool=self.pool_tls('name = "other.internal"; ')))
        for service, words in [("imap", rb"\* BYE \[UNAVAILABLE\]"), ("pop3", rb"-ERR \[SYS/TEMP\]"),
                               ("submission", rb"421 4\.3\.2")]:
            client = self.raw(service, at=wrong)
            self.assertTrue(re.match(words, client.rest()))
        self.assertIn("the server's certificate is for store.internal, 127.0.0.1, 127.0.0.2, not for other.internal",
                      wrong.wait_line(event="backend-failed")["error"])


class Implicit(Both, BackendTls):
    mode, way, identity = "implicit", "-tls", "proxy-v2"
    source = "127.0.0.71"


class Starttls(Both, BackendTls):
    mode, way, identity = "starttls", "-native", "native"
    source = "127.0.0.72"

    def test_without_identity(self):
        """Dovecot takes the connection for a secured one, and shows what it has for such."""
        plain = self.enterContext(self.start_proxy(
            {name: [f"127.0.0.1:{self.servers.ports[name + '-direct']}"] for name in ("imap", "pop3", "submission")},
            identity="none"))
        with self.imap(at=plain) as client:
            client.login(USER, PASSWORD)
        client = self.pop3(at=plain)
        client.user(USER)
        client.pass_(PASSWORD)
        client.quit()
        with self.smtp(at=plain) as client:
            client.login(USER, PASSWORD)

    def test_behind_a_proxy_header(self):
        behind = self.enterContext(self.start_proxy(
            {"submission": [f"127.0.0.1:{self.servers.ports['submission']}"]}, identity="proxy-v2"))
        with self.smtp("127.0.0.73", at=behind) as client:
            client.login(USER, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], message("a header before STARTTLS"))
        self.in_log(self.servers.postfix_log, "client=unknown[127.0.0.73]", "sasl_username=demo")


class WithCertificate(Both, BackendTls):
    """Servers for which the proxy must have a certificate, whose key is in the key process."""

    mode, way, identity = "implicit", "-tls", "proxy-v2"
    source = "127.0.0.74"
    resuming = ("submission",)  # Dovecot ends handshakes that resume a session then: it is tried again without

    @classmethod
    def start_servers(cls, directory):
        clients = cls.folder / "clients"
        clients.mkdir()
        authority = client_certificates.Authority(clients, "clients")
        cls.shown = authority.certify("/CN=proxy.internal")
        cls.stranger = client_certificates.Authority(clients, "strangers").certify("/CN=proxy.internal")
        (cls.folder / "store").mkdir()
        (cls.folder / "store" / "clients.pem").write_text(authority.certificate.read_text())
        return super().start_servers(directory)

    @classmethod
    def pool_tls(cls, more="", shown=None):
        shown = shown or cls.shown
        return super().pool_tls(f'certificate = "{shown.certificate}"; key = "{shown.key}"; {more}')

    def test_both_have_verified_it(self):
        self.smtp(self.source).quit()
        self.in_log(self.servers.postfix_log, "Trusted TLS connection established from")
        self.imap(self.source).logout()
        self.in_log(self.servers.dovecot_log, "valid SSL certificate", "/CN=proxy.internal")

    def test_no_session_is_lost_where_none_can_be_resumed(self):
        for _ in range(5):
            self.imap(self.source).logout()
        self.assertIn("resumes a session", self.proxy.wait_line(event="backend-warning")["warning"])
        self.assertEqual(self.proxy.find(event="backend-failed"), [])

    def test_a_certificate_of_strangers(self):
        other = self.enterContext(self.start_proxy(self.addresses, pool=self.pool_tls(shown=self.stranger)))
        client = self.raw("submission", at=other)
        self.assertNotIn(b"220 ", client.rest())
        other.wait_line(event="backend-failed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
