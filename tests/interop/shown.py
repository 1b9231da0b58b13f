# SPDX-License-Identifier: BSD-2-Clause
"""What a server shows in clear, written down, and the exact difference that the proxy makes to it."""

import dataclasses
import re

STATUS = "tls11 tls12 <https://localhost/mail-security>"


def pattern(text):
    """A regular expression for the text; "..." in it stands for what differs by version, time or session."""
    return re.escape(text).replace(r"\.\.\.", ".*")


@dataclasses.dataclass(frozen=True)
class Shown:
    """
    A list of words or lines: what the server shows, what of it no client sees, and what every client sees at its end.
    """
    clear: tuple
    taken: tuple = ()
    added: tuple = ()

    @staticmethod
    def words(clear, taken="", added="DEEP"):
        """Of IMAP's capabilities."""
        return Shown(tuple(clear.split()), tuple(taken.split()), tuple(added.split()))

    @staticmethod
    def lines(clear, taken="", added=f"DEEP {STATUS}"):
        """Of POP3's and SMTP's."""
        split = [[line.strip() for line in text.strip().splitlines()] for text in (clear, taken, added)]
        return Shown(*map(tuple, split))

    def edited(self, items):
        return [item for item in items if item not in self.taken] + list(self.added)


class Assertions:
    """For test cases: that a server's list is the one that is written down, and the proxy's the edited one."""

    def assert_shown(self, shown, clear, proxied):
        self.assertEqual(len(clear), len(shown.clear), (clear, shown.clear))
        for written, item in zip(shown.clear, clear):
            self.assertRegex(item, f"^{pattern(written)}$")
        for item in shown.taken:
            self.assertIn(item, clear)
        self.assertEqual(proxied, shown.edited(clear))

    def assert_greeting(self, written, *greetings):
        for greeting in greetings:
            self.assertRegex(greeting.decode().rstrip("\r\n"), f"^{pattern(written)}$")
