# SPDX-License-Identifier: BSD-2-Clause
"""
Certificates and keys as operators really have them: each mistake is named for what it is, with what to do about it, whether
the key is in this process or in the key process; what no handshake can use is refused, and replaces nothing that works.
"""

import os
import subprocess
import unittest

import harness
from harness import certificates

ISOLATIONS = ("", "key_isolation = false;")
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", certificates.DAYS, "-x509")
LEGACY = ("-provider", "legacy", "-provider", "default")


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


class Mistakes(harness.TestCase):
    """A root, an intermediate authority, and what they certify."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.path = cls.folder.path
        openssl("req", *NEW_KEY, "-keyout", cls.path / "root.key", "-out", cls.path / "root.pem", "-subj", "/CN=Own Root",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        cls.certify("middle", "root", "/CN=Own Intermediate", "basicConstraints=critical,CA:TRUE",
                    "keyUsage=critical,keyCertSign")
        cls.certify("leaf", "middle", "/CN=mail.example.com", "subjectAltName=DNS:mail.example.com")

    @classmethod
    def certify(cls, name, issuer, subject, *extensions, new=NEW_KEY, more=()):
        added = [word for extension in ("basicConstraints=critical,CA:FALSE", *extensions) for word in ("-addext", extension)]
        if any(extension.startswith("basicConstraints") for extension in extensions):
            added = added[2:]
        openssl("req", *new, "-keyout", cls.path / f"{name}.key", "-out", cls.path / f"{name}.pem", "-subj", subject,
                "-CA", cls.path / f"{issuer}.pem", "-CAkey", cls.path / f"{issuer}.key", *added, *more)

    def join(self, name, *parts):
        return self.folder.write(name, "".join((self.path / f"{part}.pem").read_text() for part in parts))

    def check(self, chain="leaf-chain.pem", key="leaf.key", extra="", more=""):
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], ["127.0.0.1:1"], "none")}, extra=extra)
        text = text.replace('chain = "mail.pem"; key = "mail.key";', f'chain = "{chain}"; key = "{key}"; {more}')
        return harness.run_program("check", "-c", self.folder.write("check.conf", text))

    def assert_warned(self, words, **files):
        """One warning, whichever process has the key, which is no error."""
        for extra in ISOLATIONS:
            result = self.check(extra=extra, **files)
            self.assertEqual(result.returncode, 0, result.stderr)
            lines = [line for line in result.stderr.splitlines() if "warning" in line]
            self.assertEqual(len(lines), 1 if words else 0, result.stderr)
            if words:
                self.assertRegex(lines[0], words)

    def assert_refused(self, *words, isolations=ISOLATIONS, **files):
        for extra in isolations:
            result = self.check(extra=extra, **files)
            self.assertEqual(result.returncode, 1, result.stderr)
            for one in words:
                self.assertRegex(result.stderr, one)


class Chains(Mistakes):
    def test_a_chain_with_its_intermediate(self):
        self.join("leaf-chain.pem", "leaf", "middle")
        self.assert_warned(None)
        self.join("leaf-chain.pem", "leaf", "middle", "root")
        self.assert_warned(None)

    def test_a_chain_without_its_intermediate(self):
        self.join("leaf-chain.pem", "leaf")
        self.assert_warned(r"leaf-chain\.pem has the leaf alone.*CN=Own Intermediate.*append it")
        self.join("leaf-chain.pem", "leaf", "root")
        self.assert_warned(r"certificate 2 in .*leaf-chain\.pem, of CN=Own Root, has issued none.*CN=Own Intermediate")

    def test_a_wrong_order(self):
        self.join("leaf-chain.pem", "leaf", "root", "middle")
        self.assert_warned(r"leaf-chain\.pem are in the wrong order.*in the order 1, 3, 2")
        self.join("leaf-chain.pem", "middle", "leaf")
        self.assert_refused(r"does not belong to the first certificate in .*but to certificate 2: put that first")

    def test_a_foreign_certificate(self):
        self.certify("other", "root", "/CN=other.example.com", "subjectAltName=DNS:other.example.com")
        self.join("leaf-chain.pem", "leaf", "middle", "other")
        self.assert_warned(r"certificate 3 in .*of CN=other\.example\.com, has issued none.*remove it")

    def test_an_issuer_of_the_same_name_with_another_key(self):
        """An authority that was made anew: names fit, signatures don't."""
        old = (self.path / "middle.pem").read_text(), (self.path / "middle.key").read_text()
        for name, text in zip(("old.pem", "old.key"), old):
            self.folder.write(name, text)
        openssl("req", *NEW_KEY, "-keyout", self.path / "anew.key", "-out", self.path / "anew.pem", "-subj",
                "/CN=Own Intermediate", "-CA", self.path / "root.pem", "-CAkey", self.path / "root.key",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "subjectKeyIdentifier=none")
        self.certify("bare", "middle", "/CN=mail.example.com", "subjectAltName=DNS:mail.example.com",
                     "authorityKeyIdentifier=none")
        self.join("leaf-chain.pem", "bare", "anew")
        self.assert_warned(r"certificate 2 in .*has issued none of the others", key="bare.key")
        self.join("leaf-chain.pem", "bare", "middle")
        self.assert_warned(None, key="bare.key")


