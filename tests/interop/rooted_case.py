# SPDX-License-Identifier: BSD-2-Clause
"""The case whose server lives in a Debian root of its own."""

import common
import rooted


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
