# SPDX-License-Identifier: BSD-2-Clause
"""
What sslscan and testssl.sh say about the TLS that clients get by default, of each protocol, with implicit TLS and STARTTLS.

testssl.sh takes minutes for all that it knows: here it looks at versions and kinds of suites. DEEPPROXY_SCAN=full makes it
look at everything, vulnerabilities by name included.
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import certificates  # noqa: E402
import proxy  # noqa: E402

# A whole scan on a machine that is busy with other tests.
PATIENCE = 900
AT_ONCE = 2
WHOLE = os.environ.get("DEEPPROXY_SCAN") == "full"

# What both call a service's protocol before STARTTLS.
STARTTLS = {"imap": "imap", "pop3": "pop3", "submission": "smtp"}

SUITES = {"TLSv1.3": ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
          "TLSv1.2": ["ECDHE-{}-AES128-GCM-SHA256", "ECDHE-{}-AES256-GCM-SHA384", "ECDHE-{}-CHACHA20-POLY1305"]}
GROUPS = {"x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)"}

# Severities of testssl.sh that are no finding, and findings that say nothing about deepproxy.
FINE = {"OK", "INFO", "DEBUG"}
NOT_OURS = {
    "engine_problem": "the scanner's own OpenSSL has no GOST",
    "cert_expirationStatus": "the test's certificate is made for 30 days",
    "cert_notAfter": "likewise",
    "cert_revocation": "the test's authority has no OCSP responder and no list",
}
# What the scanner has not been able to look at: its client asks for a ticket of TLS 1.3 and goes without a word, and the ticket
# comes with the first data. test_resumption.py and test_tls.py look at them.
NOT_SEEN = {("sessionresumption_ticket", "check failed because of connect problem")}


def scan(name, port, *options):
    """A scanner's run; the words that select STARTTLS are the caller's."""
    return subprocess.run([name, *options, f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=PATIENCE, check=False)


def protocol_of(service):
    return service.removesuffix("-starttls")


def is_starttls(service):
    return service.endswith("-starttls")


class Scanners(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="deepproxy-test.")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        certificates.make(cls.folder)
        cls.ports = cls.start("mail")

    @classmethod
    def start(cls, certificate, tls=""):
        """Nobody gets as far as a server: where these would be nobody listens. Returns the ports of the services."""
        servers = {protocol: ["127.0.0.1:1"] for protocol in STARTTLS}
        text = proxy.configuration("A test's", servers, tls=tls)
        path = cls.folder / f"{certificate}.conf"
        path.write_text(text.replace("mail.pem", f"{certificate}.pem").replace("mail.key", f"{certificate}.key"))
        return cls.enterClassContext(proxy.Proxy(path)).ports

    @staticmethod
    def need(program):
        if not shutil.which(program):
            raise unittest.SkipTest(f"{program} is not installed")

    def check_sslscan(self, service, port, key):
        self.need("sslscan")
        starttls = [f"--starttls-{STARTTLS[protocol_of(service)]}"] if is_starttls(service) else []
        found = xml.etree.ElementTree.fromstring(scan("sslscan", port, "--xml=-", *starttls).stdout).find("ssltest")
        self.assertEqual({(each.get("type"), each.get("version")) for each in found.findall("protocol")
                          if each.get("enabled") == "1"}, {("tls", "1.2"), ("tls", "1.3")})
        self.assertEqual(found.find("renegotiation").get("supported"), "0")
        self.assertEqual({each.get("vulnerable") for each in found.findall("heartbleed")}, {"0"})
        for version, suites in SUITES.items():
            self.assertEqual([each.get("cipher") for each in found.findall("cipher")
                              if each.get("sslversion") == version], [suite.format(key) for suite in suites])
            self.assertEqual({each.get("name") for each in found.findall("group")
                              if each.get("sslversion") == version}, GROUPS)
        # TLS 1.3's are called acceptable: they may be combined with any group.
        self.assertLessEqual({each.get("strength") for each in found.findall("cipher")}, {"strong", "acceptable"})

    def test_sslscan(self):
        for service, port in self.ports.items():
            with self.subTest(service):
                self.check_sslscan(service, port, "ECDSA")

    def test_sslscan_with_rsa(self):
        certificates.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                             "-addext", "subjectAltName=DNS:localhost", "-keyout", self.folder / "rsa.key", "-out",
                             self.folder / "rsa.pem")
        for service, port in self.start("rsa").items():
            with self.subTest(service):
                self.check_sslscan(service, port, "RSA")

    def findings(self, service, sections):
        """What testssl.sh has found, and how many things it has looked at."""
        report = self.folder / f"{service}.json"
        options = ["--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none", "--add-ca",
                   self.folder / "ca.pem", "--jsonfile", report, *sections]
        if is_starttls(service):
            options += ["--starttls", STARTTLS[protocol_of(service)]]
        done = scan("testssl", self.ports[service], *options)
        said = json.loads(report.read_text())
        self.assertTrue(any(each["id"] == "TLS1_2" for each in said), done.stdout.decode(errors="replace"))
        return [f"{each['severity']} {each['id']}: {each['finding']}" for each in said
                if each["severity"] not in FINE and each["id"] not in NOT_OURS
                and (each["id"], each["finding"]) not in NOT_SEEN], len(said)

    def test_testssl(self):
        self.need("testssl")
        # With implicit TLS everything that is fast; behind STARTTLS the same TLS, so that one of its sections will do.
        chosen = {service: [] if WHOLE else ["--protocols"] if is_starttls(service) else ["--protocols", "--std"]
                  for service in self.ports if WHOLE or is_starttls(service) or service == "imap"}
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            results = dict(zip(chosen, pool.map(self.findings, chosen, chosen.values())))
        for service, (found, looked_at) in results.items():
            with self.subTest(service):
                self.assertEqual(found, [])
                self.assertGreater(looked_at, 90 if WHOLE else 5)

    def test_testssl_would_find_something(self):
        """That what is asked for by name is a finding, and old suites are."""
        self.need("testssl")
        type(self).ports = {**self.ports, "old": self.start("mail", 'min_version = "TLSv1.0";')["imap"]}
        found, _ = self.findings("old", ["--protocols", "--std"])
        del self.ports["old"]
        self.assertTrue(any(" TLS1: " in finding for finding in found), found)
        self.assertTrue(any(" TLS1_1: " in finding for finding in found), found)

    def test_suites_of_1_3_are_the_clients_choice(self):
        """So a client without instructions for AES gets ChaCha20, which it names first."""
        for order in (["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"],
                      ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]):
            done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.ports['imap']}", "-tls1_3",
                                   "-ciphersuites", ":".join(order)], stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=PATIENCE, check=False)
            self.assertIn(f"Cipher is {order[0]}".encode(), done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
