# SPDX-License-Identifier: BSD-2-Clause
"""Exim: it offers PIPECONNECT, and AUTH no more once somebody has logged in."""

import unittest

import client_tests
import rooted_case
import submission_tests
from common import ADDRESS, PASSWORD, USER, message
from shown import Shown

EHLO = """
    SIZE 52428800
    8BITMIME
    PIPELINING
    PIPECONNECT
    {}CHUNKING
    SMTPUTF8
    HELP
    """


class Submission(rooted_case.SubmissionCase, submission_tests.SubmissionTests, submission_tests.AuthTests,
                 submission_tests.ChunkingTests):
    server = "exim"
    greeting = "220 legacy.localhost ESMTP Exim 4.96 ..."
    ehlo_name = "legacy.localhost Hello client.test [127.0.0.1]"
    shows = {
        "before": Shown.lines(EHLO.format("AUTH PLAIN LOGIN CRAM-MD5\n"), taken="PIPECONNECT"),
        "after": Shown.lines(EHLO.format(""), taken="PIPECONNECT"),
    }

    def test_server_sees_the_clients_address(self):
        with self.smtp("127.0.0.5") as client:
            client.login(USER, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], message("from 127.0.0.5"))
        self.assertIn(b"127.0.0.5", self.find_message("from 127.0.0.5"))
        self.in_log(self.servers.log, "<= demo@localhost", "[127.0.0.5]", "A=cram:demo")


class Clients(rooted_case.SubmissionCase, client_tests.SubmissionClients):
    server = "exim"


class Checks(rooted_case.ChecksCase):
    server = "exim"
    services = ("submission",)
    identity = "proxy-v2"


if __name__ == "__main__":
    unittest.main(verbosity=2)
