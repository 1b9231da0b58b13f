# SPDX-License-Identifier: BSD-2-Clause
"""Dovecot's IMAP: it takes PROXY v2, and logs the client's address and the fields of its ID."""

import unittest

import common
import imap_tests
from common import LOGIN, MEGABYTES_10, PASSWORD, SAYS, SECURED, USER, digest, message
from imap_tests import capabilities
from shown import Shown

DIALECT = common.backend_files.dovecot_dialect()
BEFORE = {
    "2.3": "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5",
    "2.4": "IMAP4rev1 LOGIN-REFERRALS ID ENABLE IDLE SASL-IR LITERAL+ AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5",
}[DIALECT]
AFTER = {
    "2.3": Shown.words("""IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES
    THREAD=REFS THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED
    I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE SNIPPET=FUZZY
    PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY"""),
    "2.4": Shown.words("""IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES
    THREAD=REFS THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED
    I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE REPLACE
    SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW SPECIAL-USE STATUS=SIZE SAVEDATE COMPRESS=DEFLATE INPROGRESS NOTIFY LITERAL+""",
                       taken="COMPRESS=DEFLATE"),
}[DIALECT]


class Imap(imap_tests.ImapTests, common.Case):
    greeting = SAYS["ready"]
    shows = {"greeting": Shown.words(BEFORE), "before": Shown.words(BEFORE), "login": AFTER, "after": AFTER}
    id_answer = '"name" "Dovecot"'

    def test_capabilities_before_the_answer_to_login(self):
        """Where the client has asked once, they come on a line of their own."""
        answers = []
        for client in (self.in_clear("imap"), self.raw("imap")):
            client.line()
            client.ask(b"a CAPABILITY\r\n", b"a OK")
            answers.append(client.ask(b"b " + imap_tests.LOGIN, b"b OK"))
        for told in answers:
            self.assertEqual([line.split()[:2] for line in told], [[b"*", b"CAPABILITY"], [b"b", b"OK"]])
        self.assert_shown(AFTER, *map(capabilities, answers))

    def test_backend_hears_the_cipher_suite_and_the_clients_address(self):
        client, _ = self.greeted("127.0.0.2")
        client.ask(b'a ID ("name" "tester" "latch" "tls12 tls-cert" "security-tags" "tls11")\r\n', b"a OK")
        client.ask(b"b LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()), b"b OK")
        suite = client.socket.cipher()[0]
        client.ask(b"c LOGOUT\r\n", b"c OK")
        client.close()
        self.in_log(self.servers.dovecot_log, "ID sent", "name=tester", f"tls={suite}", "rip=127.0.0.2,")
        self.in_log(self.servers.dovecot_log, LOGIN + "user=<demo>", "rip=127.0.0.2,", SECURED)
        line = self.session_of("127.0.0.2", "imap")
        self.assertEqual((line["tls"], line["cipher"], line["sni"]), ("TLSv1.3", suite, "localhost"))
        self.assertEqual((line["client_name"], line["latch"]), ("tester", "tls12 tls-cert"))
        self.assertEqual(line["security_tags"], "tls11")
        self.assertEqual(line["backend"], self.addresses["imap"][0])

    def test_cipher_suite_is_told_where_the_client_sends_no_id(self):
        with self.imap("127.0.0.3") as client:
            client.login(USER, PASSWORD)
        self.in_log(self.servers.dovecot_log, "ID sent", "tls=TLS_", "rip=127.0.0.3,")

    def test_client_cannot_forge_what_the_backend_trusts(self):
        client, _ = self.greeted("127.0.0.4")
        client.ask(b'a ID ("name" "forger" "tls" "TLS_FORGED" "x-originating-ip" "198.51.100.66" '
                   b'"X-Session-ID" "forged")\r\n', b"a OK")
        client.ask(b"b LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()), b"b OK")
        line = self.in_log(self.servers.dovecot_log, "ID sent", "name=forger")
        self.in_log(self.servers.dovecot_log, LOGIN, "rip=127.0.0.4,")
        for forged in ("TLS_FORGED", "198.51.100.66", "forged"):
            self.assertNotIn(forged, line)

    def test_ten_megabytes_up_and_down(self):
        sent = message("ten megabytes by APPEND", MEGABYTES_10, seed=1)
        with self.imap() as client:
            client.login(USER, PASSWORD)
            self.assertEqual(client.append("INBOX", None, None, sent)[0], "OK")
            client.select("INBOX")
            number = client.search(None, "SUBJECT", '"ten megabytes by APPEND"')[1][0].split()[-1]
            received = client.fetch(number, "(BODY.PEEK[])")[1][0][1]
            self.assertEqual((len(received), digest(received)), (len(sent), digest(sent)))


class Plain(common.Case):
    """identity = "none": Dovecot sees the proxy, and still the cipher suite."""

    def test_login_and_cipher_suite(self):
        with self.start_proxy(self.direct, identity="none") as plain:
            with self.imap("127.0.0.9", plain) as client:
                client.login(USER, PASSWORD)
            self.in_log(self.servers.dovecot_log, "ID sent", "tls=TLS_", "rip=127.0.0.1,")


if __name__ == "__main__":
    unittest.main(verbosity=2)
