# SPDX-License-Identifier: BSD-2-Clause
"""
What is secret is in no memory any more once it is of no use: what sessions have carried, ticket keys that were rotated
away, passphrases. For private keys see test_key_isolation.py.
"""

import base64
import os
import signal
import unittest

import harness
from processes import finds, guard_of, signer_of

ONE_WORKER = "workers = 1;"
MUCH = 64 << 20  # more than the sockets on the way hold


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


class Sessions(Memory):
    """
    What is freed must have been wiped before: nothing must have come by since that takes its place. What the sessions of a
    worker share is theirs in turn, so that others have to come by: these keep nothing waiting, and so take no memory.
    """

    def start_submission(self):
        """Its server reads no message before it may go on."""
        self.go_on = harness.Events()

        def script(connection):
            connection.send(b"220 ready\r\n")
            connection.line()
            connection.send(b"354 go\r\n")
            self.go_on.wait()
            while connection.line() not in (b".", None):
                pass
            connection.send(b"250 taken\r\n")
            connection.rest()
        return self.start({"submission": [self.backend(script)], "pop3": [self.backend(harness.pop3)]}, extra=ONE_WORKER)

    def overwrite_buffers(self, proxy):
        """By a client that has logged in, of which more is read at once, and which has sent it while nobody read."""
        client = self.client(proxy, "pop3")
        for command in (b"USER joe", b"PASS x"):
            client.send(command + b"\r\n")
        commands, count = b"NOOP " + b"z" * 240 + b"\r\n", 1000
        for frozen in [False] * 4 + [True] * 4:
            sealed = client.seal(commands * count)
            if frozen:
                harness.freeze(proxy.process.pid)
            client.socket.sendall(sealed)
            if frozen:
                os.kill(proxy.process.pid, signal.SIGCONT)
            for _ in range(count):
                client.line()
        client.send(b"QUIT\r\n")
        client.rest()
        proxy.session(service="pop3")

    def test_messages(self):
        """One that had to wait for its server to read."""
        proxy = self.start_submission()
        pid, secret = proxy.process.pid, b"the words of the first message"
        client = self.client(proxy, "submission")
        client.line()
        self.assertEqual(client.ask(b"DATA"), b"354 go")
        lines, sent = (secret + b" " + b"x" * 900 + b"\r\n") * 64, 0
        while sent < MUCH and harness.can_write(client.socket, 0.5):
            client.send(lines)
            sent += len(lines)
        self.assertLess(sent, MUCH)
        self.assert_in_memory(pid, secret)
        self.go_on.tell("go on")
        self.assertEqual(client.ask(b"."), b"250 taken")
        client.send_close_notify()
        client.rest()
        proxy.session(service="submission")
        self.overwrite_buffers(proxy)
        self.assert_not_in_memory(pid, secret)

    def test_what_waits_for_a_server(self):
        """A password that was sent ahead of the greeting."""
        greets = harness.Events()

        def script(connection):
            greets.wait()
            harness.pop3(connection)
        proxy = self.start({"pop3": [self.backend(script)]}, extra=ONE_WORKER)
        # The first octets of what is freed are the heap's own.
        secret = b"and-staple-and-so-on"
        client = self.client(proxy, "pop3", shake_hands=False)
        client.socket.sendall(client.last_flight() + client.seal(b"USER joe\r\nPASS correct-horse-battery-" + secret +
                                                                 b"\r\n"))
        self.wait_until(lambda: finds(proxy.process.pid, {secret}))
        greets.tell("now")
        client.send(b"QUIT\r\n")
        self.assertTrue(client.rest().endswith(b"+OK bye\r\n"))
        proxy.session()
        greets.tell("now")
        other = self.client(proxy, "pop3")
        self.assertEqual(other.line(), b"+OK ready")
        for _ in range(4):
            other.send((b"NOOP " + b"z" * 240 + b"\r\n") * 1000)
            for _ in range(1000):
                other.line()
        self.assert_not_in_memory(proxy.process.pid, secret)


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
        pid, first = proxy.process.pid, self.keys_of(path)
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
                processes = [proxy.process.pid]
                processes += [guard_of(proxy), signer_of(proxy)] if isolation == "true" else []
                for pid in processes:
                    # Not of its first octets: what manages the heap writes over these.
                    self.assert_not_in_memory(pid, secret[16:].encode())
                    self.assertNotEqual(finds(pid, {b"mail.example.com", b"/lib"}), set())


if __name__ == "__main__":
    harness.main()
