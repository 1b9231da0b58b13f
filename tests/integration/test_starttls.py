# SPDX-License-Identifier: BSD-2-Clause
"""Listeners with STARTTLS and STLS: the dialogue before the handshake, and that nothing of it crosses the handshake."""

import harness

QUIT = {"imap": b"z LOGOUT", "pop3": b"QUIT", "submission": b"QUIT"}
GOODBYE = {"imap": b"* BYE", "pop3": b"-ERR [SYS/TEMP]", "submission": b"421 4.3.2"}


class Starttls(harness.TestCase):
    def start_starttls(self, services, **options):
        return self.start(services, keys={name: 'tls = "starttls";' for name in services}, **options)

    def plain(self, proxy, service):
        """A connection before its handshake, and the proxy's greeting."""
        sock = harness.connect(proxy.port(service))
        self.addCleanup(sock.close)
        connection = harness.Connection(sock)
        return connection, connection.line()

    def rest(self, connection):
        """All that comes before the end; the proxy then need not wait for the client's."""
        data = connection.rest()
        connection.socket.close()
        return data

    def upgraded(self, proxy, service, behind=b"", **options):
        return self.client(proxy, service, before=harness.starttls(service, behind), **options)

    def test_a_session_of_each_protocol(self):
        backends = {name: [self.backend(script)] for name, script in harness.SCRIPTS.items()}
        proxy = self.start_starttls(backends)
        for protocol, command, answer in [("imap", b"a1 NOOP", b"a1 OK NOOP done"), ("pop3", b"USER joe", b"+OK USER"),
                                          ("submission", b"NOOP", b"250 2.0.0 NOOP")]:
            client = self.upgraded(proxy, protocol)
            # The first line is the answer to the first command: the backend's greeting is not shown.
            self.assertEqual(client.ask(command), answer)
            client.send(QUIT[protocol] + b"\r\n")
            client.rest()
            line = proxy.session(service=protocol)
            self.assertEqual((line["reason"], line["tls"]), ("logout", "TLSv1.3"))

    def test_capabilities_before_and_behind(self):
        proxy = self.start_starttls({"pop3": [self.backend(harness.pop3)]})
        capabilities = []

        def ask(connection):
            connection.line()
            connection.send(b"CAPA\r\nSTLS\r\n")
            while (line := connection.line()) != b".":
                capabilities.append(line)
            self.assertEqual(connection.line()[:3], b"+OK")
        client = self.client(proxy, "pop3", before=ask)
        self.assertIn(b"STLS", capabilities)
        self.assertNotIn(b"USER", capabilities)
        client.send(b"CAPA\r\nQUIT\r\n")
        lines = client.rest().split(b"\r\n")
        self.assertIn(b"USER", lines)
        self.assertNotIn(b"STLS", lines)

    def test_no_backend_is_connected_before_tls(self):
        backend = self.backend(harness.imap)
        proxy = self.start_starttls({"imap": [backend]})
        connection, greeting = self.plain(proxy, "imap")
        self.assertIn(b"LOGINDISABLED", greeting)
        connection.send(b"a LOGIN joe secret\r\nb CAPABILITY\r\nc LOGOUT\r\n")
        self.assertTrue(connection.line().startswith(b"a NO [PRIVACYREQUIRED]"))
        self.assertTrue(self.rest(connection).endswith(b"c OK LOGOUT completed\r\n"))
        self.assertEqual(proxy.session()["reason"], "logout")
        self.assertEqual(backend.count, 0)
        self.assertNotIn("secret", proxy.text)

    def test_injected_commands_reach_nobody(self):
        """CERT VU#555316: what came behind the command in the same segment is gone, and the log says so."""
        evil = {"imap": b"x LOGIN evil evil\r\n", "pop3": b"USER evil\r\nPASS evil\r\n",
                "submission": b"MAIL FROM:<evil@example.com>\r\n"}
        seen = harness.Events()
        scripts = {}
        for protocol, script in harness.SCRIPTS.items():
            def tell(connection, script=script):
                plain_line = connection.line
                connection.line = lambda: (lambda line: seen.tell(line) or line)(plain_line())
                script(connection)
            scripts[protocol] = [self.backend(tell)]
        proxy = self.start_starttls(scripts)
        for protocol, injected in evil.items():
            client = self.upgraded(proxy, protocol, behind=injected)
            client.send(QUIT[protocol] + b"\r\n")
            client.rest()
            self.assertEqual(seen.wait(), QUIT[protocol])
            line = proxy.wait_line(event="starttls-injection", service=protocol)
            self.assertEqual(int(line["discarded"]), len(injected))
        self.assertNotIn("evil", proxy.text)

    def test_what_is_injected_later_breaks_the_handshake(self):
        """In a segment of its own it is read as TLS, and is none."""
        backend = self.backend(harness.imap)
        proxy = self.start_starttls({"imap": [backend]})
        connection, _ = self.plain(proxy, "imap")
        connection.send(b"a STARTTLS\r\n")
        self.assertEqual(connection.line(), b"a OK Begin TLS negotiation now")
        connection.send(b"x LOGIN evil evil\r\n")
        self.assertNotIn(b"x ", self.rest(connection))
        self.assertEqual(proxy.session()["reason"], "handshake-failed")
        self.assertEqual(backend.count, 0)

    def test_tls_at_once_is_no_command(self):
        """A client that takes the port for one with implicit TLS is sent away, not kept waiting."""
        proxy = self.start_starttls({"submission": [self.backend(harness.submission)]})
        client = self.client(proxy, "submission", shake_hands=False)
        with self.takes(0, harness.SOON):
            # It is answered in the clear, which no TLS client understands.
            self.assertIn(client.refusal(), ("WRONG_VERSION_NUMBER", "closed"))
        client.close()
        line = proxy.session()
        self.assertEqual((line["reason"], line["detail"]), ("client-error", "the client begins with TLS, not with STARTTLS"))

    def test_greetings_of_backends_that_refuse(self):
        """PREAUTH behind STARTTLS is how it is stripped: refused, and the next server tried."""
        preauth = self.backend(lambda connection: connection.send(b"* PREAUTH [CAPABILITY IMAP4rev1] hello\r\n"))
        good = self.backend(harness.imap)
        proxy = self.start_starttls({"imap": [preauth, good]})
        for _ in range(2):
            client = self.upgraded(proxy, "imap")
            self.assertEqual(client.ask(b"a NOOP"), b"a OK NOOP done")
            client.send(b"z LOGOUT\r\n")
            client.rest()
        self.assertIn("PREAUTH", proxy.wait_line(event="backend-failed")["error"])

    def test_a_server_that_greets_and_closes_is_passed_over(self):
        """The client has seen nothing of it, so the next one takes its place."""
        closes = self.backend(lambda connection: connection.send(b"* OK hello\r\n"))
        good = self.backend(harness.imap)
        proxy = self.start_starttls({"imap": [closes, good]}, extra="workers = 1;")
        client = self.upgraded(proxy, "imap")
        proxy.wait_line(event="backend-failed", error="closed the connection after its greeting")
        self.assertEqual(client.ask(b"a NOOP"), b"a OK NOOP done")
        client.send(b"z LOGOUT\r\n")
        client.rest()
        self.assertEqual(proxy.session()["reason"], "logout")

    def test_backend_down_is_said_over_tls(self):
        address = harness.refusing_address()
        proxy = self.start_starttls({name: [address] for name in harness.SCRIPTS})
        for protocol, words in GOODBYE.items():
            client = self.upgraded(proxy, protocol)
            self.assertTrue(client.rest().startswith(words))
            self.assertEqual(proxy.session(service=protocol)["reason"], "backend-unavailable")

    def test_time_runs_out_before_tls(self):
        proxy = self.start_starttls({"imap": [self.backend(harness.imap)]}, timeouts='login = "1 s";')
        connection, _ = self.plain(proxy, "imap")
        connection.send(b"a NO")  # a dribble does not buy time
        self.assertTrue(self.rest(connection).startswith(b"* BYE"))
        self.assert_lasted(proxy.session(reason="login-timeout"), 1)

    def test_time_runs_out_in_the_handshake(self):
        proxy = self.start_starttls({"imap": [self.backend(harness.imap)]}, timeouts='handshake = "1 s";')
        connection, _ = self.plain(proxy, "imap")
        connection.send(b"a STARTTLS\r\n")
        connection.line()
        self.rest(connection)
        self.assert_lasted(proxy.session(reason="handshake-timeout"), 1)

    def test_who_hangs_up_before_tls(self):
        proxy = self.start_starttls({"pop3": [self.backend(harness.pop3)]}, extra='log_level = "debug";')
        connection, _ = self.plain(proxy, "pop3")
        connection.finish()
        self.assertEqual(self.rest(connection), b"")
        self.assertEqual(proxy.session()["reason"], "client-closed")
        connection, _ = self.plain(proxy, "pop3")
        connection.reset()
        self.assertEqual(proxy.wait_lines(2, event="session")[1]["reason"], "client-reset")

    def test_the_end_of_the_program_is_said_in_the_clear_too(self):
        proxy = self.start_starttls({"submission": [self.backend(harness.submission)]})
        connection, _ = self.plain(proxy, "submission")
        proxy.stop()
        self.assertEqual(self.rest(connection), b"421 4.3.2 proxy.example.com Server is shutting down, try again later\r\n")

    def test_who_asks_and_reads_nothing_is_bounded(self):
        proxy = self.start_starttls({"submission": [self.backend(harness.submission)]})
        connection, _ = self.plain(proxy, "submission")
        connection.socket.settimeout(1)
        before = proxy.rss()
        with self.assertRaises(TimeoutError):
            for _ in range(100):
                connection.send(b"NOOP\r\n" * 100_000)
        if not harness.is_sanitized():
            self.assertLess(proxy.rss() - before, 4 * 1024 * 1024)

    def test_octet_by_octet(self):
        proxy = self.start_starttls({"imap": [self.backend(harness.imap)]})

        def dribble(connection):
            connection.line()
            for octet in b"a CAPABILITY\r\nb STARTTLS\r\n":
                connection.send(bytes([octet]))
            self.assertEqual([connection.line()[:4] for _ in range(3)], [b"* CA", b"a OK", b"b OK"])
        client = self.client(proxy, "imap", before=dribble)
        self.assertEqual(client.ask(b"c NOOP"), b"c OK NOOP done")


if __name__ == "__main__":
    harness.main()
