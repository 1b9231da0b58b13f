# SPDX-License-Identifier: BSD-2-Clause
"""Peers that read slowly, or not at all, while they are written to."""

import itertools
import os
import resource
import socket
import ssl
import threading
import time

import harness
from harness import Events


class Pressure(harness.TestCase):
    def test_both_sides_write_before_they_read(self):
        """
        A backend that reads no further before its answers are read, and a client that pipelines more than all sockets on
        the way hold: the proxy must go on taking from the backend while it has octets for it queued.
        """
        size, count = 8_000_000, 600_000

        def script(connection):
            connection.send(b"* PREAUTH ready\r\n")
            block = b"* OK " + b"x" * 993 + b"\r\n"
            for _ in range(size // 1000):
                connection.send(block)
            for number in range(count):
                assert connection.line() == b"a%d NOOP" % number
            connection.send(b"* BYE all read\r\n")
        backend = self.backend(script)
        backend.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        proxy = self.start({"imap": [backend]})
        # What is left of a read that no longer fits into the kernel is queued, and how much that is differs.
        clients = [self.client(proxy, "imap") for _ in range(4)]
        commands = b"".join(b"a%d NOOP\r\n" % number for number in range(count))
        threads = []
        for client in clients:
            client.line()
            threads.append(threading.Thread(target=client.socket.sendall, args=(client.seal(commands),), daemon=True))
            threads[-1].start()
        for client in clients:
            client.exactly(size)
            self.assertEqual(client.line(), b"* BYE all read")
        for thread in threads:
            thread.join()

    def test_client_that_has_said_all_and_takes_its_time(self):
        """After close_notify the time for the login counts, and no other."""
        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.rest()
            for _ in range(3):
                time.sleep(3.5)
                connection.send(b"+OK\r\n")
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        client.line()
        client.send(b"STAT\r\nSTAT\r\nSTAT\r\n")
        client.send_close_notify()
        self.assertEqual(client.rest(), b"+OK\r\n" * 3)
        self.assertEqual(proxy.session()["reason"], "client-closed")

    def test_what_is_owed_to_a_client_that_has_said_all(self):
        """More than ten seconds late: a reply by its server, and a message that it does not read for that time."""
        late, message = 12, b"+OK\r\n" + (b"x" * 998 + b"\r\n") * 12_000 + b".\r\n"

        def slow(connection):
            connection.send(b"220 msa.example.com ESMTP\r\n")
            connection.line()
            connection.send(b"354 go\r\n")
            connection.rest()
            time.sleep(late)
            connection.send(b"250 2.0.0 queued\r\n")

        def large(connection):
            connection.send(b"+OK ready\r\n")
            connection.rest()
            connection.send(message)
        proxy = self.start({"submission": [self.backend(slow)], "pop3": [self.backend(large)]})
        sender, reader = self.client(proxy, "submission"), self.client(proxy, "pop3")
        sender.line()
        reader.line()
        self.assertTrue(sender.ask(b"DATA").startswith(b"354"))
        sender.send(b"Subject: x\r\n\r\na\r\n.\r\n")
        sender.finish()
        reader.send(b"RETR 1\r\n")
        reader.finish()
        self.assertEqual(sender.rest(), b"250 2.0.0 queued\r\n")
        self.assertEqual(len(reader.rest()), len(message))
        self.assertEqual([line["reason"] for line in proxy.wait_lines(2, event="session")], ["client-closed"] * 2)

    def test_a_client_that_reads_slowly_to_the_end(self):
        """Its server has closed. The proxy can't write for more than ten seconds, and yet the client takes octets."""
        message = b"+OK\r\n" + (b"x" * 998 + b"\r\n") * 6_000 + b".\r\n"

        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.rest()
            connection.send(message)
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        client.line()
        client.send(b"RETR 1\r\n")
        client.finish()
        for _ in range(50):
            time.sleep(0.5)
            client.exactly(16384)
        self.assertEqual(len(client.rest()), len(message) - 50 * 16384)
        self.assertEqual(proxy.session()["reason"], "client-closed")

    def test_no_descriptor_left_for_a_backend(self):
        """The client is told so in its protocol's words: another attempt may find room, or another proxy."""
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        used = {int(name) for name in os.listdir(f"/proc/{proxy.pid}/fd")}
        free = next(number for number in itertools.count() if number not in used)
        limit = next(number for number in itertools.count(free + 1) if number not in used)
        resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (limit, limit))  # room for one more
        client = self.client(proxy, "pop3")
        self.assertTrue(client.rest().startswith(b"-ERR [SYS/TEMP]"))
        self.assertEqual(proxy.session()["detail"], "too many open files")

    def test_what_strangers_send_ahead_costs_little(self):
        """Commands by the 100 KB, sent with the handshake to a server that never greets: one read of them is kept."""
        if harness.is_sanitized():
            self.skipTest("a sanitizer's memory tells nothing")
        events = Events()

        def script(connection):
            events.tell("connected")
            connection.rest()
        proxy = self.start({"pop3": [self.backend(script)]})
        before, count = proxy.rss(), 200
        context = harness.client_context(minimum=ssl.TLSVersion.TLSv1_3)
        for _ in range(count):
            client = self.client(proxy, "pop3", shake_hands=False, context=context)
            flight = client.last_flight()
            client.socket.setblocking(False)
            self.assertGreater(client.socket.send(flight + client.seal(b"NOOP\r\n" * 20000)), 64 * 1024)
        for _ in range(count):
            events.wait()
        self.assertLess((proxy.rss() - before) / count, 48 * 1024)


if __name__ == "__main__":
    harness.main()
