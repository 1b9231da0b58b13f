# SPDX-License-Identifier: BSD-2-Clause
"""Peers that read slowly, or not at all, while they are written to."""

import socket
import ssl
import threading

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
            connection.send(b"* PREAUTH [CAPABILITY IMAP4rev1] ready\r\n")
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