class Leaves(Mistakes):
    NAME = "subjectAltName=DNS:mail.example.com"

    def make(self, *extensions, subject="/CN=mail.example.com", **how):
        self.certify("bad", "middle", subject, *extensions, **how)
        self.join("bad-chain.pem", "bad", "middle")
        return {"chain": "bad-chain.pem", "key": "bad.key"}

    def test_what_clients_reject(self):
        rsa = ("-newkey", "rsa:1024", *NEW_KEY[4:])
        cases = [
            (self.NAME, {}, None),
            ("nsComment=x", {}, r"has no subjectAltName: its name mail\.example\.com is in the common name \(CN\) alone"),
            ("nsComment=x", {"subject": "/O=Example"}, r"has no subjectAltName, and so no name"),
            ("subjectAltName=DNS:www.example.com", {}, r"those that ask for mail\.example\.com will reject it"),
            (self.NAME, {"more": ("-addext", "extendedKeyUsage=clientAuth")}, "extendedKeyUsage lacks serverAuth"),
            (self.NAME, {"more": ("-addext", "tlsfeature=status_request")}, r"must-staple.*bad-chain\.pem\.ocsp"),
            (self.NAME, {"more": ("-sha1",)}, "certificate 1 in .* is signed with SHA-1"),
            (self.NAME, {"new": rsa}, "has an RSA key of 1024 bits"),
            (self.NAME, {"new": ("-newkey", "rsa:2048", *NEW_KEY[4:]), "more": ("-addext", "keyUsage=keyEncipherment")},
             "keyUsage lacks digitalSignature.*GnuTLS"),
            (self.NAME, {"more": ("-days", "1000")}, "Apple's mail programs reject"),
        ]
        for extension, how, words in cases:
            with self.subTest(extension=extension, how=how):
                self.assert_warned(words, **self.make(extension, **how))

    def test_a_key_that_everybody_can_read(self):
        files = self.make(self.NAME)
        os.chmod(self.path / "bad.key", 0o644)
        self.assert_warned(None, **files)  # the folder keeps others out
        os.chmod(self.path, 0o755)
        self.addCleanup(os.chmod, self.path, 0o700)
        self.assert_warned(r"the private key .*bad\.key can be read by every user.*chmod o-rwx", **files)

    def test_what_no_handshake_can_use(self):
        self.assert_refused("keyUsage lacks digitalSignature, so that no TLS handshake",
                            **self.make(self.NAME, "keyUsage=critical,keyAgreement"))
        new = (*NEW_KEY[:3], "ec_paramgen_curve:secp256k1", *NEW_KEY[4:])
        self.assert_refused("on a curve that TLS doesn't use", **self.make(self.NAME, new=new))
        ed25519 = ("-newkey", "ed25519", *NEW_KEY[4:])
        self.assert_refused("is of a kind that is not supported", **self.make(self.NAME, new=ed25519))


