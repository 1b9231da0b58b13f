# SPDX-License-Identifier: BSD-2-Clause
"""Servers that answer late, and clients that read late: as long as octets move the proxy waits for them."""

import socket
import time

import harness


class LateWords(harness.TestCase):
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


if __name__ == "__main__":
    harness.main()
