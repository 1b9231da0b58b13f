# SPDX-License-Identifier: BSD-2-Clause
"""Submission: a real Postfix behind, smtplib, curl and hand-made clients in front."""

import base64
import email
import email.utils
import re
import shutil
import smtplib
import time
import unittest

import common
from common import ADDRESS, MEGABYTES_10, PASSWORD, USER, digest, message, odd_octets, run

EHLO = b"EHLO client.test\r\n"
PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())


class Submission(common.Case):
    def greeted(self, source="127.0.0.1"):
        client = self.raw("submission", source)
        return client, client.line()

    def logged_in(self, source="127.0.0.1"):
        client, _ = self.greeted(source)
        client.ask(EHLO, b"250 ")
        client.ask(b"AUTH PLAIN " + PLAIN + b"\r\n", b"235")
        return client

    def envelope(self, client):
        client.ask(f"MAIL FROM:<{ADDRESS}> BODY=8BITMIME\r\n".encode(), b"250")
        client.ask(f"RCPT TO:<{ADDRESS}>\r\n".encode(), b"250")

    def assert_delivered(self, subject, body):
        received = self.find_message(subject).partition(b"\r\n\r\n")[2]
        self.assertEqual((len(received), digest(received)), (len(body), digest(body)))

    def test_ehlo_has_deep_and_no_starttls(self):
        client, greeting = self.greeted()
        self.assertTrue(greeting.startswith(b"220 "))
        for _ in range(2):
            lines = client.ask(EHLO, b"250 ")
            keywords = [line[4:].split()[0] for line in lines[1:]]
            status = b"DEEP tls11 tls12 <https://localhost/mail-security>\r\n"
            self.assertEqual([line[4:] for line in lines if line[4:].startswith(b"DEEP")], [status])
            for expected in (b"PIPELINING", b"AUTH", b"CHUNKING", b"8BITMIME"):
                self.assertIn(expected, keywords)
            for hidden in (b"STARTTLS", b"XCLIENT", b"XFORWARD"):
                self.assertNotIn(hidden, keywords)
        client.ask(b"QUIT\r\n", b"221")

    def test_helo_still_works(self):
        client, _ = self.greeted()
        self.assertEqual(len(client.ask(b"HELO client.test\r\n", b"250 ")), 1)

    def test_client_command(self):
        client, _ = self.greeted("127.0.0.2")
        client.ask(EHLO, b"250 ")
        client.ask(b"CLIENT name=tester version=1.5 latch=tls11,tls-cert security-tags=tls12\r\n", b"250")
        client.ask(b"CLIENT latch=,\r\n", b"501")
        client.ask(b"CLIENT\r\n", b"501")
        client.ask(b"NOOP\r\n", b"250")
        client.ask(b"QUIT\r\n", b"221")
        client.close()
        line = self.session_of("127.0.0.2", "submission")
        self.assertEqual((line["client_name"], line["client_version"]), ("tester", "1.5"))
        self.assertEqual((line["latch"].replace(",", " "), line["security_tags"]), ("tls11 tls-cert", "tls12"))
        self.assertNotIn("CLIENT", self.servers.postfix_log.read_text())

    def test_starttls_xclient_xforward_are_refused(self):
        client = self.logged_in("127.0.0.3")
        for command in (b"STARTTLS\r\n", b"XCLIENT ADDR=198.51.100.66\r\n", b"XFORWARD ADDR=198.51.100.66\r\n"):
            client.ask(command, b"5")
        client.ask(b"NOOP\r\n", b"250")
        self.assertNotIn("198.51.100.66", self.servers.postfix_log.read_text())

    def test_no_open_relay_though_the_proxy_is_local(self):
        client, _ = self.greeted("127.0.0.4")
        client.ask(EHLO, b"250 ")
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

    def test_sasl_with_and_without_initial_response(self):
        user, password = (base64.b64encode(word.encode()) for word in (USER, PASSWORD))
        dialogues = ((b"AUTH PLAIN\r\n", PLAIN + b"\r\n"), (b"AUTH PLAIN " + PLAIN + b"\r\n",),
                     (b"AUTH LOGIN\r\n", user + b"\r\n", password + b"\r\n"),
                     (b"AUTH LOGIN " + user + b"\r\n", password + b"\r\n"))
        for dialogue in dialogues:
            with self.subTest(dialogue=dialogue[0]):
                client, _ = self.greeted()
                client.ask(EHLO, b"250 ")
                for line in dialogue[:-1]:
                    client.ask(line, b"334")
                client.ask(dialogue[-1], b"235")
                client.ask(b"NOOP\r\n", b"250")
                client.close()

    def test_sasl_given_up_and_wrong_password(self):
        client, _ = self.greeted()
        client.ask(EHLO, b"250 ")
        client.ask(b"AUTH PLAIN\r\n", b"334")
        client.ask(b"*\r\n", b"501")
        client.ask(b"AUTH PLAIN " + base64.b64encode(b"\0demo\0wrong") + b"\r\n", b"535")
        client.ask(b"AUTH PLAIN " + PLAIN + b"\r\n", b"235")

    def test_cram_md5_by_smtplib(self):
        with self.smtp() as client:
            client.ehlo()
            client.user, client.password = USER, PASSWORD
            self.assertEqual(client.auth("CRAM-MD5", client.auth_cram_md5)[0], 235)

    def test_ten_megabytes_by_data(self):
        sent = message("ten megabytes by DATA", MEGABYTES_10, seed=4)
        with self.smtp() as client:
            client.login(USER, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], sent, mail_options=["BODY=8BITMIME"])
        self.assert_delivered("ten megabytes by DATA", sent.partition(b"\r\n\r\n")[2])

    def test_bdat_in_chunks_that_look_like_commands(self):
        body = b"QUIT\r\n.\r\nBDAT 5 LAST\r\n..\r\n" + odd_octets(300000, seed=5)
        text = message("by BDAT").partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
        client = self.logged_in()
        self.envelope(client)
        for start in range(0, len(text), 65536):
            chunk = text[start:start + 65536]
            client.ask(b"BDAT %d\r\n" % len(chunk) + chunk, b"250")
        client.ask(b"BDAT 0 LAST\r\n", b"250")
        client.ask(b"NOOP\r\n", b"250")
        self.assert_delivered("by BDAT", body)

    def test_refused_bdat_takes_its_octets_all_the_same(self):
        client = self.logged_in()
        client.ask(b"BDAT 12 LAST\r\nQUIT\r\nNOOP\r\n", b"5")
        client.ask(b"NOOP\r\n", b"250")

    def test_pipelining(self):
        client = self.logged_in()
        client.send(f"MAIL FROM:<{ADDRESS}>\r\nRCPT TO:<{ADDRESS}>\r\nCLIENT name=x\r\nRCPT TO:<a@example.com>\r\n"
                    "DATA\r\n".encode())
        codes = [client.line()[:3] for _ in range(5)]
        self.assertEqual(codes, [b"250", b"250", b"250", b"554", b"354"])
        client.send(b"Subject: pipelined\r\n\r\nHello.\r\n.\r\nRSET\r\nQUIT\r\n")
        self.assertEqual([line[:3] for line in client.rest().splitlines()], [b"250", b"250", b"221"])

    def test_end_of_data_is_nothing_but_crlf_dot_crlf(self):
        body = b"dots\r\n..\r\n...\r\n....and more\r\n.. \r\n"
        client = self.logged_in()
        self.envelope(client)
        client.ask(b"DATA\r\n", b"354")
        client.send(message("dots").partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body)
        client.ask(b".\r\n", b"250")
        expected = b"".join(line[1:] if line.startswith(b".") else line for line in body.splitlines(True))
        self.assert_delivered("dots", expected)

    def test_refused_recipients_by_smtplib(self):
        with self.smtp() as client:
            client.login(USER, PASSWORD)
            with self.assertRaises(smtplib.SMTPRecipientsRefused):
                client.sendmail(ADDRESS, ["a@example.com"], message("nowhere"))

    def test_curl(self):
        status, _, error = run("curl", "-sS", "--cacert", self.authority, "-u", f"{USER}:{PASSWORD}",
                               "--interface", "127.0.0.6", "--connect-to", "::127.0.0.1:", "-T", "-",
                               "--mail-from", ADDRESS, "--mail-rcpt", ADDRESS,
                               f"smtps://localhost:{self.proxy.ports['submission']}", text=message("by curl"))
        self.assertEqual(status, 0, error)
        self.assertIn(b"Hello.\r\n", self.find_message("by curl"))
        self.in_log(self.servers.postfix_log, "client=unknown[127.0.0.6]")


