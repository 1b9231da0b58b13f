# SPDX-License-Identifier: BSD-2-Clause
"""The Received field of received = "add", as Postfix delivers it."""

import base64
import email
import email.utils
import re
import time
import unittest

import common
from common import ADDRESS, PASSWORD, USER, message, run

PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())


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

    def test_swaks(self):
        status, output, error = run(
            "swaks", "--server", f"127.0.0.1:{self.proxy.ports['submission']}", "--tls-on-connect", "--local-interface",
            "127.0.0.24", "--helo", self.EHLO_NAME, "--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD,
            "--from", ADDRESS, "--to", ADDRESS, "--header", "Subject: field by swaks")
        self.assertEqual(status, 0, output.decode(errors="replace") + error)
        self.check("field by swaks", self.EHLO_NAME, "127.0.0.24")


if __name__ == "__main__":
    unittest.main(verbosity=2)