class Renewals(Mistakes):
    def test_one_that_can_not_sign_replaces_none_that_works(self):
        for extra in ISOLATIONS:
            self.certify("mail", "middle", "/CN=localhost", "subjectAltName=DNS:localhost")
            self.join("mail.pem", "mail", "middle")
            proxy = self.start({"pop3": [self.backend(harness.pop3)]}, extra=extra)
            with self.client(proxy, "pop3") as client:
                good = client.tls.getpeercert(True)
            self.certify("bad", "middle", "/CN=localhost", "subjectAltName=DNS:localhost", "keyUsage=critical,keyAgreement")
            os.replace(self.path / "bad.key", self.path / "mail.key")
            os.replace(self.path / "bad.pem", self.path / "mail.pem")
            problem = proxy.wait_line(event="configuration-problem")["problem"]
            self.assertIn("the one that was loaded before stays in use", problem)
            with self.client(proxy, "pop3") as client:
                self.assertEqual(client.tls.getpeercert(True), good)
            proxy.stop()


    def test_one_that_no_suite_signs_with(self):
        """The list of suites is for keys of the other kind, and there is no TLS 1.3, whose suites take every key."""
        tls = 'max_version = "TLSv1.2"; ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";'
        for extra in ISOLATIONS:
            self.certify("mail", "middle", "/CN=localhost", "subjectAltName=DNS:localhost")
            self.join("mail.pem", "mail", "middle")
            proxy = self.start({"pop3": [self.backend(harness.pop3)]}, extra=extra, tls=tls)
            with self.client(proxy, "pop3") as client:
                good = client.tls.getpeercert(True)
            text = (self.path / "deepproxy.conf").read_text()
            self.folder.write("deepproxy.conf", text.replace("ECDHE-ECDSA", "ECDHE-RSA"))
            self.assertIn("refused", proxy.reload())
            problem = proxy.wait_line(event="configuration-problem")["problem"]
            self.assertIn('"ciphers" has no suite for an ECDSA key', problem)
            self.folder.write("deepproxy.conf", text)
            self.assertEqual(proxy.reload(), "done")
            self.certify("bad", "middle", "/CN=localhost", "subjectAltName=DNS:localhost",
                         new=("-newkey", "rsa:2048", *NEW_KEY[4:]))
            os.replace(self.path / "bad.key", self.path / "mail.key")
            os.replace(self.path / "bad.pem", self.path / "mail.pem")
            proxy.wait_line(event="configuration-problem", that=lambda line: "an RSA key" in line["problem"])
            with self.client(proxy, "pop3") as client:
                self.assertEqual(client.tls.getpeercert(True), good)
            proxy.stop()


