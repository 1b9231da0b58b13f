# SPDX-License-Identifier: BSD-2-Clause
"""Handshakes that come to nothing: the log says why, in words that an operator can act on, and metrics count them."""

import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

import admin_case
import harness

DEBUG = 'log_level = "debug";'
# What HAProxy's "option ssl-hello-chk" sends: SSL 3.0, with its name in place of random octets.
HAPROXY_HELLO = (b"\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00\0\0\0\0HAPROXYSSLCHK\nHAPROXYSSLCHK\n\x00\x00\x04\x00\x04\x00\x05"
                 b"\x01\x00")
PROXY_V2_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"


class Refused(admin_case.Admin):
    def failed(self, proxy, reason):
        return self.value(proxy, "handshakes_failed_total", service="pop3", reason=reason)

    def expect(self, proxy, count, words, reason):
        line = proxy.wait_lines(count, event="session", reason="handshake-failed")[-1]
        self.assertIn(words, line["detail"])
        self.assertGreater(self.failed(proxy, reason), 0)
        self.assertEqual(self.value(proxy, "handshakes_total", service="pop3"), 0)


class Certificates(Refused):
    """Clients that do not accept the certificate. OpenSSL's send their alert in the clear in TLS 1.3."""

    def openssl(self, proxy, *options):
        run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port('pop3')}", "-verify_return_error",
                              *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=harness.PATIENCE)
        self.assertNotEqual(run.returncode, 0)

    def test_unknown_issuer(self):
        with tempfile.TemporaryDirectory() as other:
            harness.certificates.make(pathlib.Path(other))
            authority = f"{other}/ca.pem"
            proxy = self.start_pop3()
            for number, options in enumerate([["-tls1_3"], ["-tls1_2"], ["-tls1_3", "-groups", "P-384"],
                                              ["-tls1_3", "-alpn", "pop3"]]):
                with self.subTest(options):
                    self.openssl(proxy, "-CAfile", authority, *options)
                    self.expect(proxy, number + 1, "unknown_ca", "unknown_ca")

    def test_expired(self):
        """The client's clock is a year ahead."""
        proxy = self.start_pop3()
        then = str(int(time.time()) + 365 * 86400)
        for number, version in enumerate(["-tls1_3", "-tls1_2"]):
            self.openssl(proxy, "-CAfile", self.folder.path / "ca.pem", "-attime", then, version)
            self.expect(proxy, number + 1, "certificate_expired", "certificate_expired")

    def test_python(self):
        """Its clients have OpenSSL's words, whichever of both sends them."""
        proxy = self.start_pop3()
        for number, (authority, name, words) in enumerate([(None, "localhost", "unknown_ca"),
                                                           ("ca.pem", "elsewhere.example", "bad_certificate")]):
            context = ssl.create_default_context(cafile=authority and str(self.folder.path / authority))
            with socket.create_connection(("127.0.0.1", proxy.port("pop3")), harness.PATIENCE) as sock:
                with self.assertRaises(ssl.SSLCertVerificationError):
                    context.wrap_socket(sock, server_hostname=name)
            self.expect(proxy, number + 1, words, words)

    def test_gnutls(self):
        """They send it as RFC 8446 says."""
        program = shutil.which("gnutls-cli")
        proxy = self.start_pop3()
        for number, priority in enumerate(["NORMAL", "NORMAL:-VERS-TLS1.3"] if program else []):
            run = subprocess.run([program, "127.0.0.1", "-p", str(proxy.port("pop3")), "--priority", priority],
                                 stdin=subprocess.DEVNULL, capture_output=True, timeout=harness.PATIENCE)
            self.assertNotEqual(run.returncode, 0)
            self.expect(proxy, number + 1, "bad_certificate", "bad_certificate")


