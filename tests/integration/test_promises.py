# SPDX-License-Identifier: BSD-2-Clause
"""DEEP tags as promises: what the configuration can't keep is refused, and so is what it takes back without a word."""

import hashlib
import os
import signal
import subprocess

import harness
from harness import certificates


class Promises(harness.TestCase):
    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)

    def text(self, backend, deep, extra="", tls="", hostname="mail.example.com"):
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], [backend], "none")}, extra=extra, tls=tls)
        old = 'deep = { tags = [ "tls11", "tls12" ]; url = "https://www.example.com/security"; };'
        assert old in text
        return text.replace(old, f"deep = {{ {deep} }};").replace("proxy.example.com", hostname)

    def check(self, deep, **options):
        """The exit status of `check`, and what it says."""
        path = self.folder.write("check.conf", self.text("127.0.0.1:1", deep, **options))
        result = harness.run_program("check", "-c", path)
        return result.returncode, result.stderr

    def begin(self, deep, extra=""):
        backend = self.backend(harness.pop3)
        path = self.folder.write("deepproxy.conf", self.text(backend, deep, extra=extra))
        proxy = harness.Proxy(path)
        self.addCleanup(proxy.stop)
        return proxy, lambda deep, extra=extra: self.folder.write("deepproxy.conf", self.text(backend, deep, extra=extra))

    def reload(self, proxy):
        count = len(proxy.find(event="reload", of="configuration")) + 1
        proxy.process.send_signal(signal.SIGHUP)
        return proxy.wait_lines(count, event="reload", of="configuration")[-1]["result"]

    def status(self, proxy):
        client = self.client(proxy, "pop3")
        client.line()
        client.send(b"CAPA\r\n")
        lines = []
        while not lines or lines[-1] != b".":
            lines.append(client.line())
        client.close()
        return next(line for line in lines if line.startswith(b"DEEP"))

    # ---- taken back ----

    def test_a_reload_that_takes_a_tag_back_is_refused(self):
        proxy, write = self.begin('tags = [ "tls11", "tls12" ];')
        write('tags = [ "tls12" ];')
        self.assertTrue(self.reload(proxy).startswith("refused"))
        problem = proxy.wait_line(event="configuration-problem", level="error")
        self.assertIn('the tag "tls11" was promised to pop3 clients for ever', problem["problem"])
        self.assertEqual(self.status(proxy), b"DEEP tls11 tls12")
        write('tags = [ "tls12" ]; withdraw = [ "tls11" ];')
        self.assertEqual(self.reload(proxy), "done")
        self.assertEqual(self.status(proxy), b"DEEP tls12")
        # It is said once: after that it is nobody's promise.
        write('tags = [ "tls12" ];')
        self.assertEqual(self.reload(proxy), "done")

    def test_a_file_remembers_over_restarts(self):
        state = 'state_file = "state";'
        proxy, write = self.begin('tags = [ "tls11", "tls12" ];', extra=state)
        self.assertIn("\n* pop3 tls11 tls12\n", (self.folder.path / "state").read_text())
        proxy.stop()
        path = write('tags = [ "tls12" ];')
        for command in ("check", "run"):
            result = harness.run_program(command, "-c", path)
            self.assertEqual(result.returncode, 1)
            self.assertIn('the tag "tls11" was promised to pop3 clients', result.stderr)
        write('tags = [ "tls12" ]; withdraw = [ "tls11" ];')
        self.assertEqual(harness.run_program("check", "-c", path).returncode, 0)
        again = harness.Proxy(path)
        again.stop()
        self.assertIn("\n* pop3 tls12\n", (self.folder.path / "state").read_text())

    def test_a_reload_writes_the_file(self):
        proxy, write = self.begin("", extra='state_file = "state";')
        self.assertIn("\n* pop3\n", (self.folder.path / "state").read_text())
        write('tags = [ "tls12" ];')
        self.assertEqual(self.reload(proxy), "done")
        self.assertIn("\n* pop3 tls12\n", (self.folder.path / "state").read_text())

    def test_a_file_that_is_broken_or_can_not_be_written(self):
        (self.folder.path / "state").write_text("* pop3 tls12\nnonsense\n")
        code, said = self.check('tags = [ "tls12" ];', extra='state_file = "state";')
        self.assertEqual(code, 1)
        self.assertIn("state:2: error: not a line of a state file", said)
        code, said = self.check('tags = [ "tls12" ];', extra='state_file = "nowhere/state";')
        self.assertEqual(code, 1)
        self.assertIn("nowhere/state can't be written, where what is promised is to be remembered", said)

    def test_a_renewed_certificate_has_to_keep_what_was_promised(self):
        proxy, _ = self.begin('tags = [ "tls-cert" ]; ca = "ca.pem";')
        good = self.client(proxy, "pop3").tls.getpeercert(binary_form=True)
        other = self.folder.path / "other"
        other.mkdir()
        certificates.make(other, names=("mail.example.com",))
        os.replace(other / "mail.key", self.folder.path / "mail.key")
        os.replace(other / "mail.pem", self.folder.path / "mail.pem")
        self.assertIn("can't verify", proxy.wait_line(event="configuration-problem", level="error")["problem"])
        self.assertTrue(proxy.wait_line(event="reload", of="certificates")["result"].startswith("refused"))
        self.assertEqual(self.client(proxy, "pop3").tls.getpeercert(binary_form=True), good)

    # ---- more than there is ----

    def test_versions_and_suites(self):
        self.assertEqual(self.check('tags = [ "tls12" ];')[0], 0)
        code, said = self.check('tags = [ "tls12" ];', tls='max_version = "TLSv1.1"; min_version = "TLSv1.0";')
        self.assertEqual(code, 1)
        self.assertIn('"tls12" promises TLSv1.2 or later', said)

    def test_tls_cert_wants_an_authority_and_the_name(self):
        self.assertEqual(self.check('tags = [ "tls-cert" ]; ca = "ca.pem";'), (0, ""))
        code, said = self.check('tags = [ "tls-cert" ]; ca = "ca.pem";', hostname="other.example.com")
        self.assertEqual(code, 0)
        self.assertIn('no certificate has the name other.example.com ("hostname")', said)
        hosts = 'hosts = ( { names = "customer.example"; deep = { tags = [ "tls-cert" ]; }; } );'
        code, said = self.check("", extra=hosts)
        self.assertEqual(code, 1)
        self.assertIn('"tls-cert" is promised for customer.example, and no certificate has that name', said)
        certificates.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509", "-days",
                             "30", "-keyout", self.folder.path / "mail.key", "-out", self.folder.path / "mail.pem",
                             "-subj", "/CN=mail.example.com", "-addext", "subjectAltName=DNS:mail.example.com")
        code, said = self.check('tags = [ "tls-cert" ];')
        self.assertEqual(code, 1)
        self.assertIn("has signed itself", said)

    def test_tls_cert_wants_a_chain_that_clients_can_verify(self):
        other = self.folder.path / "other"
        other.mkdir()
        certificates.make(other, names=("mail.example.com",))
        code, said = self.check('tags = [ "tls-cert" ]; ca = "other/ca.pem";')
        self.assertEqual(code, 1)
        self.assertIn("other/ca.pem can't verify", said)
        self.assertIn("mail.pem", said)
        code, said = self.check('tags = [ "tls-cert" ]; ca = "nowhere.pem";')
        self.assertEqual(code, 1)
        self.assertIn("nowhere.pem", said)
        # The system's authorities have not issued it, which may be meant so.
        code, said = self.check('tags = [ "tls-cert" ];')
        self.assertEqual(code, 0)
        if os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
            self.assertIn('if yours trust others, name their file as "ca" here', said)
        hosts = 'hosts = ( { names = "*.example.org"; deep = { tags = [ "tls-cert" ]; ca = "ca.pem"; }; } );'
        certificates.make(self.folder.path, names=("mail.example.com", "*.example.org"))
        self.assertEqual(self.check("", extra=hosts), (0, ""))

    def test_tls_dane_tlsa_wants_a_record_that_matches(self):
        key = subprocess.run(["openssl", "pkey", "-in", self.folder.path / "mail.key", "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        digest = hashlib.sha256(key).hexdigest().upper()
        code, said = self.check('tags = [ "tls-dane-tlsa" ];')
        self.assertEqual(code, 0)
        self.assertIn('give the TLSA records in "tlsa"', said)
        good = f"3 1 1 {digest[:32]} {digest[32:]}"
        self.assertEqual(self.check(f'tags = [ "tls-dane-tlsa" ]; tlsa = [ "3 1 1 {"00" * 32}", "{good}" ];'), (0, ""))
        code, said = self.check(f'tags = [ "tls-dane-tlsa" ]; tlsa = [ "3 1 1 {"00" * 32}" ];')
        self.assertEqual(code, 1)
        self.assertIn('no record in "tlsa" matches the certificate', said)
        code, said = self.check('tags = [ "tls-dane-tlsa" ]; tlsa = [ "3 1 1 00" ];')
        self.assertEqual(code, 1)
        self.assertIn('"3 1 1 00" is no TLSA record', said)


if __name__ == "__main__":
    harness.main()
