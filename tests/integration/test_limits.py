# SPDX-License-Identifier: BSD-2-Clause
"""Timeouts, bounds and peers that mean no good: each is told, and none hurts another session."""

import contextlib
import socket
import ssl
import threading

import harness
from harness import Events

ONE_WORKER = "workers = 1;"
MEGABYTE = 1024 * 1024
# What the kernel may hold for two sockets of loopback on both sides, and a little more; the proxy holds far less.
HELD_MAX = 40 * MEGABYTE


class Timeouts(harness.TestCase):
    def test_stalled_handshakes_end_and_hurt_nobody(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, timeouts='handshake = "2 s";',
                           extra='log_level = "debug";')
        well = self.client(proxy, "pop3")
        self.assertEqual(well.line(), b"+OK ready")
        mute = [harness.connect(proxy.port("pop3")) for _ in range(20)]
        half = self.client(proxy, "pop3", shake_hands=False)
        with self.assertRaises(ssl.SSLWantReadError):
            half.tls.do_handshake()
        half.socket.sendall(half.outgoing.read()[:100])
        for number in range(20):
            self.assertEqual(well.ask(b"STAT"), b"+OK %d 0" % (number + 1))
        for sock in [*mute, half.socket]:
            with sock:
                self.assertEqual(sock.recv(1), b"")
        for line in proxy.wait_lines(21, event="session", reason="handshake-timeout"):
            self.assert_lasted(line, 2)
        self.assertEqual(well.ask(b"STAT"), b"+OK 21 0")

    def test_dribbled_handshake(self):
        """An octet now and then does not buy time."""
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, timeouts='handshake = "600 ms";')
        client = self.client(proxy, "pop3", shake_hands=False)
        with self.assertRaises(ssl.SSLWantReadError):
            client.tls.do_handshake()
        hello = client.outgoing.read()
        for octet in hello[:-1]:
            try:
                client.socket.sendall(bytes([octet]))
            except OSError:
                break
            if harness.can_read(client.socket, 0.05):
                break
        client.close()
        self.assert_lasted(proxy.session(reason="handshake-timeout"), 0.6)

    def test_login_timeout_of_each_protocol(self):
        for protocol, words in [("imap", b"* BYE"), ("pop3", None), ("submission", b"421 ")]:
            with self.subTest(protocol):
                proxy = self.start({protocol: [self.backend(harness.SCRIPTS[protocol])]},
                                   timeouts='login = "2 s"; handshake = 60; connect = 60; greeting = 60;')
                client = self.client(proxy, protocol)
                client.line()
                answer = client.rest()
                # A POP3 client that said nothing is told nothing (RFC 1939 section 3).
                self.assertTrue(answer.startswith(words) if words else answer == b"", answer)
                self.assert_lasted(proxy.session(reason="login-timeout"), 2)

    def test_commands_before_login_do_not_buy_time(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, timeouts='login = "2 s";')
        client = self.client(proxy, "pop3")
        client.line()
        while not harness.can_read(client.socket, 0.05):
            try:
                client.send(b"NOOP\r\n")
                client.line()
            except (AssertionError, OSError):
                break
        client.close()
        self.assert_lasted(proxy.session(reason="login-timeout"), 2)

    def test_half_a_command_buys_no_time_where_commands_do(self):
        """Submission needs no login: each whole command begins its time anew, and no octet of one does."""
        proxy = self.start({"submission": [self.backend(harness.submission)]}, timeouts='login = "1 s";')
        client = self.client(proxy, "submission")
        client.line()
        for _ in range(12):
            self.assertFalse(harness.can_read(client.socket, 0.15))
            self.assertEqual(client.ask(b"NOOP")[:3], b"250")
        with self.takes(1, 1 + harness.SOON):
            while not harness.can_read(client.socket, 0.05):
                client.send(b"x")
            self.assertEqual(client.rest()[:4], b"421 ")
        self.assert_lasted(proxy.session(reason="login-timeout"), 2.8, 2.8 + 2 * harness.SOON)

    def test_idle_timeout(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, timeouts='idle = "2 s"; login = "2 s";')
        client = self.client(proxy, "pop3")
        client.line()
        client.ask(b"USER joe")
        client.ask(b"PASS secret")
        # Beyond the time for login, and beyond the idle time as well: each command begins it anew.
        for _ in range(12):
            self.assertFalse(harness.can_read(client.socket, 0.2))
            self.assertEqual(client.ask(b"NOOP"), b"+OK NOOP")
        with self.takes(2, 2 + harness.SOON):
            client.rest()
        self.assert_lasted(proxy.session(reason="idle-timeout"), 4.4, 4.4 + 2 * harness.SOON)

    def test_backend_that_never_ends_after_the_client_has(self):
        """The client has ended its side and waits for the backend's last words, which do not come: the login counts."""
        def script(connection):
            connection.send(b"+OK ready\r\n")
            self.assertEqual(connection.rest(), b"")
            gone.wait(harness.PATIENCE)
        gone = threading.Event()
        self.addCleanup(gone.set)
        proxy = self.start({"pop3": [self.backend(script)]}, timeouts='login = "2 s"; idle = "1 s";')
        client = self.client(proxy, "pop3")
        client.line()
        client.send_close_notify()
        self.assertEqual(client.rest(), b"")
        self.assert_lasted(proxy.session(reason="client-closed"), 2)
        gone.set()

    def test_backend_that_idles_after_the_client_has_ended(self):
        """The same after a login: the idle time counts, from the last octet."""
        def script(connection):
            connection.send(b"+OK ready\r\n")
            for _ in range(2):
                connection.line()
                connection.send(b"+OK\r\n")
            connection.rest()
            gone.wait(0.7)
            connection.send(b"+OK late\r\n")
            gone.wait(harness.PATIENCE)
        gone = threading.Event()
        self.addCleanup(gone.set)
        proxy = self.start({"pop3": [self.backend(script)]}, timeouts='login = "2 s"; idle = "2 s";')
        client = self.client(proxy, "pop3")
        client.line()
        client.ask(b"USER joe")
        client.ask(b"PASS secret")
        client.send(b"NOOP\r\n")
        client.send_close_notify()
        self.assertEqual(client.rest(), b"+OK late\r\n")
        self.assert_lasted(proxy.session(reason="client-closed"), 2.7)
        gone.set()

    def test_backend_that_talks_on_after_the_client_has_gone(self):
        """Nobody is left to read it: it is hung up on at once."""
        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.rest()
            events.tell("client's end")
            try:
                while True:
                    connection.send(b"+OK\r\n")
                    stop.wait(0.05)
            except OSError:
                events.tell("hung up on")
        events, stop = Events(), threading.Event()
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        client.line()
        client.send_close_notify()
        with self.takes(0, harness.SOON):
            self.assertEqual(events.wait(), "client's end")
            client.close()
            self.assertEqual(events.wait(), "hung up on")


