# SPDX-License-Identifier: BSD-2-Clause
"""TLS as clients meet it: versions, the end of a connection, and peers that speak something else."""

import contextlib
import os
import socket
import ssl
import subprocess
import unittest
import warnings

import common
from common import PASSWORD, USER, WAIT_SECONDS, run

GOODBYE = {"imap": b"a LOGOUT\r\n", "pop3": b"QUIT\r\n", "submission": b"QUIT\r\n"}


class Tls(common.Case):
    def s_client(self, service, *options, text):
        return run("openssl", "s_client", "-connect", f"127.0.0.1:{self.proxy.ports[service]}", "-CAfile",
                   self.authority, "-crlf", "-ign_eof", "-verify_return_error", "-verify_hostname", "localhost",
                   *options, text=text)

    def gnutls(self, service, priority, *options, text):
        """Its input ends after the session: since 3.8 it doesn't wait for an answer after that."""
        command = ["gnutls-cli", "--x509cafile", self.authority, "--priority", priority, "--crlf", "-p",
                   str(self.proxy.ports[service]), *options, "localhost"]
        read_end, write_end = os.pipe()
        with open(read_end, "rb") as stdin, open(write_end, "wb", buffering=0) as told:
            told.write(text)
            done = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                                  timeout=common.WAIT_SECONDS * 3)
        return done.returncode, done.stdout.decode(errors="replace")

    def test_gnutls_talks_and_resumes(self):
        """Another library's client: both versions, the key exchanges, ALPN, resumption, and a certificate it verifies."""
        for version in ("VERS-TLS1.2", "VERS-TLS1.3"):
            for group in ("GROUP-X25519", "GROUP-SECP256R1"):
                priority = f"NORMAL:-VERS-ALL:+{version}:-GROUP-ALL:+{group}"
                with self.subTest(version=version, group=group):
                    status, out = self.gnutls("imap", priority, "--alpn", "imap", text=b"a LOGOUT\n")
                    self.assertEqual(status, 0, out)
                    self.assertIn("The certificate is trusted", out)
                    self.assertIn("Application protocol: imap", out)
                    self.assertIn("a OK", out)
            with self.subTest(version=version, what="resumption"):
                _, out = self.gnutls("imap", f"NORMAL:-VERS-ALL:+{version}", "--resume", "--waitresumption",
                                        text=b"a LOGOUT\n")
                self.assertIn("This is a resumed session", out)

    def test_gnutls_is_refused_what_is_not_offered(self):
        for priority in ("NORMAL:-VERS-ALL:+VERS-TLS1.1", "NORMAL:-KX-ALL:+RSA:-VERS-ALL:+VERS-TLS1.2",
                         "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC"):
            with self.subTest(priority=priority):
                status, out = self.gnutls("imap", priority, text=b"a LOGOUT\n")
                self.assertNotEqual(status, 0)
                self.assertIn("Fatal", out)

    def test_versions_1_2_and_1_3(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            for service in GOODBYE:
                with self.subTest(service=service, version=name):
                    with self.raw(service, version=version) as client:
                        self.assertEqual(client.socket.version(), name)
                        self.assertTrue(client.line())

    def test_version_1_1_is_refused(self):
        context = self.context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaisesRegex(ssl.SSLError, "PROTOCOL_VERSION"):
            common.Raw(self.proxy.ports["imap"], context)

    def test_cipher_suites_of_1_2(self):
        context = self.context(ssl.TLSVersion.TLSv1_2)
        context.set_ciphers("AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        with self.assertRaisesRegex(ssl.SSLError, "HANDSHAKE_FAILURE"):
            common.Raw(self.proxy.ports["imap"], context)

    def test_recommended_suites_of_1_2(self):
        """RFC 9325 section 4.2, as far as they go with the certificate's kind of key."""
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"):
            context = self.context(ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(suite)
            with common.Raw(self.proxy.ports["imap"], context) as client:
                self.assertEqual(client.socket.cipher()[0], suite)

    def test_registered_name_of_a_1_2_suite_reaches_the_backend(self):
        context = self.context(ssl.TLSVersion.TLSv1_2)
        context.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
        with common.Raw(self.proxy.ports["imap"], context, "127.0.0.7") as client:
            client.line()
            client.ask(b"a LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()), b"a OK")
            client.ask(b"b LOGOUT\r\n", b"b OK")
        suite = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
        self.in_log(self.servers.dovecot_log, "ID sent", f"tls={suite}", "rip=127.0.0.7,")
        self.assertEqual(self.session_of("127.0.0.7", "imap")["cipher"], suite)

    def test_certificate_is_the_configured_one(self):
        for service, goodbye in GOODBYE.items():
            status, out, error = self.s_client(service, text=goodbye.replace(b"\r", b""))
            self.assertEqual(status, 0, error)
            self.assertIn(b"Verify return code: 0 (ok)", out)

    def test_close_notify_as_openssl_sees_it(self):
        for service, goodbye in GOODBYE.items():
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest(service=service, version=version):
                    _, out, _ = self.s_client(service, version, "-msg", text=goodbye.replace(b"\r", b""))
                    self.assertRegex(out, rb"<<< TLS 1\.[23].*Alert.*close_notify")

    def test_alpn_as_openssl_sees_it(self):
        for service, name in (("imap", "imap"), ("pop3", "pop3"), ("submission", "smtp")):
            with self.subTest(service=service):
                goodbye = GOODBYE[service].replace(b"\r", b"")
                _, out, _ = self.s_client(service, "-alpn", f"h2,{name}", text=goodbye)
                self.assertIn(b"ALPN protocol: " + name.encode(), out)
                status, _, error = self.s_client(service, "-alpn", "h2,http/1.1", text=goodbye)
                self.assertNotEqual(status, 0)
                self.assertIn("no application protocol", error)

    def test_no_certificate_is_asked_of_the_client(self):
        """Draft section 9.1.1: not where none would be enough for a login."""
        for version in ("-tls1_2", "-tls1_3"):
            _, out, _ = self.s_client("imap", version, "-msg", text=GOODBYE["imap"].replace(b"\r", b""))
            self.assertRegex(out, rb"<<< TLS 1\.[23].*Handshake.*, Certificate\b")
            self.assertNotIn(b"CertificateRequest", out)

    def test_last_words_come_before_close_notify(self):
        last = {"imap": rb"a OK", "pop3": rb"\+OK", "submission": rb"221 "}
        for service, goodbye in GOODBYE.items():
            with self.raw(service) as client:
                client.line()
                client.send(goodbye)
                self.assertRegex(client.rest().splitlines()[-1], last[service])

    def test_close_notify_of_the_client_ends_the_session(self):
        with self.raw("imap", "127.0.0.8") as client:
            client.line()
            client.socket.settimeout(WAIT_SECONDS)
            client.file.close()
            client.socket.unwrap()
        self.session_of("127.0.0.8", "imap")
        self.in_log(self.servers.dovecot_log, common.SAYS["gone"], "rip=127.0.0.8,")

    def test_resumption(self):
        context = self.context(ssl.TLSVersion.TLSv1_2)
        port = self.proxy.ports["imap"]
        with common.Raw(port, context) as client:
            client.line()
            session = client.socket.session
        with socket.create_connection(("127.0.0.1", port)) as plain:
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as again:
                self.assertTrue(again.session_reused)

    def test_peers_that_speak_no_tls(self):
        with self.raw("imap") as client:
            client.line()
            for octets in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"a1 CAPABILITY\r\n", b"EHLO client.test\r\n",
                           b"\0" * 2000, b"\x16\x03\x01\xff\xff" + b"\xff" * 500):
                with socket.create_connection(("127.0.0.1", self.proxy.ports["imap"]), WAIT_SECONDS,
                                              ("127.0.0.11", 0)) as plain:
                    plain.sendall(octets)
                    plain.shutdown(socket.SHUT_WR)
                    with contextlib.suppress(ConnectionResetError):
                        self.assert_alert(self.rest(plain))
            client.ask(b"a NOOP\r\n", b"a OK")
        lines = self.proxy.wait_lines(5, event="session", that=lambda line: line["client"].startswith("127.0.0.11:"))
        for line in lines:
            self.assertEqual(line["reason"], "handshake-failed")
            self.assertNotIn("backend", {key for key in line if line[key]})

    def test_stalled_handshakes_hurt_nobody(self):
        extra = "timeouts = { handshake = 2; };\n"
        with self.start_proxy(self.addresses, extra=extra) as own:
            stalled = [socket.create_connection(("127.0.0.1", own.ports["imap"]), WAIT_SECONDS) for _ in range(100)]
            for number, plain in enumerate(stalled):
                self.addCleanup(plain.close)
                if number % 2:
                    plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            with self.imap(at=own) as client:
                client.login(USER, PASSWORD)
                client.select()
            for plain in stalled:
                with contextlib.suppress(ConnectionResetError):
                    self.assert_alert(self.rest(plain))

    @staticmethod
    def rest(plain):
        answer = b""
        while chunk := plain.recv(4096):
            answer += chunk
        return answer

    def assert_alert(self, octets):
        """One record with a fatal alert, or nothing."""
        self.assertRegex(octets, rb"(?s)^(\x15\x03.\0\x02\x02.)?$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
