# SPDX-License-Identifier: BSD-2-Clause
"""OpenSMTPD: one EHLO for each connection, no pipelining, and no login in clear: it trusts addresses."""

import unittest

import rooted_case
import sasl
import submission_tests
from common import ADDRESS, message
from shown import Shown


class Submission(rooted_case.SubmissionCase, submission_tests.SubmissionTests):
    server = "opensmtpd"
    greeting = "220 legacy.localhost ESMTP OpenSMTPD"
    ehlo_name = "legacy.localhost Hello client.test [127.0.0.1], pleased to meet you"
    shows = {"before": Shown.lines("""
        8BITMIME
        ENHANCEDSTATUSCODES
        SIZE 36700160
        DSN
        HELP
        """)}
    ehlo_again = False
    needs_auth = False

    def test_auth_is_refused(self):
        client = self.logged_in()
        client.ask(b"AUTH PLAIN " + sasl.PLAIN, b"503")
        client.ask(b"NOOP\r\n", b"250")

    def test_server_sees_the_clients_address(self):
        """127.0.0.0/24 may send; the proxy's own address, 127.0.0.1, is not what counts."""
        with self.smtp("127.0.0.5") as client:
            client.sendmail(ADDRESS, [ADDRESS], message("from 127.0.0.5"))
        self.assertIn(b"127.0.0.5", self.find_message("from 127.0.0.5"))
        client, _ = self.greeted("127.0.9.5")
        client.ask(submission_tests.EHLO, b"250 ")
        client.ask(submission_tests.ENVELOPE[0], b"250")
        client.ask(submission_tests.ENVELOPE[1], b"550")


class Checks(rooted_case.ChecksCase):
    server = "opensmtpd"
    services = ("submission",)
    identity = "proxy-v2"


if __name__ == "__main__":
    unittest.main(verbosity=2)