class Bounds(harness.TestCase):
    def test_max_connections(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, extra=ONE_WORKER + "max_connections = 3;")
        clients = [self.client(proxy, "pop3") for _ in range(3)]
        for client in clients:
            client.line()
        with harness.connect(proxy.port("pop3")) as more:
            self.assertEqual(more.recv(1), b"")
        proxy.wait_line(event="overload", limit="max_connections")
        self.assertEqual(clients[0].ask(b"STAT"), b"+OK 1 0")
        clients[1].send(b"QUIT\r\n")
        clients[1].rest()
        proxy.session(reason="logout")
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")

    def test_slow_client_stops_the_backend_being_read(self):
        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.line()
            connection.send(b"+OK\r\n")
            sent, line = 0, (b"x" * 998 + b"\r\n") * 64
            while sent < 200 * MEGABYTE and not enough.is_set():
                if not harness.can_write(connection.socket, 1):
                    stalled.tell(sent)
                    enough.wait()
                connection.send(line)
                sent += len(line)
            connection.send(b".\r\n")
            stalled.tell(sent)
            connection.line()
        enough, stalled = threading.Event(), Events()
        proxy = self.start({"pop3": [self.backend(script)]}, extra=ONE_WORKER)
        other = self.client(proxy, "pop3")
        other.line()
        client = self.client(proxy, "pop3")
        client.line()
        before = proxy.rss()
        client.send(b"RETR 1\r\n")
        taken = stalled.wait()
        self.assertLess(taken, HELD_MAX)
        self.assertLess(proxy.rss() - before, (32 if harness.is_sanitized() else 2) * MEGABYTE)
        # Nothing is lost once the client reads on.
        enough.set()
        self.assertEqual(client.line(), b"+OK")
        got, end = 0, b""
        while not end.endswith(b"\r\n.\r\n"):
            got += len(client.held)
            end, client.held = (end + client.held)[-5:], b""
            self.assertTrue(end.endswith(b"\r\n.\r\n") or client.more())
        self.assertEqual(got, stalled.wait() + len(b".\r\n"))

    def test_slow_backend_stops_the_client_being_read(self):
        def script(connection):
            connection.send(b"220 ready\r\n")
            connection.line()
            connection.send(b"354 go\r\n")
            resume.wait()
            data = b""
            count = 0
            while not data.endswith(b"\r\n.\r\n"):
                data = data[-5:] + connection.socket.recv(65536)
                count += len(data)
            connection.send(b"250 taken\r\n")
            connection.line()
        resume = threading.Event()
        proxy = self.start({"submission": [self.backend(script)]}, extra=ONE_WORKER)
        client = self.client(proxy, "submission")
        client.line()
        self.assertEqual(client.ask(b"DATA"), b"354 go")
        before = proxy.rss()
        sent, lines = 0, (b"x" * 998 + b"\r\n") * 64
        while sent < 200 * MEGABYTE and harness.can_write(client.socket, 1):
            client.send(lines)
            sent += len(lines)
        self.assertLess(sent, HELD_MAX)
        self.assertLess(proxy.rss() - before, (32 if harness.is_sanitized() else 2) * MEGABYTE)
        resume.set()
        self.assertEqual(client.ask(b"."), b"250 taken")
        client.close()
        self.assertGreaterEqual(int(proxy.session()["in"]), sent)

    def test_client_that_asks_and_never_reads(self):
        """Answers that the proxy makes itself are bounded as well: the client is read no more."""
        proxy = self.start({"submission": [self.backend(harness.submission)]}, extra=ONE_WORKER)
        client = self.client(proxy, "submission")
        client.line()
        before = proxy.rss()
        sent, commands = 0, b"CLIENT name=t\r\n" * 4000
        while sent < 100 * MEGABYTE and harness.can_write(client.socket, 1):
            client.send(commands)
            sent += len(commands)
        self.assertLess(sent, HELD_MAX)
        self.assertLess(proxy.rss() - before, (32 if harness.is_sanitized() else 2) * MEGABYTE)

    def test_line_without_end(self):
        """IMAP goes on behind it, as far as it goes; POP3 and SMTP do not wait for its end."""
        for protocol, words, reasons, detail in [
                ("imap", b"* BAD", {"client-closed", "client-reset"}, None),
                ("pop3", b"-ERR", {"client-error"}, "a line of the client is too long"),
                ("submission", b"500 ", {"client-error"}, "a line of the client never ends")]:
            with self.subTest(protocol):
                proxy = self.start({protocol: [self.backend(harness.SCRIPTS[protocol])]})
                client = self.client(proxy, protocol)
                client.line()
                client.send_and_receive(client.seal(b"x" * 4 * MEGABYTE))
                answer = client.line()
                with contextlib.suppress(OSError):
                    client.socket.shutdown(socket.SHUT_RDWR)
                self.assertTrue(answer.startswith(words), answer)
                line = proxy.session()
                self.assertIn(line["reason"], reasons)
                if detail:
                    self.assertEqual(line["detail"], detail)