class NotTls(Refused):
    def test_reasons(self):
        proxy = self.start_pop3()
        for number, (octets, words, reason) in enumerate([
                (b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 995\r\n", "header of the PROXY protocol", "proxy-header"),
                (PROXY_V2_LOCAL, "header of the PROXY protocol", "proxy-header"),
                (b"GET / HTTP/1.0\r\n\r\n", "client speaks HTTP, not TLS: ", "http"),
                (b"SSH-2.0-OpenSSH_9.2\r\n", "client speaks SSH, not TLS: ", "ssh"),
                (b"EHLO mail.example.com\r\n", "client speaks SMTP in the clear, not TLS: set it to SSL/TLS", "cleartext"),
                (b"USER joe\r\n", "client speaks POP3 in the clear, not TLS: set it to SSL/TLS", "cleartext"),
                (b"a1 CAPABILITY\r\n", "client speaks IMAP in the clear, not TLS: set it to SSL/TLS", "cleartext"),
                (b"\0" * 8, "client does not speak TLS", "not-tls")]):
            with self.subTest(octets):
                with harness.connect(proxy.port("pop3")) as sock:
                    sock.sendall(octets)
                    while sock.recv(1000):
                        pass
                self.expect(proxy, number + 1, words, reason)

    def test_before_starttls(self):
        """The same at a service whose clients begin in the clear."""
        proxy = self.start_pop3(extra=DEBUG, keys='tls = "starttls";')
        for number, (octets, words) in enumerate([
                (b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 110\r\n", "header of the PROXY protocol"),
                (b"PROXY UNKNOWN\r\n", "header of the PROXY protocol"),
                (PROXY_V2_LOCAL, "header of the PROXY protocol"),
                (b"SSH-2.0-OpenSSH_9.2\r\n", "speaks SSH"),
                (b"GET / HTTP/1.0\r\n\r\n", "speaks HTTP")]):
            with self.subTest(octets):
                with harness.connect(proxy.port("pop3")) as sock:
                    sock.sendall(octets)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(1000):
                        pass
                line = proxy.wait_lines(number + 1, event="session")[-1]
                self.assertEqual(line["reason"], "client-error")
                self.assertIn(words, line["detail"])


class Negotiated(Refused):
    def test_versions_suites_and_groups(self):
        proxy = self.start_pop3()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                client = self.client(proxy, "pop3", context=harness.client_context(maximum=version))
                client.line()
        for family, label, expected in [("version", "version", {"TLSv1.2": 1, "TLSv1.3": 2, "TLSv1.1": 0}),
                                        ("group", "group", {"X25519": 3, "P-256": 0, "other": 0}),
                                        ("cipher", "cipher", {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": 1, "other": 0})]:
            for name, count in expected.items():
                labels = {"service": "pop3", label: name}
                self.assertEqual(self.value(proxy, f"tls_{family}_sessions_total", **labels), count, labels)


class Quiet(Refused):
    """Connections that tell an operator nothing have no line, but are counted."""

    def silent(self, proxy):
        return self.value(proxy, "silent_connections_total", service="pop3")

    def visit(self, proxy, count):
        for number in range(count):
            sock = harness.connect(proxy.port("pop3"))
            if number % 2:
                harness.reset(sock)
            else:
                sock.close()

    def test_silent_connections(self):
        for keys in ("", 'tls = "starttls";'):
            with self.subTest(keys):
                proxy = self.start_pop3(keys=keys)
                self.visit(proxy, 20)
                self.wait_until(lambda: self.silent(proxy) == 20)  # pylint: disable=cell-var-from-loop
                self.assertEqual(proxy.find(event="session"), [])
                self.assertEqual(proxy.wait_line(event="unlogged", service="pop3")["silent"], "20")
                self.assertEqual(self.failed(proxy, "closed"), 0)

    def test_those_that_stay(self):
        proxy = self.start_pop3(timeouts='handshake = "500 ms";')
        sock = harness.connect(proxy.port("pop3"))
        self.addCleanup(sock.close)
        self.assertEqual(sock.recv(1), b"")
        self.wait_until(lambda: self.silent(proxy) == 1)
        self.assertEqual(proxy.find(event="session"), [])
        proxy.stop()
        self.assertEqual(proxy.wait_line(event="unlogged", service="pop3")["silent"], "1")

    def test_debug_shows_them(self):
        proxy = self.start_pop3(extra=admin_case.ADMIN + DEBUG)
        self.visit(proxy, 2)
        lines = proxy.wait_lines(2, event="session")
        self.assertEqual({line["level"] for line in lines}, {"debug"})
        self.assertLessEqual({line["reason"] for line in lines}, {"client-closed", "client-reset"})

    def test_one_octet_is_something(self):
        proxy = self.start_pop3()
        with harness.connect(proxy.port("pop3")) as sock:
            sock.sendall(b"\x16")
        self.assertEqual(proxy.session(reason="client-closed")["level"], "info")
        self.assertEqual(self.silent(proxy), 0)
        self.assertEqual(self.failed(proxy, "closed"), 1)

    def test_haproxys_check(self):
        proxy = self.start_pop3()
        with harness.connect(proxy.port("pop3")) as sock:
            sock.sendall(HAPROXY_HELLO)
            self.assertIn(sock.recv(1), b"\x15\x16")  # all that it looks at
        self.wait_until(lambda: self.value(proxy, "probes_total", service="pop3") == 1)
        self.assertEqual(proxy.find(event="session"), [])
        self.assertEqual(proxy.wait_line(event="unlogged", service="pop3")["probes"], "1")


if __name__ == "__main__":
    harness.main()
