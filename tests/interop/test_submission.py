# SPDX-License-Identifier: BSD-2-Clause
"""Postfix: it takes PROXY v2, and anything with LF.LF for an end; what it delivers is found by way of Dovecot."""

import smtplib
import unittest

import common
import submission_tests
from common import ADDRESS, MEGABYTES_10, PASSWORD, USER, message
from shown import Shown

EHLO = Shown.lines("""
    PIPELINING
    SIZE 52428800
    VRFY
    ETRN
    AUTH PLAIN LOGIN CRAM-MD5
    ENHANCEDSTATUSCODES
    8BITMIME
    DSN
    SMTPUTF8
    CHUNKING
    """)


class Submission(submission_tests.SubmissionTests, submission_tests.AuthTests, submission_tests.ChunkingTests,
                 common.Case):
    greeting = "220 legacy.localhost ESMTP Postfix"
    ehlo_name = "legacy.localhost"
    shows = {"before": EHLO, "after": EHLO}

    def messages(self):
        with self.imap() as client:
            client.login(USER, PASSWORD)
            client.select("INBOX", readonly=True)
            numbers = client.search(None, "ALL")[1][0].split()
            return [client.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in numbers]

    def test_no_open_relay_though_the_proxy_is_local(self):
        client, _ = self.greeted("127.0.0.4")
        client.ask(submission_tests.EHLO, b"250 ")
        client.ask(b"MAIL FROM:<a@example.com>\r\n", b"250")
        client.ask(b"RCPT TO:<b@example.com>\r\n", b"554")
        self.in_log(self.servers.postfix_log, "reject: RCPT from unknown[127.0.0.4]")

    def test_backend_sees_the_clients_address(self):
        with self.smtp("127.0.0.5") as client:
            client.login(USER, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], message("from 127.0.0.5"))
        self.in_log(self.servers.postfix_log, "client=unknown[127.0.0.5]", "sasl_username=demo")
        self.assertIn(b"127.0.0.5", self.find_message("from 127.0.0.5"))
        line = self.session_of("127.0.0.5", "submission")
        self.assertEqual((line["tls"], line["backend"]), ("TLSv1.3", self.addresses["submission"][0]))

    def test_ten_megabytes_by_data(self):
        sent = message("ten megabytes by DATA", MEGABYTES_10, seed=4)
        with self.smtp() as client:
            client.login(USER, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], sent, mail_options=["BODY=8BITMIME"])
        self.assert_delivered("ten megabytes by DATA", sent.partition(b"\r\n\r\n")[2])

    def test_refused_recipients_by_smtplib(self):
        with self.smtp() as client:
            client.login(USER, PASSWORD)
            with self.assertRaises(smtplib.SMTPRecipientsRefused):
                client.sendmail(ADDRESS, ["a@example.com"], message("nowhere"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