class NoTls(harness.TestCase):
    def test_what_is_no_tls_is_named_and_hurts_nobody(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        well = self.client(proxy, "pop3")
        well.line()
        for number, (words, detail) in enumerate([
                (b"GET / HTTP/1.1\r\nHost: mail.example.com\r\n\r\n", "client speaks HTTP, not TLS: "),
                (b"a1 CAPABILITY\r\n", "client speaks IMAP in the clear, not TLS: "),
                (b"CAPA\r\nQUIT\r\n", "client speaks POP3 in the clear, not TLS: "),
                (b"EHLO client.example.com\r\n", "client speaks SMTP in the clear, not TLS: "),
                (b"\x15\x03\x01\0\x02\x01\0", "peer closed the connection in the handshake"),
                (b"\0\0\0\0\0\0\0\0", "client does not speak TLS")]):
            with harness.connect(proxy.port("pop3")) as sock:
                sock.sendall(words)
                while sock.recv(1000):
                    pass
            line = proxy.wait_lines(number + 1, event="session", reason="handshake-failed")[-1]
            self.assertTrue(line["detail"].startswith(detail), line)
            self.assertEqual(well.ask(b"STAT"), b"+OK %d 0" % (number + 1))

    def test_close_notify_in_place_of_a_handshake(self):
        """In the clear, as anybody may say it: no session begins, and no backend is connected to."""
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend]})
        with harness.connect(proxy.port("pop3")) as sock:
            sock.sendall(bytes([21, 3, 3, 0, 2, 1, 0]))
            self.assertEqual(sock.recv(100), b"")
        line = proxy.session(reason="handshake-failed")
        self.assertEqual(line["detail"], "peer closed the connection in the handshake")
        self.assertNotIn("backend", line)
        self.assertEqual(backend.count, 0)

    def test_port_scans(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, extra='log_level = "debug";')
        before = proxy.descriptors()
        for number in range(200):
            sock = harness.connect(proxy.port("pop3"))
            if number % 2:
                harness.reset(sock)
            else:
                sock.close()
        proxy.wait_lines(200, event="session")
        self.wait_until(lambda: proxy.descriptors() <= before)
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")


if __name__ == "__main__":
    harness.main()
