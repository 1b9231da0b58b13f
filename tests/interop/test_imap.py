# SPDX-License-Identifier: BSD-2-Clause
"""IMAP: a real Dovecot behind, imaplib, curl and hand-made clients in front."""

import base64
import re
import unittest

import common
from common import MEGABYTES_10, PASSWORD, USER, digest, message, odd_octets, run


class Imap(common.Case):
    def greeted(self, source="127.0.0.1"):
        client = self.raw("imap", source)
        return client, client.line()

    def logged_in(self, source="127.0.0.1"):
        client, _ = self.greeted(source)
        client.ask(b"l LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()), b"l OK")
        return client

    def assert_edited(self, capabilities):
        words = re.sub(rb"[\[\]\r\n]", b" ", capabilities).upper().split()
        self.assertIn(b"DEEP", words)
        self.assertIn(b"ID", words)
        for hidden in (b"STARTTLS", b"LOGINDISABLED", b"COMPRESS=DEFLATE"):
            self.assertNotIn(hidden, words)
        self.assertFalse([word for word in words if word.endswith(b"-PLUS")])

    def test_capabilities_in_greeting_command_and_login(self):
        client, greeting = self.greeted()
        self.assertRegex(greeting, rb"^\* OK \[CAPABILITY .*\bAUTH=PLAIN\b")
        self.assert_edited(greeting)
        self.assert_edited(client.ask(b"a CAPABILITY\r\n", b"a OK")[0])
        self.assertIn(b"a OK", client.ask(b"a NOOP\r\n", b"a ")[-1])
        answer = client.ask(b"b LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()), b"b ")
        told = next(line for line in answer if b"CAPABILITY " in line)
        self.assertIn(b"UIDPLUS", told)
        self.assert_edited(told)

    def test_capabilities_in_the_tagged_ok(self):
        client, _ = self.greeted()
        answer = client.ask(b"b LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()), b"b ")
        self.assertRegex(answer[-1], rb"^b OK \[CAPABILITY ")
        self.assert_edited(answer[-1])

    def test_id_answer_has_the_deep_status(self):
        client, _ = self.greeted()
        for question in (b'a ID ("name" "tester" "version" "1.0")\r\n', b"a ID NIL\r\n"):
            answer = client.ask(question, b"a OK")[0].decode()
            status = "tls11 tls12 <https://localhost/mail-security>"
            self.assertIn(f'"deep" "{status}"', answer)
            self.assertIn(f'"deep-status" "{status}"', answer)
            self.assertIn('"name" "Dovecot"', answer)

    def test_backend_hears_the_cipher_suite_and_the_clients_address(self):
        client, _ = self.greeted("127.0.0.2")
        client.ask(b'a ID ("name" "tester" "latch" "tls12 tls-cert" "security-tags" "tls11")\r\n', b"a OK")
        client.ask(b"b LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()), b"b OK")
        suite = client.socket.cipher()[0]
        client.ask(b"c LOGOUT\r\n", b"c OK")
        client.close()
        self.in_log(self.servers.dovecot_log, "ID sent", "name=tester", f"tls={suite}", "rip=127.0.0.2,")
        self.in_log(self.servers.dovecot_log, "Login: user=<demo>", "rip=127.0.0.2,", "secured")
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
        self.in_log(self.servers.dovecot_log, "Login: ", "rip=127.0.0.4,")
        for forged in ("TLS_FORGED", "198.51.100.66", "forged"):
            self.assertNotIn(forged, line)

    def test_starttls_and_compress_are_refused(self):
        client, _ = self.greeted()
        self.assertRegex(client.ask(b"a STARTTLS\r\n", b"a ")[-1], rb"^a (BAD|NO) ")
        client.ask(b"b LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()), b"b OK")
        self.assertRegex(client.ask(b"c COMPRESS DEFLATE\r\n", b"c ")[-1], rb"^c (BAD|NO) ")
        client.ask(b"d NOOP\r\n", b"d OK")

    def test_wrong_password(self):
        client, _ = self.greeted()
        self.assertRegex(client.ask(b"a LOGIN %s wrong\r\n" % USER.encode(), b"a ")[-1],
                         rb"^a NO \[AUTHENTICATIONFAILED\]")
        client.ask(b"b LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()), b"b OK")

    def test_sasl_with_and_without_initial_response(self):
        plain = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
        client, _ = self.greeted()
        client.ask(b"a AUTHENTICATE PLAIN " + plain + b"\r\n", b"a OK")
        client, _ = self.greeted()
        client.ask(b"a AUTHENTICATE PLAIN\r\n", b"+")
        client.ask(plain + b"\r\n", b"a OK")
        client, _ = self.greeted()
        client.ask(b"a AUTHENTICATE LOGIN\r\n", b"+")
        client.ask(base64.b64encode(USER.encode()) + b"\r\n", b"+")
        client.ask(base64.b64encode(PASSWORD.encode()) + b"\r\n", b"a OK")
        client, _ = self.greeted()
        client.ask(b"a AUTHENTICATE PLAIN\r\n", b"+")
        client.ask(b"*\r\n", b"a BAD", b"a NO")
        client.ask(b"b NOOP\r\n", b"b OK")

    def test_cram_md5_by_imaplib(self):
        with self.imap() as client:
            self.assertEqual(client.login_cram_md5(USER, PASSWORD)[0], "OK")

    def test_literals_in_login(self):
        client, _ = self.greeted()
        client.ask(b"a LOGIN {%d}\r\n" % len(USER), b"+")
        client.ask(USER.encode() + b" {%d}\r\n" % len(PASSWORD), b"+")
        client.ask(PASSWORD.encode() + b"\r\n", b"a OK")
        client, _ = self.greeted()
        client.ask(b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(USER), USER.encode(), len(PASSWORD),
                                                             PASSWORD.encode()), b"a OK")

    def test_pipelining(self):
        client, _ = self.greeted()
        many = 200
        client.send(b"a LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()) + b"s SELECT INBOX\r\n"
                    + b"".join(b"n%d NOOP\r\ni%d ID NIL\r\n" % (n, n) for n in range(many)) + b"z LOGOUT\r\n")
        lines = client.rest().splitlines()
        tags = [line.split()[0] for line in lines if not line.startswith(b"*")]
        expected = [b"a", b"s"] + [tag % n for n in range(many) for tag in (b"n%d", b"i%d")] + [b"z"]
        self.assertEqual(tags, expected)
        self.assertEqual(sum(line.startswith(b"* ID (") and b"deep-status" in line for line in lines), many)

    def test_ten_megabytes_up_and_down(self):
        sent = message("ten megabytes by APPEND", MEGABYTES_10, seed=1)
        with self.imap() as client:
            client.login(USER, PASSWORD)
            self.assertEqual(client.append("INBOX", None, None, sent)[0], "OK")
            client.select("INBOX")
            number = client.search(None, "SUBJECT", '"ten megabytes by APPEND"')[1][0].split()[-1]
            received = client.fetch(number, "(BODY.PEEK[])")[1][0][1]
            self.assertEqual((len(received), digest(received)), (len(sent), digest(sent)))

    def test_literal_plus_appends_glued_to_other_commands(self):
        client = self.logged_in()
        body = odd_octets(70000, seed=2)
        text = b"Subject: glued\r\n\r\n" + body
        client.send(b"a APPEND INBOX {%d+}\r\n%s\r\nb NOOP\r\nc APPEND INBOX {%d+}\r\n%s\r\nd LOGOUT\r\n"
                    % (len(text), text, len(text), text))
        tags = [line.split()[:2] for line in client.rest().splitlines() if not line.startswith(b"*")]
        self.assertEqual(tags, [[b"a", b"OK"], [b"b", b"OK"], [b"c", b"OK"], [b"d", b"OK"]])

    def test_idle_sees_a_delivery(self):
        client = self.logged_in()
        client.ask(b"a SELECT INBOX\r\n", b"a OK")
        client.ask(b"b IDLE\r\n", b"+")
        with self.smtp() as sender:
            sender.login(USER, PASSWORD)
            sender.sendmail(common.ADDRESS, [common.ADDRESS], message("seen in IDLE"))
        lines = []
        while not (lines and lines[-1].endswith(b"EXISTS\r\n")):
            lines.append(client.line())
        client.ask(b"DONE\r\n", b"b OK")
        client.ask(b"c NOOP\r\n", b"c OK")

    def test_long_names_and_quoted_brackets_pass(self):
        client = self.logged_in()
        client.ask(b'a CREATE "a [CAPABILITY STARTTLS] {5}"\r\n', b"a OK")
        listed = b"".join(client.ask(b'b LIST "" "a *"\r\n', b"b OK"))
        self.assertIn(b"a [CAPABILITY STARTTLS] {5}", listed)
        client.ask(b'c DELETE "a [CAPABILITY STARTTLS] {5}"\r\n', b"c OK")

    def test_curl(self):
        status, out, error = run("curl", "-sS", "-v", "--cacert", self.authority, "-u", f"{USER}:{PASSWORD}",
                                 "--interface", "127.0.0.5", "--connect-to", "::127.0.0.1:",
                                 f"imaps://localhost:{self.proxy.ports['imap']}/INBOX;MAILINDEX=1")
        self.assertEqual(status, 0, error)
        self.assertIn(b"Subject: Welcome", out)
        self.in_log(self.servers.dovecot_log, "Login: ", "rip=127.0.0.5,")

    def test_many_clients_one_after_another_and_together(self):
        clients = [self.logged_in(f"127.0.1.{n}") for n in range(1, 41)]
        for client in clients:
            client.send(b"s SELECT INBOX\r\nf FETCH 1 BODY.PEEK[]\r\n")
        for client in clients:
            self.assertIn(b"Subject: Welcome\r\n", client.lines_to(b"f OK"))
            client.ask(b"z LOGOUT\r\n", b"z OK")
        for n in range(1, 41):
            self.in_log(self.servers.dovecot_log, "Login: ", f"rip=127.0.1.{n},")


class Plain(common.Case):
    """identity = "none": Dovecot sees the proxy, and still the cipher suite."""

    def test_login_and_cipher_suite(self):
        with self.start_proxy(self.direct, identity="none") as plain:
            with self.imap("127.0.0.9", plain) as client:
                client.login(USER, PASSWORD)
            self.in_log(self.servers.dovecot_log, "ID sent", "tls=TLS_", "rip=127.0.0.1,")


if __name__ == "__main__":
    unittest.main(verbosity=2)
