# SPDX-License-Identifier: BSD-2-Clause
"""Cyrus: a short list in its greeting and a long one when asked, and before login one ID alone that counts."""

import unittest

import client_tests
import imap_tests
import pop3_tests
import rooted_case
from common import PASSWORD, USER
from shown import Shown

SASL = "SCRAM-SHA-512 SCRAM-SHA-384 SCRAM-SHA-256 SCRAM-SHA-224 SCRAM-SHA-1 DIGEST-MD5 CRAM-MD5 NTLM PLAIN LOGIN"
LOGINS = " ".join(f"AUTH={mechanism}" for mechanism in SASL.split()) + " SASL-IR"
GREETING = f"IMAP4rev1 LITERAL+ ID ENABLE {LOGINS}"
WHOLE = """IMAP4rev1 LITERAL+ ID ENABLE ACL ANNOTATE-EXPERIMENT-1 BINARY CATENATE CHILDREN CONDSTORE CREATE-SPECIAL-USE
    ESEARCH ESORT LIST-EXTENDED LIST-MYRIGHTS LIST-STATUS MAILBOX-REFERRALS METADATA MOVE MULTIAPPEND NAMESPACE OBJECTID
    PREVIEW QRESYNC QUOTA RIGHTS=kxten SAVEDATE SEARCH=FUZZY SORT SORT=DISPLAY SPECIAL-USE STATUS=SIZE
    THREAD=ORDEREDSUBJECT THREAD=REFERENCES UIDPLUS UNSELECT URLAUTH URLAUTH=BINARY WITHIN DIGEST=SHA1 LIST-METADATA
    NO_ATOMIC_RENAME SCAN SORT=MODSEQ SORT=UID THREAD=REFS X-CREATEDMODSEQ X-REPLICATION X-SIEVE-MAILBOX XLIST XMOVE
    {} COMPRESS=DEFLATE X-QUOTA=STORAGE X-QUOTA=MESSAGE X-QUOTA=X-ANNOTATION-STORAGE X-QUOTA=X-NUM-FOLDERS IDLE
    APPENDLIMIT=4294967295"""
# It says so to everybody who has logged in.
AFTER = Shown.words(WHOLE.format("LOGINDISABLED"), taken="COMPRESS=DEFLATE", added="DEEP")

CAPA = """
    EXPIRE NEVER
    LOGIN-DELAY 0
    TOP
    UIDL
    PIPELINING
    RESP-CODES
    AUTH-RESP-CODE
    {}IMPLEMENTATION Cyrus POP3 3.6...
    """


class Imap(imap_tests.ImapTests, rooted_case.Case):
    server = "cyrus"
    services = ("imap", "pop3")
    greeting = "localhost Cyrus IMAP 3.6... server ready"
    shows = {
        "greeting": Shown.words(GREETING),
        "before": Shown.words(WHOLE.format(LOGINS), taken="COMPRESS=DEFLATE"),
        "login": AFTER,
        "after": AFTER,
    }
    id_answer = '"name" "Cyrus IMAPD" "version" "3.6..." ... "environment" "..."'
    second_id_answer = "OK NIL"
    mailbox_prefix = "INBOX."
    odd_name = "a [CAPABILITY STARTTLS]"  # braces are refused

    def test_server_hears_the_cipher_suite_with_the_clients_own_fields(self):
        """In the one ID that counts before login."""
        client, _ = self.greeted()
        client.ask(b'a ID ("name" "tester of suites" "tls" "TLS_FORGED")\r\n', b"a OK")
        client.ask(b"b " + imap_tests.LOGIN, b"b OK")
        line = self.in_log(self.servers.log, "client id", '"name" "tester of suites"')
        self.assertIn(f'"tls" "{client.socket.cipher()[0]}"', line)
        self.assertNotIn("FORGED", self.servers.log.read_text())

    def test_server_hears_the_cipher_suite_where_the_client_sends_no_id(self):
        with self.imap() as client:
            told = client.login(USER, PASSWORD)[1][0].decode()
            suite = client.socket().cipher()[0]
        session = told.partition("SESSIONID=")[2]
        self.in_log(self.servers.log, f'client id sessionid={session}: "tls" "{suite}"')


class Pop3(pop3_tests.Pop3Tests, rooted_case.Case):
    server = "cyrus"
    services = ("imap", "pop3")
    greeting = "+OK localhost Cyrus POP3 3.6... server ready <...@localhost>"
    shows = {
        "before": Shown.lines(f"SASL {SASL}" + CAPA.format("USER\n")),
        "after": Shown.lines(CAPA.format("")),
    }
    auth_list = SASL


class Clients(client_tests.ImapClients, client_tests.Pop3Clients, rooted_case.Case):
    server = "cyrus"
    services = ("imap", "pop3")
    mailbox_prefix = "INBOX."


class Checks(rooted_case.ChecksCase):
    server = "cyrus"
    services = ("imap", "pop3")


if __name__ == "__main__":
    unittest.main(verbosity=2)
