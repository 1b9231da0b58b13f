# SPDX-License-Identifier: BSD-2-Clause
"""Certificates, keys and OCSP responses in folders that only root may enter, of a proxy that has given root up."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

import harness
from certificates import openssl
from client_certificates import NEW_KEY, Authority
from processes import guard_of, signer_of

USER = 'user = "nobody"; '
BY_ITSELF = "key_isolation = false; "


class Tool:
    """Writes as certbot does: each certificate in archive/, and links to the newest in live/; 0700 both."""

    def __init__(self, folder, authority):
        self.folder, self.authority = folder, authority
        self.live, self.archive = folder / "live", folder / "archive"
        for path in (self.live, self.archive):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(mode=0o700)
        self.count = 0

    def renew(self, name):
        """Another certificate with its key: in DER."""
        self.count += 1
        live, archive = self.live / name, self.archive / name
        for path in (live, archive):
            path.mkdir(exist_ok=True)
        leaf, chain = archive / f"cert{self.count}.pem", archive / f"fullchain{self.count}.pem"
        key = archive / f"privkey{self.count}.pem"
        openssl("req", *NEW_KEY, "-keyout", key, "-out", leaf, "-subj", f"/CN={name}", "-CA", self.authority.certificate,
                "-CAkey", self.authority.key, "-set_serial", str(self.count), "-addext", f"subjectAltName=DNS:{name}",
                "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth",
                "-addext", "keyUsage=digitalSignature")
        chain.write_bytes(leaf.read_bytes() + self.authority.certificate.read_bytes())
        key.chmod(0o600)
        for link, target in (("fullchain.pem", chain), ("privkey.pem", key)):
            fresh = live / f".{link}"
            fresh.symlink_to(target)
            fresh.rename(live / link)
        return der_of(leaf)

    def respond(self, name):
        """An OCSP response that the newest certificate is good, beside its chain."""
        index, leaf = self.folder / "index.txt", self.archive / name / f"cert{self.count}.pem"
        index.write_text(f"V\t391231235959Z\t\t{self.count:02X}\tunknown\t/CN={name}\n")
        openssl("ocsp", "-index", index, "-CA", self.authority.certificate, "-rsigner", self.authority.certificate,
                "-rkey", self.authority.key, "-issuer", self.authority.certificate, "-cert", leaf, "-no_nonce",
                "-ndays", "2", "-respout", self.live / name / "fullchain.pem.ocsp")


def der_of(leaf):
    return subprocess.run(["openssl", "x509", "-in", leaf, "-outform", "DER"], capture_output=True, check=True).stdout


def octets_read_by(pid):
    return int(re.search(r"rchar: (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text())[1])


@unittest.skipIf(os.geteuid() != 0, "needs root, whose privileges are given up")
class RootFiles(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder.path.chmod(0o755)
        cls.authority = Authority(cls.folder.path, "authority")

    def setUp(self):
        self.tool = Tool(self.folder.path, self.authority)

    def write(self, extra, tls=None, pool=""):
        tls = tls or 'certificates = ( { chain = "live/one.example/fullchain.pem"; key = "live/one.example/privkey.pem"; } );'
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")}, extra=extra,
                                     pool=pool)
        return self.folder.write("root.conf", text.replace(
            'certificates = ( { chain = "mail.pem"; key = "mail.key"; } );', tls))

    def run_proxy(self, *arguments, **options):
        proxy = harness.Proxy(self.write(*arguments, **options))
        self.addCleanup(proxy.stop)
        return proxy

    def assert_serves(self, proxy, leaf, name="one.example"):
        client = self.client(proxy, "pop3", name=name)
        self.assertEqual(client.tls.getpeercert(True), leaf)
        self.assertEqual(client.line(), b"+OK ready")

    def stapled(self, proxy, name="one.example"):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port('pop3')}", "-servername", name,
                               "-status"], input=b"", capture_output=True, timeout=harness.PATIENCE, check=False)
        return b"OCSP Response Status: successful" in done.stdout

    def test_a_renewal(self):
        leaf = self.tool.renew("one.example")
        proxy = self.run_proxy(USER)
        self.assert_serves(proxy, leaf)
        leaf = self.tool.renew("one.example")
        self.assertEqual(proxy.reload(), "done")
        self.assert_serves(proxy, leaf)
        self.assertEqual(proxy.find(event="configuration-problem"), [])
        # Also of a new guard.
        os.kill(guard_of(proxy), signal.SIGKILL)
        proxy.wait_line(event="keys-restarted")
        leaf = self.tool.renew("one.example")
        self.assertEqual(proxy.reload(), "done")
        self.assert_serves(proxy, leaf)

    def test_a_folder(self):
        leaf = self.tool.renew("one.example")
        proxy = self.run_proxy(USER, 'certificate_dir = "live";')
        self.assert_serves(proxy, leaf)
        other = self.tool.renew("two.example")
        self.assertEqual(proxy.reload(), "done")
        self.assert_serves(proxy, leaf)
        self.assert_serves(proxy, other, "two.example")
        shutil.rmtree(self.tool.live / "two.example")
        self.assertEqual(proxy.reload(), "done")
        self.assert_serves(proxy, leaf, "two.example")
        self.assertEqual(proxy.find(event="configuration-problem"), [])

    def test_changes_in_a_folder(self):
        """Of files that links lead to, and of what was not there; the list shows them."""
        leaf = self.tool.renew("one.example")
        others = {name: self.tool.renew(name) for name in ("two.example", "three.example")}
        proxy = self.run_proxy(USER, 'certificate_dir = "live";')
        self.assert_serves(proxy, leaf)
        renewed = self.tool.renew("one.example")  # the links lead to other files
        self.assertEqual(proxy.reload(), "done")
        self.assert_serves(proxy, renewed)
        links = [self.tool.live / "one.example" / name for name in ("fullchain.pem", "privkey.pem")]
        places = [link.resolve() for link in links]
        last = self.tool.renew("one.example")
        contents = [link.read_bytes() for link in links]
        for link, place, content in zip(links, places, contents):  # the links lead to the same files as before
            place.write_bytes(content)
            link.unlink()
            link.symlink_to(place)
        self.assertEqual(proxy.reload(), "done")
        self.assert_serves(proxy, last)
        self.assertFalse(self.stapled(proxy))
        self.tool.respond("one.example")
        self.assertEqual(proxy.reload(), "done")
        self.assertTrue(self.stapled(proxy))
        for name, other in others.items():
            self.assert_serves(proxy, other, name)
        self.assertEqual(proxy.find(event="configuration-problem"), [])

    def test_an_ocsp_response(self):
        self.tool.renew("one.example")
        proxy = self.run_proxy(USER)
        self.assertFalse(self.stapled(proxy))
        self.tool.respond("one.example")
        self.assertEqual(proxy.reload(), "done")
        self.assertTrue(self.stapled(proxy))
        (self.tool.live / "one.example" / "fullchain.pem.ocsp").write_bytes(b"\x30\x03\x0a\x01\x00 and more")
        self.assertEqual(proxy.reload(), "done")
        self.assertFalse(self.stapled(proxy))
        problem = proxy.wait_line(event="configuration-problem")["problem"]
        self.assertIn("fullchain.pem.ocsp is no OCSP response in DER form", problem)

    def test_what_is_refused(self):
        """The reason is the signer's, and what was there before stays."""
        leaf = self.tool.renew("one.example")
        proxy = self.run_proxy(USER)
        chain = self.tool.live / "one.example" / "fullchain.pem"
        for content, why in [(b"no certificate\n", "has no certificate in PEM form"),
                             (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "one that is damaged"),
                             (bytes(200000), "is larger than 128 KB")]:
            with self.subTest(why):
                chain.unlink()
                chain.write_bytes(content)
                proxy.reload()
                proxy.wait_line(event="configuration-problem", that=lambda line, why=why: why in line["problem"])
                self.assert_serves(proxy, leaf)

    def test_unchanged_files_are_not_read_again(self):
        for name in ("one.example", "two.example"):
            self.tool.renew(name)
        self.tool.respond("two.example")
        proxy = self.run_proxy(USER, 'certificate_dir = "live";')
        before = octets_read_by(signer_of(proxy))
        self.assertEqual(proxy.reload(), "done")
        self.assertEqual(octets_read_by(signer_of(proxy)), before)
        self.tool.renew("one.example")
        self.assertEqual(proxy.reload(), "done")
        self.assertGreater(octets_read_by(signer_of(proxy)), before)

    def check(self, *arguments, **options):
        done = harness.run_program("check", "-c", self.write(*arguments, **options))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr.splitlines()

    def test_nothing_is_wrong(self):
        self.tool.renew("one.example")
        self.assertEqual(self.check(USER), [])
        self.assertEqual(self.check(USER, 'certificate_dir = "live";'), [])
        self.assertEqual(self.check('user = "root"; ' + BY_ITSELF), [])  # it reads everything, and stays root

    def test_a_user_who_has_to_read_by_itself(self):
        """Of a folder that can't be entered there is one warning, and not one for each file in it."""
        self.tool.renew("one.example")
        for tls in (None, 'certificate_dir = "live";'):
            with self.subTest(tls):
                lines = self.check(USER + BY_ITSELF, tls)
                self.assertEqual(len(lines), 1, lines)
                self.assertRegex(lines[0], rf'root\.conf:3: warning: user "nobody" can\'t enter {self.tool.live}.*'
                                           rf"setfacl -m u:nobody:rx {self.tool.live}\).*key_isolation = true")
        proxy = self.run_proxy(USER + BY_ITSELF)  # the start says it, too
        self.assertIn("user \"nobody\" can't enter", proxy.text)

    def test_many_keys_of_root(self):
        self.tool.renew("one.example")
        path = self.folder.path / "many"
        path.mkdir(mode=0o755)
        for i in range(15):
            shutil.copy(self.tool.live / "one.example" / "fullchain.pem", path / f"{i:02}.pem")
            shutil.copy(self.tool.live / "one.example" / "privkey.pem", path / f"{i:02}.key")
            (path / f"{i:02}.pem").chmod(0o644)
            (path / f"{i:02}.key").chmod(0o600)
        lines = self.check(USER + BY_ITSELF, '\ncertificate_dir = "many";')
        self.assertEqual(len(lines), 11, lines)
        self.assertTrue(all("root.conf:4: warning: " in line for line in lines[:10]), lines)
        self.assertIn("can't read", lines[0])
        self.assertTrue(any("can't read 5 more files" in line for line in lines), lines)
        self.assertEqual(self.check(USER, 'certificate_dir = "many";'), [])

    def test_files_that_the_guard_does_not_read(self):
        """Authorities, and the configuration itself."""
        self.tool.renew("one.example")
        authorities = self.folder.path / "ca.pem"
        authorities.chmod(0o600)
        lines = self.check(USER, pool='tls = { mode = "implicit"; ca = "ca.pem"; };')
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(f"user \"nobody\" can't read {authorities}: ", lines[0])
        self.assertNotIn("key_isolation", lines[0])
        authorities.chmod(0o644)
        self.folder.path.chmod(0o700)
        self.addCleanup(self.folder.path.chmod, 0o755)
        lines = self.check(USER)
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("root.conf: warning: user \"nobody\" can't enter", lines[0])


if __name__ == "__main__":
    harness.main()
