# SPDX-License-Identifier: BSD-2-Clause
"""Certificates that can't be taken up, and are read again whenever something changes: what the log says of them."""

import os
import pathlib
import re
import unittest

import harness
from processes import signer_of

REFUSED = "refused: those before stay in use"


def octets_read_by(pid):
    return int(re.search(r"rchar: (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text())[1])


class Refusals(harness.TestCase):
    def setUp(self):
        self.folder.write("deepproxy.log", "")
        self.chain, self.text = self.folder.path / "mail.pem", (self.folder.path / "mail.pem").read_text()
        self.certificates, self.away = self.folder.path / "certificates", self.folder.path / "away"
        self.certificates.mkdir()
        path = self.folder.write("refusals.conf", harness.configuration(
            {"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")},
            tls='certificate_dir = "certificates";'))
        self.proxy = harness.Proxy(path, on_line=self.write_log)
        self.addCleanup(self.proxy.stop)

    def write_log(self, _, text):
        with open(self.folder.path / "deepproxy.log", "a", encoding="utf-8") as log:
            log.write(text)

    @unittest.skipIf(os.geteuid() != 0, "needs root, to see what another process has read")
    def test_a_refusal_is_logged_once_with_its_reason(self):
        """The log, in the watched folder beside those of certificates, is no reason to read them again."""
        signer = signer_of(self.proxy)
        for round_ in (1, 2):
            self.certificates.rename(self.away)
            self.proxy.wait_lines(round_, event="reload", of="certificates", result=REFUSED)
            for _ in range(2):  # they are read again, and nothing is new
                before = octets_read_by(signer)
                os.replace(self.folder.write("next.pem", self.text), self.chain)  # never half of it
                self.wait_until(lambda before=before: octets_read_by(signer) > before)
            self.away.rename(self.certificates)
            self.proxy.wait_lines(round_, event="reload", of="certificates", result="done")
        lines = self.proxy.find(that=lambda line: "can't read the folder of certificates" in line.get("problem", "") or
                                line.get("result") == REFUSED)
        self.assertEqual([line["event"] for line in lines], ["configuration-problem", "reload"] * 2)


if __name__ == "__main__":
    harness.main()
