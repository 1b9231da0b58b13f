# SPDX-License-Identifier: BSD-2-Clause
"""Sessions from greeting to close_notify, in orderly and in rude ways."""

import hashlib
import random
import socket
import ssl
import threading

import harness
from harness import Events


class Sessions(harness.TestCase):
    def test_a_session_of_each_protocol(self):
        backends = {name: [self.backend(script)] for name, script in harness.SCRIPTS.items()}
        proxy = self.start(backends)
        for protocol, greeting, dialogue, goodbye in [
                ("imap", b"* OK", [(b"a1 NOOP", b"a1 OK")], (b"a2 LOGOUT", b"* BYE see you")),
                ("pop3", b"+OK ready", [(b"USER joe", b"+OK"), (b"PASS secret", b"+OK")], (b"QUIT", b"+OK bye")),
                ("submission", b"220 ", [(b"NOOP", b"250")], (b"QUIT", b"221"))]:
            client = self.client(proxy, protocol)
            self.assertTrue(client.line().startswith(greeting))
            for command, answer in dialogue:
                self.assertTrue(client.ask(command).startswith(answer), command)
            self.assertTrue(client.ask(goodbye[0]).startswith(goodbye[1]))
            client.rest()
            self.assertEqual(proxy.session(service=protocol)["reason"], "logout")

    def test_deep_is_announced(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        client = self.client(proxy, "pop3")
        client.line()
        client.send(b"CAPA\r\nQUIT\r\n")
        answer = client.rest()
        self.assertIn(b"\r\nDEEP tls11 tls12 <https://www.example.com/security>\r\n", answer)
        self.assertTrue(answer.endswith(b".\r\n+OK bye\r\n"))

    def test_a_message_of_ten_megabytes_arrives_unchanged(self):
        body = random.Random(1).randbytes(10_000_000).replace(b"\r", b"x").replace(b"\n", b"y")
        body = b"\r\n".join(b"-" + body[i:i + 900] for i in range(0, len(body), 900)) + b"\r\n"
        backend = self.backend(lambda connection: harness.pop3(connection, messages=[body]))
        proxy = self.start({"pop3": [backend]})
        client = self.client(proxy, "pop3")
        client.line()
        client.ask(b"USER joe")
        client.ask(b"PASS secret")
        client.send(b"RETR 0\r\n")
        self.assertEqual(client.line()[:3], b"+OK")
        got = client.exactly(len(body))
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(body).digest())
        self.assertEqual(client.line(), b".")
        client.send(b"QUIT\r\n")
        client.rest()
        line = proxy.session()
        self.assertGreater(int(line["out"]), len(body))
        self.assertEqual(int(line["in"]), len("USER joe\r\nPASS secret\r\nRETR 0\r\nQUIT\r\n"))

    def test_the_log_names_pool_and_server(self):
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend]})
        client = self.client(proxy, "pop3")
        client.line()
        client.send(b"QUIT\r\n")
        client.rest()
        line = proxy.session()
        self.assertEqual((line["pool"], line["server"], line["backend"]), ("pop3-pool", backend.address, backend.address))

    def test_the_log_names_no_server_that_there_was_not(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, extra='log_level = "debug";')  # it says nothing
        socket.create_connection(("127.0.0.1", proxy.port("pop3"))).close()
        line = proxy.session()
        self.assertEqual({"pool", "server", "backend"} & set(line), set())

    def test_many_commands_in_one_write(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        client = self.client(proxy, "pop3")
        commands = b"USER joe\r\nPASS secret\r\n" + b"NOOP\r\n" * 20000 + b"STAT\r\nQUIT\r\n"
        # Written from a thread: the answers come while it writes.
        sealed = client.seal(commands)
        writer = threading.Thread(target=client.socket.sendall, args=(sealed,))
        writer.start()
        answer = client.rest().split(b"\r\n")
        writer.join()
        self.assertEqual(len(answer), 1 + 2 + 20000 + 2 + 1)
        self.assertEqual(answer[-3:], [b"+OK 20003 0", b"+OK bye", b""])

    def test_octet_by_octet(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        client = self.client(proxy, "pop3")
        for octet in b"USER joe\r\nSTAT\r\n":
            client.send(bytes([octet]))
        for octet in client.seal(b"QUIT\r\n"):
            client.socket.sendall(bytes([octet]))
        self.assertEqual(client.rest(), b"+OK ready\r\n+OK USER\r\n+OK 2 0\r\n+OK bye\r\n")

    def test_client_that_speaks_before_the_greeting(self):
        def script(connection):
            # Nothing may come before the greeting went out: SMTP servers call that a violation.
            events.tell(harness.can_read(connection.socket, 0.2))
            harness.pop3(connection)
        events = Events()
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        client.send(b"USER joe\r\nQUIT\r\n")
        self.assertFalse(events.wait())
        self.assertEqual(client.rest(), b"+OK ready\r\n+OK USER\r\n+OK bye\r\n")

    def test_resumed_session_and_its_log_line(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        context = harness.client_context()
        first = self.client(proxy, "pop3", context=context)
        first.line()
        first.send(b"QUIT\r\n")
        first.rest()
        second = self.client(proxy, "pop3", context=context, session=first.tls.session)
        second.line()
        self.assertTrue(second.tls.session_reused)
        second.send(b"QUIT\r\n")
        second.rest()
        lines = proxy.wait_lines(2, event="session")
        self.assertEqual([line["resumed"] for line in lines], ["no", "yes"])

    def test_the_certificate_is_good_for_its_names(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        context = harness.client_context(authority=self.folder.path / "ca.pem")
        for name in ["mail.example.com", "localhost", "127.0.0.1"]:
            self.assertEqual(self.client(proxy, "pop3", name=name, context=context).line(), b"+OK ready")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.client(proxy, "pop3", name="other.example.com", context=context)

    def test_two_hundred_sessions_at_once(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3), self.backend(harness.pop3)]})
        before = proxy.descriptors()
        clients = [self.client(proxy, "pop3") for _ in range(200)]
        for client in clients:
            client.send(b"USER joe\r\n")
        for client in clients:
            self.assertEqual(client.line(), b"+OK ready")
            self.assertEqual(client.line(), b"+OK USER")
        for number, client in enumerate(clients):
            client.send(b"STAT\r\n" * (number % 7 + 1) + b"QUIT\r\n")
        for number, client in enumerate(clients):
            self.assertIn(b"+OK %d 0\r\n" % (number % 7 + 2), client.rest())
        self.assertEqual(len(proxy.wait_lines(200, event="session", reason="logout")), 200)
        self.wait_until(lambda: proxy.descriptors() <= before)


class Endings(harness.TestCase):
    def test_backend_that_hangs_up(self):
        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.line()
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        client.line()
        client.send(b"USER joe\r\n")
        self.assertTrue(client.rest().startswith(b"-ERR [SYS/TEMP]"))
        self.assertEqual(proxy.session()["reason"], "backend-closed")

    def test_backend_that_resets_in_the_middle_of_a_message(self):
        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.line()
            connection.send(b"+OK\r\nthe beginning\r\n")
            events.wait()
            connection.reset()
        events = Events()
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        client.line()
        client.ask(b"RETR 1")
        self.assertEqual(client.line(), b"the beginning")
        events.tell("read")
        # No words of the proxy's own: they would be taken for the message's.
        self.assertEqual(client.rest(), b"")
        self.assertEqual(proxy.session()["reason"], "backend-closed")

    def test_a_refused_message_is_not_delivered(self):
        def script(connection):
            connection.send(b"220 msa.example.com ESMTP\r\n")
            connection.line()
            connection.send(b"354 go\r\n")
            events.tell(connection.rest())
        events = Events()
        proxy = self.start({"submission": [self.backend(script)]}, keys='bare_newline = "reject";')
        client = self.client(proxy, "submission")
        client.line()
        self.assertTrue(client.ask(b"DATA").startswith(b"354"))
        client.send(b"Subject: x\r\n\r\na\n.\r\nMAIL FROM:<a@example.com>\r\n")
        self.assertTrue(client.rest().startswith(b"550 5.6.11 "))
        self.assertEqual(events.wait(), b"Subject: x\r\n\r\na")
        session = proxy.session()
        self.assertEqual((session["reason"], session["detail"]), ("client-error", "a bare LF in a message"))

    def test_backend_that_says_its_last_word_and_hangs_up(self):
        def script(connection):
            connection.send(b"+OK ready\r\n")
            while connection.line() != b"QUIT":
                connection.send(b"+OK\r\n")
            connection.send(b"+OK " + b"x" * 400 + b"\r\n")
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        client.send(b"USER joe\r\nQUIT\r\n")
        self.assertEqual(client.rest(), b"+OK ready\r\n+OK\r\n+OK " + b"x" * 400 + b"\r\n")
        self.assertEqual(proxy.session()["reason"], "logout")

    def test_client_that_half_closes_still_gets_its_answers(self):
        """By close_notify alone, by close_notify and FIN, by FIN alone."""
        def script(connection):
            connection.send(b"+OK ready\r\n")
            commands = connection.rest().split(b"\r\n")  # to the end of input, which must come
            connection.send(b"+OK %d\r\n" % len(commands))
            connection.send(b"+OK last\r\n")
        proxy = self.start({"pop3": [self.backend(script)]})
        for number, ways in enumerate([("close_notify",), ("close_notify", "fin"), ("fin",)]):
            client = self.client(proxy, "pop3")
            client.line()
            client.send(b"USER joe\r\nPASS secret\r\n")
            if "close_notify" in ways:
                client.send_close_notify()
            if "fin" in ways:
                client.finish()
            self.assertEqual(client.rest(), b"+OK 3\r\n+OK last\r\n", ways)
            self.assertEqual(len(proxy.wait_lines(number + 1, event="session", reason="client-closed")), number + 1)

    def test_client_that_sends_all_it_has_to_say_with_its_handshake(self):
        """Commands and close_notify in the segment that ends the handshake: no backend is connected yet."""
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        client = self.client(proxy, "pop3", shake_hands=False, context=harness.client_context(
            minimum=ssl.TLSVersion.TLSv1_3))
        finished = client.last_flight()
        client.send_close_notify(before=finished + client.seal(b"USER joe\r\nSTAT\r\nQUIT\r\n"))
        client.finish()
        self.assertEqual(client.rest(), b"+OK ready\r\n+OK USER\r\n+OK 2 0\r\n+OK bye\r\n")
        self.assertEqual(proxy.session()["reason"], "logout")

    def test_client_that_ends_with_its_handshake_and_says_nothing(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        client = self.client(proxy, "pop3", shake_hands=False, context=harness.client_context(
            minimum=ssl.TLSVersion.TLSv1_3))
        finished = client.last_flight()
        client.send_close_notify(before=finished)
        self.assertEqual(client.rest(), b"+OK ready\r\n")
        self.assertEqual(proxy.session()["reason"], "client-closed")

    def test_client_that_goes_before_the_greeting(self):
        """close_notify while the backend is silent: answered by close_notify, and the backend let go."""
        def script(connection):
            events.tell("connected")
            events.tell(connection.rest())
        events = Events()
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        self.assertEqual(events.wait(), "connected")
        client.send_close_notify()
        self.assertEqual(client.rest(), b"")
        self.assertEqual(events.wait(), b"")
        self.assertEqual(proxy.session()["reason"], "client-closed")

    def test_client_that_goes_without_a_word(self):
        events = Events()

        def script(connection):
            connection.send(b"+OK ready\r\n")
            events.tell(connection.rest())
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        client.line()
        client.send(b"USER jo")
        client.close()
        self.assertNotIn(b"\r\n", events.wait())
        self.assertIn(proxy.session()["reason"], ["client-closed", "client-reset"])

    def test_client_that_resets_in_the_middle_of_a_message(self):
        message = b"x" * 998 + b"\r\n"

        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.line()
            connection.send(b"+OK\r\n")
            events.tell("begun")
            try:
                for _ in range(200_000):
                    connection.send(message)
            except OSError:
                events.tell("broken")
        events = Events()
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        client.line()
        client.ask(b"RETR 1")
        self.assertEqual(events.wait(), "begun")
        client.exactly(100_000)
        client.reset()
        self.assertEqual(events.wait(), "broken")
        self.assertEqual(proxy.session()["reason"], "client-reset")

    def test_garbage_after_the_handshake(self):
        for garbage in [b"a1 LOGIN joe secret\r\n", b"\x17\x03\x03\x00\x20" + b"x" * 32, b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"]:
            events = Events()

            def script(connection):
                connection.send(b"+OK ready\r\n")
                events.tell(connection.rest())
            proxy = self.start({"pop3": [self.backend(script)]})
            client = self.client(proxy, "pop3")
            client.line()
            client.socket.sendall(garbage)
            with self.assertRaises(ssl.SSLError):
                client.more()
            client.close()
            self.assertEqual(events.wait(), b"")
            self.assertEqual(proxy.session()["reason"], "tls-error")

    def test_renegotiation_is_refused(self):
        """A second ClientHello in TLS 1.2, in the clear as an attacker would put it."""
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        context = harness.client_context(maximum=ssl.TLSVersion.TLSv1_2)
        client = self.client(proxy, "pop3", context=context)
        client.line()
        other = self.client(proxy, "pop3", shake_hands=False)
        with self.assertRaises(ssl.SSLWantReadError):
            other.tls.do_handshake()
        client.socket.sendall(other.outgoing.read())
        with self.assertRaises(ssl.SSLError):
            client.more()
        client.close()
        self.assertEqual(proxy.session()["reason"], "tls-error")


class Addresses(harness.TestCase):
    def test_ipv6_on_both_sides(self):
        try:
            backend = self.backend(harness.pop3, family=socket.AF_INET6)
        except OSError as error:
            self.skipTest(f"this machine has no IPv6 loopback: {error}")
        proxy = self.start({"pop3": ("pop3", ["[::1]:0"], [backend], "none")})
        client = self.client(proxy, "pop3", host="::1")
        self.assertEqual(client.line(), b"+OK ready")
        client.send(b"QUIT\r\n")
        client.rest()
        line = proxy.session()
        self.assertEqual(line["client"], "[::1]:%d" % client.local[1])
        self.assertEqual(line["backend"], backend.address)

    def test_a_wildcard_of_ipv6_serves_ipv4_too(self):
        proxy = None
        try:
            proxy = self.start({"pop3": ("pop3", ["[::]:0"], [self.backend(harness.pop3)], "none")})
        except AssertionError:
            if socket.has_ipv6 and harness.can_bind_ipv6():
                raise
            self.skipTest("this machine has no IPv6")
        client = self.client(proxy, "pop3")
        client.send(b"QUIT\r\n")
        client.rest()
        # An IPv4 client is logged as such, not as ::ffff:127.0.0.1.
        self.assertEqual(proxy.session()["client"], "127.0.0.1:%d" % client.local[1])

    def test_several_listeners_of_a_service(self):
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0", "127.0.0.2:0"], [backend], "none")})
        for _, address in proxy.addresses:
            host, port = address.rsplit(":", 1)
            with harness.Client(int(port), host=host) as client:
                self.assertEqual(client.line(), b"+OK ready")
        self.assertEqual(len(proxy.addresses), 2)


if __name__ == "__main__":
    harness.main()
