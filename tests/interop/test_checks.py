# SPDX-License-Identifier: BSD-2-Clause
"""The running program checks a real Dovecot and Postfix: what it finds, and what the servers' own logs say of it."""

import unittest

import common
import proxy
from checked import ALARMING, CHECK, ROUNDS, checks_of
from common import backend_files, backends, certificates

# What they log at the end of a session without a login.
SIGNS = {"imap": "imap-login: ", "pop3": "pop3-login: ", "submission": "disconnect from "}


class Checks(common.Case):
    with_servers = False
    tls_folder = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        reason = backends.missing()
        if reason:
            raise unittest.SkipTest(reason)
        if cls.tls_folder:
            cls.certificate = cls.folder / cls.tls_folder
            cls.certificate.mkdir()
            certificates.make(cls.certificate, ("store.internal",), ("127.0.0.1", backend_files.NATIVE_HOST))
        cls.servers = cls.enterClassContext(backends.Backends(cls.folder / "servers", tls=cls.tls_folder and cls.certificate))
        # Whoever started them has connected to these ports once, without a word.
        for service, sign in SIGNS.items():
            common.until(f"a line with {sign}", lambda log=cls.servers.logs[service], sign=sign: sign in log.read_text())

    def check(self, way, identity, pool="", rounds=ROUNDS, services=("imap", "pop3", "submission")):
        """What was found, by service: the fields of each check. The logs have no alarm of it."""
        def host(name):
            return backend_files.NATIVE_HOST if way == "-native" and name != "submission" else "127.0.0.1"

        addresses = {name: [f"{host(name)}:{self.servers.ports[name + way]}"] for name in services}
        self.before = {log: len(log.read_text()) for log in self.servers.logs.values()}
        path = self.write_configuration(addresses, identity=identity, pool=CHECK + pool, extra='log_level = "debug"; ')
        running = proxy.Proxy(path)
        self.addCleanup(running.stop)  # not before the logs were read: the end of the program cuts a check short
        found = {name: checks_of(running, name, rounds) for name in services}
        self.logged = {name: self.wait_for_goodbyes(name, rounds) for name in services}
        return found

    def wait_for_goodbyes(self, name, rounds):
        """What the server has logged of all these checks; it does so after they are over."""
        log = self.servers.logs[name]
        sign = SIGNS[name]

        def lines():
            text = log.read_text(errors="replace")[self.before[log]:].splitlines()
            mine = [line for line in text if sign in line]
            return mine if len(mine) >= rounds else None
        return common.until(f"{rounds} lines with {sign}", lines)

    def expect_quiet(self):
        for log, start in self.before.items():
            lines = log.read_text(errors="replace")[start:].splitlines()
            self.assertEqual([line for line in lines if ALARMING.search(line)], [])

    def expect_good(self, found, layer):
        for name, checks in found.items():
            for check in checks:
                self.assertEqual((check["result"], check["layer"], check["detail"]), ("ok", layer, ""), name)
        self.expect_quiet()

    def expect_learned(self, found):
        imap = found["imap"][0]
        self.assertIn("IMAP4rev1", imap["capabilities"].split())
        self.assertRegex(imap["id"], r'"name" "Dovecot"')
        self.assertIn("TOP", found["pop3"][0]["capabilities"].split())
        self.assertIn("CHUNKING", found["submission"][0]["capabilities"].split())


class InClear(Checks):
    def test_direct(self):
        found = self.check("-direct", "none")
        self.expect_good(found, "clear")
        self.expect_learned(found)
        for name in ("imap", "pop3", "submission"):
            self.assertIn("PLAIN", found[name][0]["mechanisms"].split(), name)
            self.assertEqual(len({tuple(check.items()) for check in found[name]}), 1, "each time the same")

    def test_proxy_v2(self):
        found = self.check("", "proxy-v2")
        self.expect_good(found, "clear")
        self.expect_learned(found)

    def test_proxy_v1(self):
        found = self.check("", "proxy-v1")
        self.expect_good(found, "clear")
        self.expect_learned(found)
        # Postfix has the address from the header: it refuses UNKNOWN.
        self.assertIn("[127.0.0.1]", self.logged["submission"][0])

    def test_native(self):
        found = self.check("-native", "native")
        self.expect_good(found, "clear")
        self.expect_learned(found)
        self.assertIn("XCLIENT", found["submission"][0]["capabilities"].split())


class ByStarttls(Checks):
    tls_folder = "store"

    def test_starttls(self):
        found = self.check("-direct", "none", f'tls = {{ mode = "starttls"; ca = "{self.certificate}/ca.pem"; }}; ')
        self.expect_good(found, "tls")
        self.expect_learned(found)
        self.assertNotIn("LOGINDISABLED", found["imap"][0]["capabilities"])
        self.assertNotIn("STARTTLS", found["imap"][0]["capabilities"])

    def test_implicit_behind_a_header(self):
        found = self.check("-tls", "proxy-v2", f'tls = {{ mode = "implicit"; ca = "{self.certificate}/ca.pem"; }}; ')
        self.expect_good(found, "tls")
        self.expect_learned(found)


class Wrong(Checks):
    """Servers that are set up differently: the result says what is wrong. What their logs say is their due."""

    tls_folder = "store"

    def expect_result(self, found, **expected):
        self.assertEqual({name: checks[0]["result"] for name, checks in found.items()}, expected)

    def test_untrusted(self):
        found = self.check("-direct", "none", f'tls = {{ mode = "starttls"; ca = "{self.other_authority()}"; }}; ', 1)
        self.expect_result(found, **dict.fromkeys(found, "tls-untrusted"))
        for checks in found.values():
            self.assertIn("certificate", checks[0]["detail"])

    def test_native_without_trust(self):
        found = self.check("-direct", "native", "", 1, ("pop3", "submission"))
        self.expect_result(found, pop3="no-xclient", submission="no-xclient")

    def test_header_that_is_not_expected(self):
        found = self.check("-direct", "proxy-v1", "", 1)
        self.expect_result(found, **dict.fromkeys(found, "no-proxy"))


if __name__ == "__main__":
    unittest.main()
