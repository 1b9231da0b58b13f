# SPDX-License-Identifier: BSD-2-Clause
"""The program's end: what clients are still owed, and a crowd that is told of it."""

import contextlib
import os
import signal
import socket
import threading
import time

import harness
import processes

# Octets that the kernel keeps for a client. A large buffer takes several of loopback's segments: there is room for one as
# soon as the client reads, and the proxy's kernel is told so at once.
SMALL, LARGE = 16 * 1024, 256 * 1024
DEBUG = 'workers = 1; log_level = "debug";'
MESSAGE = b"+OK\r\n" + (b"x" * 998 + b"\r\n") * 12_000 + b".\r\n"


class Owed(harness.TestCase):
    def start_with_a_queue(self, read=None, buffer=SMALL):
        """
        A session that is over, and whose last octets are queued: the client does not read, or it does so by `read`, from
        before the moment at which the program is to end at once.
        """
        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.line()
            connection.send(MESSAGE)
            connection.rest()
        proxy = self.start({"pop3": [self.backend(script)]}, extra=DEBUG, timeouts='login = "1 s";')
        client = self.client(proxy, "pop3")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.line()
        client.send(b"RETR 1\r\n")
        proxy.wait_line(event="move", machine="session", to="lingering")
        proxy.terminate()
        proxy.wait_line(event="shutdown")
        serving = proxy.pid
        harness.freeze(serving)
        proxy.terminate()
        reader = threading.Thread(target=read, args=(client,), daemon=True)
        if read:
            reader.start()
        self.begun = time.monotonic()
        os.kill(serving, signal.SIGCONT)
        proxy.wait_lines(2, event="shutdown")
        return proxy, client, reader

    def test_a_client_that_reads_gets_it(self):
        def read(client):
            while client.more():
                client.held = b""
        proxy, client, reader = self.start_with_a_queue(read, LARGE)
        # The login's time has ended it in the middle of the message. What was read of that is owed, and close_notify.
        reader.join()
        self.assertEqual(client.ended, "close_notify")
        proxy.wait()
        self.assertEqual(proxy.session()["reason"], "login-timeout")

    def test_a_client_that_does_not_read_holds_nothing_up(self):
        proxy, _, _ = self.start_with_a_queue()
        with self.takes(0, harness.SOON):
            proxy.wait()
        self.assertEqual(proxy.session()["reason"], "login-timeout")

    def test_a_client_that_reads_slowly_has_an_end_too(self):
        """It takes something all the time, and would for a minute."""
        ended = threading.Event()
        self.addCleanup(ended.set)

        def read(client):
            with contextlib.suppress(OSError):
                while not ended.wait(0.1) and client.socket.recv(8192):
                    pass
        proxy, _, _ = self.start_with_a_queue(read)
        proxy.wait()
        self.assert_between(time.monotonic() - self.begun, 1, 5 + harness.SOON)
        ended.set()


class Crowd(harness.TestCase):
    COUNT = 3000  # 20 µs each at the least: some 60 batches

    def start_with_a_crowd(self, **options):
        """A session, and after it a crowd that the proxy serves alone: before STARTTLS there is no server."""
        services = {"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none"),
                    "crowd": ("pop3", ["127.0.0.1:0"], [harness.refusing_address()], "none")}
        proxy = self.start(services, extra="workers = 1; limits = { handshakes = 0; handshakes_per_address = 0; };",
                           keys={"crowd": 'tls = "starttls";'}, **options)
        client = self.client(proxy, "pop3")
        client.line()
        crowd = []
        for _ in range(self.COUNT):
            crowd.append(harness.Connection(harness.connect(proxy.port("crowd"))))
            self.addCleanup(crowd[-1].socket.close)
        for one in crowd:
            self.assertTrue(one.line().startswith(b"+OK"))
        return proxy, client, crowd

    def test_others_are_served_while_all_get_the_goodbye(self):
        """The latest session is the first to get it. Before the earliest gets it too, that one is answered."""
        proxy, client, crowd = self.start_with_a_crowd()
        # Between the two there are some hundredths of a second, in which the client must get a processor before the worker.
        worker = next(tid for _, tid, name in processes.threads(proxy.pid) if name == "worker-0")
        os.setpriority(os.PRIO_PROCESS, worker, 19)
        proxy.terminate()
        proxy.wait_line(event="shutdown")
        proxy.terminate()
        self.assertTrue(crowd[-1].line().startswith(b"-ERR [SYS/TEMP]"))
        self.assertEqual(client.ask(b"NOOP"), b"+OK NOOP")
        self.assertTrue(client.rest().startswith(b"-ERR [SYS/TEMP]"))
        for one in crowd[:-1]:
            self.assertTrue(one.line().startswith(b"-ERR [SYS/TEMP]"))
        proxy.wait()


if __name__ == "__main__":
    harness.main()
