# SPDX-License-Identifier: BSD-2-Clause
"""
Ticket keys that were rotated away and passphrases that were used are in no memory any more. For private keys see
test_key_isolation.py.

What sessions have carried is not looked for: BoringSSL does not wipe the buffers of records that it frees.
"""

import base64
import os
import unittest

import harness
from processes import finds, guard_of, signer_of

ONE_WORKER = "workers = 1;"


@unittest.skipIf(os.geteuid() != 0, "needs root, to read another process's memory")
class Memory(harness.TestCase):
    def setUp(self):
        if harness.is_sanitized():
            self.skipTest("the shadow memory of a sanitizer has no end")

    def assert_in_memory(self, pid, *wanted):
        """That it is to be found, and would be if it were left there later."""
        self.assertEqual(finds(pid, set(wanted)), set(wanted))

    def assert_not_in_memory(self, pid, *wanted):
        self.assertEqual(finds(pid, set(wanted)), set())


class TicketKeys(Memory):
    def keys_of(self, path):
        """Of each line: a piece of it as it is, and both halves of what it means behind the name."""
        lines = path.read_text().split()
        raw = [base64.b64decode(line) for line in lines]
        return [[line[40:72].encode(), key[16:48], key[48:80]] for line, key in zip(lines, raw)]

    def test_keys_that_were_rotated_away(self):
        path = self.folder.path / "tickets.key"
        self.assertEqual(harness.run_program("ticket-keys", path).returncode, 0)
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, tls='ticket_keys = "tickets.key";',
                           extra=ONE_WORKER)
        for _ in range(3):
            client = self.client(proxy, "pop3")
            client.send(b"QUIT\r\n")
            client.rest()
        pid, first = proxy.pid, self.keys_of(path)
        self.assert_in_memory(pid, *(half for _, *halves in first for half in halves))
        self.assert_not_in_memory(pid, *(text for text, *_ in first))
        for _ in range(3):
            self.assertEqual(harness.run_program("ticket-keys", path).returncode, 0)
            self.assertEqual(proxy.reload(), "done")
        # No handshake since: it would take the place of what another has left behind.
        self.assert_not_in_memory(pid, *(part for parts in first for part in parts))
        self.assert_in_memory(pid, *(half for _, *halves in self.keys_of(path) for half in halves))


class Passphrases(Memory):
    def test_a_passphrase_that_was_used(self):
        secret = "a passphrase that is long enough to be looked for"
        harness.certificates.openssl("pkey", "-in", self.folder.path / "mail.key", "-aes128", "-passout",
                                     f"pass:{secret}", "-out", self.folder.path / "locked.key")
        self.folder.write("passphrase", secret + "\n")
        for isolation in ("true", "false"):
            with self.subTest(key_isolation=isolation):
                text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")},
                                             extra=f"key_isolation = {isolation};")
                text = text.replace('key = "mail.key";', 'key = "locked.key"; passphrase = "passphrase";')
                proxy = harness.Proxy(self.folder.write("locked.conf", text))
                self.addCleanup(proxy.stop)
                self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")
                processes = [proxy.pid]
                processes += [guard_of(proxy), signer_of(proxy)] if isolation == "true" else []
                for pid in processes:
                    # Not of its first octets: what manages the heap writes over these.
                    self.assert_not_in_memory(pid, secret[16:].encode())
                    self.assertNotEqual(finds(pid, {b"mail.example.com", b"/lib"}), set())


if __name__ == "__main__":
    harness.main()
