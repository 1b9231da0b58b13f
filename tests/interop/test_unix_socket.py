# SPDX-License-Identifier: BSD-2-Clause
"""Dovecot's IMAP behind a Unix socket of its own."""

import unittest

import common
from common import MEGABYTES_2, PASSWORD, USER, digest, message


class UnixSocket(common.Case):
    services = ("imap",)
    identity = "none"

    @classmethod
    def start_servers(cls, directory):
        reason = common.backends.missing(postfix=False)
        if reason:
            raise unittest.SkipTest(reason)
        return common.backends.Backends(directory, postfix=False)

    @classmethod
    def start_proxy(cls, servers, **options):
        cls.address = f"unix:{cls.servers.directory}/imap.socket"
        return super().start_proxy({"imap": [cls.address]}, **options)

    def test_session(self):
        large = message("over a socket", MEGABYTES_2, 7)
        with self.imap() as client:
            client.login(USER, PASSWORD)
            self.assertEqual(client.append("INBOX", None, None, large)[0], "OK")
            client.select("INBOX", readonly=True)
            uid = client.uid("SEARCH", "HEADER", "Subject", '"over a socket"')[1][0].split()[-1]
            self.assertEqual(digest(client.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1]), digest(large))
        line = self.session_of("127.0.0.1", "imap")
        self.assertEqual((line["backend"], line["reason"]), (self.address, "logout"))

    def test_many_sessions(self):
        for _ in range(20):
            with self.imap() as client:
                client.login(USER, PASSWORD)
                client.noop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