class Forms(Mistakes):
    """A file that is something else, in the place of a chain or of a key."""

    def setUp(self):
        self.join("leaf-chain.pem", "leaf", "middle")

    def test_in_place_of_a_chain(self):
        path, leaf, key = self.path, self.path / "leaf.pem", self.path / "leaf.key"
        request = openssl("req", "-new", "-key", key, "-subj", "/CN=mail.example.com")
        base64 = b"".join(leaf.read_bytes().splitlines(True)[1:-1])
        crl_settings = self.folder.write("crl.cnf", "[ca]\ndefault_ca = a\n[a]\ndatabase = "
                                         f"{self.folder.write('index.txt', '')}\ndefault_md = sha256\ndefault_crl_days = 1\n")
        crl = openssl("ca", "-gencrl", "-config", crl_settings, "-cert", path / "root.pem", "-keyfile", path / "root.key")
        forms = [
            (b"", "it is empty"),
            (b"\n \n", "it is empty"),
            (openssl("x509", "-in", leaf, "-outform", "DER"), r"DER form: openssl x509 -inform DER"),
            (openssl("pkcs12", "-export", "-in", leaf, "-inkey", key, "-passout", "pass:x"), r"PKCS#12.*-nokeys"),
            (openssl("crl2pkcs7", "-nocrl", "-certfile", leaf), r"PKCS#7.*openssl pkcs7 -in FILE -print_certs"),
            (openssl("crl2pkcs7", "-nocrl", "-certfile", leaf, "-outform", "DER"), r"PKCS#7.*-inform DER"),
            (request, r"certificate request.*openssl x509 -req"),
            (openssl("req", "-outform", "DER", data=request), "certificate request"),
            (openssl("pkey", "-in", key, "-pubout"), "public key, and no certificate"),
            (openssl("pkey", "-in", key, "-pubout", "-outform", "DER"), "public key, and no certificate"),
            (openssl("pkey", "-in", key, "-outform", "DER"), 'private key in DER form.*"chain" and "key" exchanged'),
            (crl, "list of revoked certificates"),
            (openssl("crl", "-outform", "DER", data=crl), "list of revoked certificates"),
            (leaf.read_text().encode("utf-16"), "UTF-16: iconv"),
            (base64, "base64 without its first and last line"),
            (openssl("x509", "-in", leaf, "-noout", "-text"), "describes a certificate in words"),
            (b"<!DOCTYPE html><title>404</title>", "web page"),
            (leaf.read_bytes().replace(b"\n", b"\r"), "CR alone"),
            (b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", "parameters alone"),
            (b"something", "is it the right file"),
        ]
        for content, words in forms:
            with self.subTest(words=words):
                (path / "form.pem").write_bytes(content)
                self.assert_refused(r"form\.pem has no certificate in PEM form.*" + words, chain="form.pem")
        self.assert_refused(r'it has a private key, and no certificate; are "chain" and "key" exchanged',
                            r'it has certificates, and no key; are "chain" and "key" exchanged', chain="leaf.key", key="leaf.pem")

    def test_in_place_of_a_key(self):
        path, leaf, key = self.path, self.path / "leaf.pem", self.path / "leaf.key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", path / "ssh"], check=True)
        forms = [
            (b"", "it is empty"),
            (openssl("pkey", "-in", key, "-outform", "DER"), r"DER form: openssl pkey -inform DER"),
            (openssl("ec", "-in", key, "-outform", "DER"), r"DER form: openssl pkey -inform DER"),
            (openssl("pkcs8", "-topk8", "-in", key, "-outform", "DER", "-passout", "pass:x"), r"DER form"),
            (openssl("x509", "-in", leaf, "-outform", "DER"), "certificate in DER form, and no key"),
            (openssl("pkcs12", "-export", "-in", leaf, "-inkey", key, "-passout", "pass:x"), r"PKCS#12.*-nocerts"),
            (openssl("crl2pkcs7", "-nocrl", "-certfile", leaf), "PKCS#7.*no key"),
            (openssl("req", "-new", "-key", key, "-subj", "/CN=x"), "certificate request.*no private key"),
            (openssl("pkey", "-in", key, "-pubout"), "public key alone"),
            ((path / "ssh").read_bytes(), "OpenSSH's own form.*ssh-keygen -p -m PEM"),
            ((path / "ssh.pub").read_bytes(), "public key of OpenSSH"),
            (b"PuTTY-User-Key-File-3: ecdsa-sha2-nistp256\n", "PuTTY's own form"),
            (b"\xFE\xED\xFE\xED\0\0\0\2", "keystore of Java: keytool"),
            (b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", "parameters alone"),
            (key.read_bytes().replace(b"\n", b"\r"), "CR alone"),
        ]
        for content, words in forms:
            with self.subTest(words=words):
                (path / "form.key").write_bytes(content)
                self.assert_refused(r"form\.key has no private key in PEM form.*" + words, key="form.key")

    def test_one_file_for_both(self):
        both = openssl("pkcs12", "-export", "-in", self.path / "leaf.pem", "-inkey", self.path / "leaf.key", "-passout", "pass:x")
        (self.path / "both.p12").write_bytes(both)
        result = self.check(chain="both.p12", key="both.p12")
        self.assertRegex(result.stderr, r"both\.p12 has no private key in PEM form.*it is PKCS#12")
        self.assertEqual(len([line for line in result.stderr.splitlines() if "both.p12" in line]), 1, result.stderr)

    def test_forms_that_are_read(self):
        leaf, key = self.path / "leaf.pem", self.path / "leaf.key"
        middle = (self.path / "middle.pem").read_text()
        trusted = openssl("x509", "-in", leaf, "-trustout", "-addtrust", "serverAuth").decode()
        chains = [trusted, leaf.read_text().replace(" CERT", " X509 CERT"), "\ufeff" + leaf.read_text(),
                  leaf.read_text().replace("\n", "\r\n"), openssl("x509", "-in", leaf, "-text").decode()]
        for chain in chains:
            self.folder.write("read.pem", chain + middle)
            self.assert_warned(None, chain="read.pem")
        parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        older = openssl("ec", "-in", key).decode()
        for text in (parameters + older, "\ufeff" + key.read_text(), key.read_text().replace("\n", "\r\n"), older):
            self.folder.write("read.key", text)
            self.assert_warned(None, key="read.key")


class Passphrases(Mistakes):
    def setUp(self):
        self.join("leaf-chain.pem", "leaf", "middle")
        self.folder.write("right", "x\n")
        self.folder.write("wrong", "y\n")

    def check_encrypted(self, extra, passphrase, *how):
        openssl(*how, "-in", self.path / "leaf.key", "-passout", "pass:x", "-out", self.path / "secret.key")
        return self.check(key="secret.key", extra=extra, more=f'passphrase = "{passphrase}";')

    def test_a_wrong_one_is_blamed(self):
        for how in (("pkcs8", "-topk8"), ("ec", "-aes128")):
            for extra in ISOLATIONS:
                self.assertEqual(self.check_encrypted(extra, "right", *how).returncode, 0)
                self.assertRegex(self.check_encrypted(extra, "wrong", *how).stderr, "is not its passphrase")

    def test_a_right_one_is_not(self):
        cases = [
            (ISOLATIONS[0], ("pkcs8", "-topk8", "-v1", "PBE-SHA1-RC2-128", *LEGACY), r"RC2 with 128 bits \(PKCS#12\)"),
            (ISOLATIONS[0], ("ec", "-des", *LEGACY), "with DES,"),
            (ISOLATIONS[1], ("pkcs8", "-topk8", "-scrypt"), r"scrypt \(PBES2\)"),
            (ISOLATIONS[1], ("ec", "-camellia128"), "Camellia"),
            (ISOLATIONS[0], ("pkcs8", "-topk8", "-v1", "PBE-MD5-DES", *LEGACY), r"MD5 and DES \(PBES1\)"),
            (ISOLATIONS[1], ("pkcs8", "-topk8", "-v1", "PBE-MD5-DES", *LEGACY), r"MD5 and DES \(PBES1\)"),
        ]
        for extra, how, words in cases:
            for passphrase in ("right", "wrong"):
                with self.subTest(how=how, passphrase=passphrase):
                    text = self.check_encrypted(extra, passphrase, *how).stderr
                    self.assertRegex(text, words + ".*can't be decrypted here, whatever the passphrase: openssl pkey -aes256")
                    self.assertNotIn("is not its passphrase", text)


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    harness.main()