class Received(common.Case):
    """A service with received = "add"."""

    EHLO_NAME = "client.example.com"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy = cls.enterClassContext(cls.start_proxy(cls.addresses, keys={"submission": 'received = "add";'}))

    def added(self, subject):
        """Our field of the message, on one line; there is exactly one, right below Postfix's own."""
        fields = email.message_from_bytes(self.find_message(subject)).get_all("Received")
        ours = [field for field in fields if "tls TLS_" in field]
        self.assertEqual(len(ours), 1, fields)
        self.assertIs(ours[0], fields[1], fields)
        return re.sub(r"\s+", " ", ours[0])

    def check(self, subject, name, source, protocol="ESMTPSA"):
        session = self.session_of(source, "submission")
        field = self.added(subject)
        beginning, _, date = field.partition("; ")
        hostname = "[^ ]+"
        self.assertRegex(beginning, f"^from {re.escape(name)} \\({re.escape('[' + source + ']')}\\) by {hostname} "
                                    f"with {protocol} id {session['session']} tls {session['cipher']}$")
        self.assertAlmostEqual(email.utils.parsedate_to_datetime(date).timestamp(), time.time(), delta=120)

    def test_data_by_smtplib(self):
        with self.smtp("127.0.0.21") as client:
            client.ehlo(self.EHLO_NAME)
            client.login(USER, PASSWORD)
            client.sendmail(ADDRESS, [ADDRESS], message("field by smtplib"))
        self.check("field by smtplib", self.EHLO_NAME, "127.0.0.21")

    def test_bdat(self):
        client = self.raw("submission", "127.0.0.22")
        client.line()
        client.ask(b"EHLO [127.0.0.22]\r\n", b"250 ")
        client.ask(b"AUTH PLAIN " + PLAIN + b"\r\n", b"235")
        head, _, body = message("field by BDAT").partition(b"\r\n\r\n")
        group = f"MAIL FROM:<{ADDRESS}>\r\nRCPT TO:<{ADDRESS}>\r\n".encode()
        group += b"BDAT %d\r\n" % (len(head) + 4) + head + b"\r\n\r\n" + b"BDAT %d LAST\r\n" % len(body) + body
        client.send(group)
        self.assertEqual([client.line()[:3] for _ in range(4)], [b"250"] * 4)
        client.ask(b"QUIT\r\n", b"221")
        client.close()
        self.check("field by BDAT", "[127.0.0.22]", "127.0.0.22")

    def test_a_name_that_is_none_gets_nowhere(self):
        client = self.raw("submission", "127.0.0.23")
        client.line()
        client.ask(b"EHLO evil) by good.example (x\r\n", b"250 ")
        client.ask(b"AUTH PLAIN " + PLAIN + b"\r\n", b"235")
        client.ask(f"MAIL FROM:<{ADDRESS}>\r\n".encode(), b"250")
        client.ask(f"RCPT TO:<{ADDRESS}>\r\n".encode(), b"250")
        client.ask(b"DATA\r\n", b"354")
        client.ask(message("field without a name") + b".\r\n", b"250")
        client.ask(b"QUIT\r\n", b"221")
        client.close()
        self.check("field without a name", "[127.0.0.23]", "127.0.0.23")

    @unittest.skipUnless(shutil.which("swaks"), "swaks is not installed")
    def test_swaks(self):
        status, output, error = run(
            "swaks", "--server", f"127.0.0.1:{self.proxy.ports['submission']}", "--tls-on-connect", "--local-interface",
            "127.0.0.24", "--helo", self.EHLO_NAME, "--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD,
            "--from", ADDRESS, "--to", ADDRESS, "--header", "Subject: field by swaks")
        self.assertEqual(status, 0, output.decode(errors="replace") + error)
        self.check("field by swaks", self.EHLO_NAME, "127.0.0.24")


if __name__ == "__main__":
    unittest.main(verbosity=2)
