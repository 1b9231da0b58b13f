# SPDX-License-Identifier: BSD-2-Clause
"""The case whose server lives in a Debian root of its own."""

import common
import proxy
import rooted
from checked import ALARMING, CHECK, ROUNDS, checks_of


class Case(common.Case):
    """The class names the server, as its recipe below roots/ is named. Without its root the tests fail."""

    server = None
    identity = "none"

    @classmethod
    def start_servers(cls, directory):
        reason = rooted.unusable(cls.server)
        if reason:
            raise AssertionError(reason)
        return rooted.Rooted(cls.server, directory, cls.services, cls.identity != "none")


class ChecksCase(Case):
    """The program checks the server as often as in a day, and its log has nothing alarming of it."""

    def test_checks(self):
        before = len(self.servers.log.read_text(errors="replace"))
        addresses = {name: [f"127.0.0.1:{self.servers.ports[name]}"] for name in self.services}
        path = self.write_configuration(addresses, identity=self.identity, pool=CHECK, extra='log_level = "debug"; ')
        with proxy.Proxy(path) as running:
            for name in self.services:
                checks = checks_of(running, name, ROUNDS)
                self.assertEqual({(check["result"], check["detail"]) for check in checks}, {("ok", "")}, name)
            lines = self.servers.log.read_text(errors="replace")[before:].splitlines()
        self.assertEqual([line for line in lines if ALARMING.search(line)], [])


class SubmissionCase(Case):
    """Its server takes PROXY v2, and delivers to a Maildir that can be read from here."""

    services = ("submission",)
    identity = "proxy-v2"
    line_end = b"\n"

    def messages(self):
        return [path.read_bytes() for path in self.servers.mail.glob("*/new/*")]

    def find_message(self, subject):
        line = f"\nSubject: {subject}\n".encode()

        def found():
            return next((text for text in self.messages() if line in b"\n" + text.partition(b"\n\n")[0] + b"\n"), None)
        return common.until(f"the message {subject}", found)
