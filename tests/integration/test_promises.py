# SPDX-License-Identifier: BSD-2-Clause
"""DEEP tags as promises: what the configuration can't keep is refused, and so is what it takes back without a word."""

import hashlib
import os
import shutil
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

    def wait_for_state(self, line):
        """The file is written while the program serves."""
        path = self.folder.path / "state"
        self.wait_until(lambda: path.exists() and f"\n{line}\n" in path.read_text())

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
        self.assertTrue(proxy.reload().startswith("refused"))
        problem = proxy.wait_line(event="configuration-problem", level="error")
        self.assertIn('the tag "tls11" was promised to pop3 clients for ever', problem["problem"])
        self.assertEqual(self.status(proxy), b"DEEP tls11 tls12")
        write('tags = [ "tls12" ]; withdraw = [ "tls11" ];')
        self.assertEqual(proxy.reload(), "done")
        self.assertEqual(self.status(proxy), b"DEEP tls12")
        # It is said once: after that it is nobody's promise.
        write('tags = [ "tls12" ];')
        self.assertEqual(proxy.reload(), "done")

    def test_a_file_remembers_over_restarts(self):
        state = 'state_file = "state";'
        proxy, write = self.begin('tags = [ "tls11", "tls12" ];', extra=state)
        self.wait_for_state("* pop3 tls11 tls12")
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
        self.wait_for_state("* pop3")
        write('tags = [ "tls12" ];')
        self.assertEqual(proxy.reload(), "done")
        self.wait_for_state("* pop3 tls12")

    def test_a_file_that_is_broken_or_can_not_be_written(self):
        (self.folder.path / "state").write_text("* pop3 tls12\nnonsense\n")
        code, said = self.check('tags = [ "tls12" ];', extra='state_file = "state";')
        self.assertEqual(code, 1)
        self.assertIn("state:2: error: not a line of a state file", said)
        code, said = self.check('tags = [ "tls12" ];', extra='state_file = "nowhere/state";')
        self.assertEqual(code, 1)
        self.assertIn("nowhere/state, the file that remembers what is promised", said)

    def test_a_renewed_certificate_has_to_keep_what_was_promised(self):
        proxy, _ = self.begin('tags = [ "tls-cert" ]; ca = "ca.pem";')
        good = self.client(proxy, "pop3").tls.getpeercert(binary_form=True)
        other = self.folder.path / "other"
        other.mkdir()
        certificates.make(other, names=("mail.example.com",))
        os.replace(other / "mail.key", self.folder.path / "mail.key")
        os.replace(other / "mail.pem", self.folder.path / "mail.pem")
        problem = proxy.wait_line(event="configuration-problem", level="warning")["problem"]
        self.assertRegex(problem, "can't verify .*; the certificate that was loaded before stays in use")
        self.assertEqual(self.client(proxy, "pop3").tls.getpeercert(binary_form=True), good)
        self.assertEqual(proxy.reload(), "done")
        self.assertEqual(self.client(proxy, "pop3").tls.getpeercert(binary_form=True), good)

    def customers(self):
        """Some with a certificate and a promise of their own, in a folder."""
        folder = self.folder.path / "customers"
        folder.mkdir()
        hosts = []
        for name in ("a", "b", "c"):
            self.certify(name, f"{name}.example")
            self.issue(name)
            hosts.append(f'{{ names = "{name}.example"; deep = {{ tags = [ "tls-cert" ]; ca = "{name}/ca.pem"; }}; }}')
        text = self.text(self.backend(harness.pop3), "", extra=f"hosts = ( {', '.join(hosts)} );",
                         tls='certificate_dir = "customers";')
        proxy = harness.Proxy(self.folder.write("deepproxy.conf", text))
        self.addCleanup(proxy.stop)
        return proxy, folder

    def certify(self, name, *hosts):
        (self.folder.path / name).mkdir(exist_ok=True)
        certificates.make(self.folder.path / name, names=hosts)

    def issue(self, name, of=None):
        """What has been certified goes to where the proxy looks."""
        for kind in ("key", "pem"):
            new = self.folder.path / "customers" / f".{name}.{kind}"
            new.write_bytes((self.folder.path / (of or name) / f"mail.{kind}").read_bytes())
            new.rename(self.folder.path / "customers" / f"{name}.{kind}")

    def shown(self, proxy, name):
        return self.client(proxy, "pop3", name=f"{name}.example").tls.getpeercert(binary_form=True)

    def leaf(self, name):
        return subprocess.run(["openssl", "x509", "-in", self.folder.path / name / "mail.pem", "-outform", "DER"],
                              check=True, capture_output=True).stdout

    def test_one_customer_s_mistake_is_no_other_s(self):
        """Renewed at the same time: one by another authority, one for another name, one that is well."""
        proxy, _ = self.customers()
        a, b = self.leaf("a"), self.leaf("b")
        self.certify("other", "a.example")
        self.certify("wrong", "x.example")
        shutil.copytree(self.folder.path / "c", self.folder.path / "renewed")
        certificates.make(self.folder.path / "renewed", names=("c.example",))
        (self.folder.path / "c" / "ca.pem").write_bytes((self.folder.path / "renewed" / "ca.pem").read_bytes())
        self.issue("a", "other")
        self.issue("b", "wrong")
        self.issue("c", "renewed")
        self.wait_until(lambda: self.shown(proxy, "c") == self.leaf("renewed"))
        for sign in ("a.pem", "b.example"):
            proxy.wait_line(event="configuration-problem", that=lambda line, sign=sign: (
                sign in line["problem"] and line["problem"].endswith("before stays in use")))
        self.assertEqual([self.shown(proxy, "a"), self.shown(proxy, "b")], [a, b])
        # Mended, they are taken up like any other.
        certificates.make(self.folder.path / "renewed", names=("b.example",))
        (self.folder.path / "b" / "ca.pem").write_bytes((self.folder.path / "renewed" / "ca.pem").read_bytes())
        self.issue("b", "renewed")
        self.wait_until(lambda: self.shown(proxy, "b") == self.leaf("renewed"))
        self.assertEqual(self.shown(proxy, "a"), a)

    def renew(self, name):
        """In order, and by another authority, which the promise's file has now."""
        new = self.folder.path / "renewed"
        new.mkdir(exist_ok=True)
        certificates.make(new, names=(f"{name}.example",))
        (self.folder.path / name / "ca.pem").write_bytes((new / "ca.pem").read_bytes())
        self.issue(name, "renewed")
        self.wait_until(lambda: self.shown(proxy=self.proxy, name=name) == self.leaf("renewed"))

    def test_what_is_broken_already_keeps_no_other_out(self):
        """By time, or as here by what the promise is held against: nothing has changed about it, and clients see no other."""
        self.proxy, _ = self.customers()
        a = self.leaf("a")
        self.certify("other", "a.example")
        (self.folder.path / "a" / "ca.pem").write_bytes((self.folder.path / "other" / "ca.pem").read_bytes())
        self.renew("c")
        problem = self.proxy.wait_line(event="configuration-problem")["problem"]
        self.assertRegex(problem, "a.pem: .*; so it was before")
        self.assertEqual(self.shown(self.proxy, "a"), a)
        self.assertEqual(self.proxy.reload(), "done")
        # It is no licence for others.
        self.certify("wrong", "b.example")
        b = self.shown(self.proxy, "b")
        self.issue("b", "wrong")
        self.renew("c")
        self.assertEqual(self.shown(self.proxy, "b"), b)

    def test_a_newcomer_that_breaks_a_promise_is_left_out(self):
        self.proxy, folder = self.customers()
        a = self.leaf("a")
        certificates.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509", "-days",
                             "30", "-keyout", folder / "new.key", "-out", folder / "new.pem", "-subj", "/CN=a.example",
                             "-addext", "subjectAltName=DNS:a.example")
        self.renew("c")
        self.proxy.wait_line(event="configuration-problem", that=lambda line: "new.pem has signed itself" in line["problem"])
        self.assertEqual(self.shown(self.proxy, "a"), a)

    def test_a_configuration_that_promises_more_than_there_is(self):
        """What was there before is no excuse for that."""
        proxy, write = self.begin('tags = [ "tls12" ];')
        other = self.folder.path / "other"
        other.mkdir()
        certificates.make(other, names=("mail.example.com",))
        write('tags = [ "tls12", "tls-cert" ]; ca = "other/ca.pem";')
        self.assertTrue(proxy.reload().startswith("refused"))

    def test_a_certificate_that_is_taken_away(self):
        proxy, folder = self.customers()
        a = self.leaf("a")
        (folder / "a.pem").unlink()
        (folder / "a.key").unlink()
        self.assertIn("a.example, and no certificate has that name", proxy.wait_line(event="configuration-problem")["problem"])
        self.certify("b", "b.example")
        self.issue("b")
        self.wait_until(lambda: self.shown(proxy, "b") == self.leaf("b"))
        self.assertEqual(self.shown(proxy, "a"), a)

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
