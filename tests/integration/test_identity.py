# SPDX-License-Identifier: BSD-2-Clause
"""What a backend is told of the client: the PROXY protocol's header, octet for octet, before anything else."""

import socket
import ssl
import struct

import harness
from harness import Events

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
TLV_AUTHORITY, TLV_UNIQUE_ID, TLV_SSL, TLV_SSL_VERSION, TLV_SSL_CIPHER = 0x02, 0x05, 0x20, 0x21, 0x23
CLIENT_SSL = 0x01


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def expected_header(family, client, proxy, name, session, version, cipher):
    """As doc/proxy-protocol.txt of HAProxy has it, section 2.2: version 2, command PROXY, TCP."""
    addresses = (socket.inet_pton(family, client[0]) + socket.inet_pton(family, proxy[0])
                 + struct.pack("!HH", client[1], proxy[1]))
    # The client has shown no certificate: verify is not 0 (section 2.2.5).
    tls = struct.pack("!BI", CLIENT_SSL, 1) + tlv(TLV_SSL_VERSION, version) + tlv(TLV_SSL_CIPHER, cipher)
    rest = addresses + (tlv(TLV_AUTHORITY, name) if name else b"") + tlv(TLV_UNIQUE_ID, session) + tlv(TLV_SSL, tls)
    return SIGNATURE + bytes([0x21, 0x11 if family == socket.AF_INET else 0x21]) + struct.pack("!H", len(rest)) + rest


def take_header(connection):
    head = connection.exactly(16)
    return head + connection.exactly(struct.unpack("!H", head[14:])[0])


class Identity(harness.TestCase):
    def check(self, family, listen, host, name, maximum, version):
        def script(connection):
            events.tell(take_header(connection))
            # Nothing but the header before the greeting.
            events.tell(connection.held + (connection.socket.recv(1) if harness.can_read(connection.socket, 0.1) else b""))
            harness.pop3(connection)
        events = Events()
        proxy = self.start({"pop3": ("pop3", [listen], [self.backend(script)], "proxy-v2")})
        context = harness.client_context(maximum=maximum)
        client = self.client(proxy, "pop3", host=host, name=name, context=context)
        header, behind = events.wait(), events.wait()
        self.assertEqual(client.line(), b"+OK ready")
        client.send(b"QUIT\r\n")
        client.rest()
        line = proxy.session()
        self.assertEqual(behind, b"")
        self.assertEqual(header, expected_header(family, client.local[:2], (host, proxy.port("pop3")),
                                                 name.encode() if name else None, line["session"].encode(),
                                                 version, client.cipher[0].encode()))
        self.assertLessEqual(len(header), 1500)
        self.assertEqual(line.get("sni"), name)

    def test_tls_1_3(self):
        self.check(socket.AF_INET, "127.0.0.1:0", "127.0.0.1", "mail.example.com", ssl.TLSVersion.TLSv1_3, b"TLSv1.3")

    def test_tls_1_2_has_the_name_of_openssl(self):
        self.check(socket.AF_INET, "127.0.0.1:0", "127.0.0.1", "mail.example.com", ssl.TLSVersion.TLSv1_2, b"TLSv1.2")

    def test_without_a_name(self):
        self.check(socket.AF_INET, "127.0.0.1:0", "127.0.0.1", None, ssl.TLSVersion.TLSv1_3, b"TLSv1.3")

    def test_a_name_that_is_none_is_left_out(self):
        """The SNI is the client's to choose: a backend might put it into a log line, or look up a certificate by it."""
        for name in ["evil\nname=1", "a b.example.com", "etc/passwd", "%00.example.com"]:
            def script(connection):
                events.tell(take_header(connection))
                harness.pop3(connection)
            events = Events()
            proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(script)], "proxy-v2")})
            client = self.client(proxy, "pop3", name=name)
            client.line()
            header = events.wait()
            self.assertNotIn(name.encode(), header)
            client.send(b"QUIT\r\n")
            client.rest()
            line = proxy.session()
            self.assertEqual(line["sni"], name)
            self.assertEqual(header, expected_header(socket.AF_INET, client.local[:2], ("127.0.0.1", proxy.port("pop3")),
                                                     None, line["session"].encode(), b"TLSv1.3",
                                                     client.cipher[0].encode()))

    def test_ipv6(self):
        if not harness.can_bind_ipv6():
            self.skipTest("this machine has no IPv6 loopback")
        self.check(socket.AF_INET6, "[::1]:0", "::1", "mail.example.com", ssl.TLSVersion.TLSv1_3, b"TLSv1.3")

    def test_ipv4_client_of_an_ipv6_listener(self):
        if not harness.can_bind_ipv6():
            self.skipTest("this machine has no IPv6 loopback")
        self.check(socket.AF_INET, "[::]:0", "127.0.0.1", "mail.example.com", ssl.TLSVersion.TLSv1_3, b"TLSv1.3")

    def test_the_longest_name(self):
        name = ".".join(["a" * 63] * 3 + ["b" * 61])
        self.check(socket.AF_INET, "127.0.0.1:0", "127.0.0.1", name, ssl.TLSVersion.TLSv1_3, b"TLSv1.3")

    def test_the_server_that_takes_over_is_told_as_well(self):
        def refusing(connection):
            events.tell(take_header(connection))
            connection.send(b"-ERR [SYS/TEMP] not now\r\n")

        def taking(connection):
            events.tell(take_header(connection))
            harness.pop3(connection)
        events = Events()
        servers = [self.backend(refusing), self.backend(taking)]
        proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0"], servers, "proxy-v2")}, extra="workers = 1;")
        client = self.client(proxy, "pop3")
        self.assertEqual(client.line(), b"+OK ready")
        self.assertEqual(events.wait(), events.wait())

    def test_it_goes_out_in_one_piece(self):
        """Some servers read it with one call, and take what follows for the next thing."""
        def script(connection):
            events.tell(connection.socket.recv(65536))
            harness.pop3(connection)
        events = Events()
        proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(script)], "proxy-v2")})
        longest = ".".join(["a" * 63] * 3 + ["b" * 61])
        for _ in range(5):
            client = self.client(proxy, "pop3", name=longest)
            self.assertEqual(client.line(), b"+OK ready")
            first = events.wait()
            self.assertEqual(first[:12], SIGNATURE)
            self.assertEqual(len(first), 16 + struct.unpack("!H", first[14:16])[0])

    def test_none_is_none(self):
        def script(connection):
            events.tell(harness.can_read(connection.socket, 0.2))
            harness.pop3(connection)
        events = Events()
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        self.assertFalse(events.wait())
        self.assertEqual(client.line(), b"+OK ready")


class Alpn(harness.TestCase):
    """RFC 7301: a client that wants another protocol is turned away; the server hears nothing of it."""

    def header(self, protocol, offered):
        def script(connection):
            events.tell(take_header(connection))
            harness.SCRIPTS[protocol](connection)
        events = Events()
        proxy = self.start({protocol: (protocol, ["127.0.0.1:0"], [self.backend(script)], "proxy-v2")})
        context = harness.client_context()
        if offered:
            context.set_alpn_protocols(offered)
        client = self.client(proxy, protocol, context=context)
        client.line()
        client.send(b"QUIT\r\n" if protocol != "imap" else b"a LOGOUT\r\n")
        client.rest()
        return events.wait(), proxy.session(), client.tls.selected_alpn_protocol()

    def test_it_is_agreed_on_and_logged(self):
        """No server hears of it: Dovecot 2.4.1 drops a connection whose header has it."""
        for protocol in ["imap", "pop3"]:
            header, line, selected = self.header(protocol, ["h2", protocol])
            self.assertEqual(selected, protocol)
            self.assertEqual(line["alpn"], protocol)
            # After the addresses of IPv4, where ALPN would come before all others.
            self.assertEqual(header[28], TLV_AUTHORITY)

    def test_the_name_for_submission_is_not_passed_on(self):
        header, line, selected = self.header("submission", ["smtp"])
        self.assertEqual((selected, line["alpn"]), ("smtp", "smtp"))
        self.assertEqual(header[28], TLV_AUTHORITY)

    def test_a_client_without_it_is_served(self):
        header, line, selected = self.header("imap", None)
        self.assertIsNone(selected)
        self.assertNotIn("alpn", line)
        self.assertEqual(header[28], TLV_AUTHORITY)

    def test_another_protocol_is_turned_away(self):
        """ALPACA: what a browser was led to send here never reaches a parser."""
        backends = {protocol: self.backend(script) for protocol, script in harness.SCRIPTS.items()}
        proxy = self.start({protocol: [backend] for protocol, backend in backends.items()})
        for protocol, backend in backends.items():
            context = harness.client_context()
            context.set_alpn_protocols(["h2", "http/1.1"])
            with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
                harness.Client(proxy.port(protocol), context=context)
            line = proxy.wait_line(event="session", service=protocol)
            self.assertEqual(line["reason"], "handshake-failed")
            self.assertIn("ALPN", line["detail"])
            self.assertEqual(backend.count, 0)


class IdentityV1(harness.TestCase):
    def check(self, listen, host, family):
        def script(connection):
            events.tell(connection.socket.recv(65536))
            harness.pop3(connection)
        events = Events()
        proxy = self.start({"pop3": ("pop3", [listen], [self.backend(script)], "proxy-v1")})
        client = self.client(proxy, "pop3", host=host)
        self.assertEqual(client.line(), b"+OK ready")
        expected = f"PROXY {family} {client.local[0]} {host} {client.local[1]} {proxy.port('pop3')}\r\n"
        self.assertEqual(events.wait(), expected.encode())

    def test_ipv4(self):
        self.check("127.0.0.1:0", "127.0.0.1", "TCP4")

    def test_ipv6(self):
        if not harness.can_bind_ipv6():
            self.skipTest("this machine has no IPv6 loopback")
        self.check("[::1]:0", "::1", "TCP6")

    def test_ipv4_client_of_an_ipv6_listener(self):
        if not harness.can_bind_ipv6():
            self.skipTest("this machine has no IPv6 loopback")
        self.check("[::]:0", "127.0.0.1", "TCP4")


class Native(harness.TestCase):
    """Backends that read their own protocol: IMAP ID, XCLIENT."""

    def test_no_header_goes_before_it(self):
        def script(connection):
            events.tell(harness.can_read(connection.socket, 0.2))
            harness.submission(connection)
        events = Events()
        proxy = self.start({"submission": ("submission", ["127.0.0.1:0"], [self.backend(script)], "native")})
        client = self.client(proxy, "submission")
        self.assertFalse(events.wait())
        client.line()

    def submission(self, offer, answer=b"220 again\r\n"):
        def script(connection):
            connection.send(b"220 msa\r\n")
            events.tell(connection.line())
            connection.send(b"250-msa\r\n250 " + offer + b"\r\n")
            events.tell(connection.line())
            connection.send(answer)
            events.tell(connection.line())
            connection.send(b"250-msa\r\n250 SIZE\r\n")
            connection.line()
            connection.send(b"221 bye\r\n")
        events = Events()
        proxy = self.start({"submission": ("submission", ["127.0.0.1:0"], [self.backend(script)], "native")})
        return proxy, self.client(proxy, "submission"), events

    def test_submission(self):
        proxy, client, events = self.submission(b"XCLIENT NAME ADDR PORT DESTADDR DESTPORT LOGIN")
        self.assertEqual(client.line(), b"220 msa")
        client.send(b"EHLO c.example.com\r\nMAIL FROM:<>\r\n")
        self.assertEqual([client.line()[:4] for _ in range(3)], [b"250-", b"250-", b"250 "])
        self.assertEqual(events.wait(), b"EHLO c.example.com")
        expected = (f"XCLIENT NAME=[UNAVAILABLE] PORT={client.local[1]} DESTADDR=127.0.0.1 "
                    f"DESTPORT={proxy.port('submission')} ADDR=127.0.0.1")
        self.assertEqual(events.wait(), expected.encode())
        self.assertEqual(events.wait(), b"EHLO c.example.com")
        self.assertEqual(client.rest(), b"221 bye\r\n")

    def test_submission_server_without_xclient(self):
        proxy, client, _ = self.submission(b"SIZE")
        self.assertEqual(client.line(), b"220 msa")
        client.send(b"EHLO c\r\n")
        self.assertTrue(client.rest().startswith(b"421 4.3.2 "))
        session = proxy.session()
        self.assertEqual(session["reason"], "backend-error")
        self.assertIn("smtpd_authorized_xclient_hosts", session["detail"])

    def test_pop3_passes_a_server_by_that_trusts_nobody(self):
        def distrusting(connection):
            connection.send(b"+OK ready\r\n")
            connection.line()

        def trusting(connection):
            connection.send(b"+OK [XCLIENT] ready\r\n")
            events.tell(connection.line())
            connection.send(b"+OK Updated\r\n")
            connection.line()
        events = Events()
        servers = [self.backend(distrusting), self.backend(trusting)]
        proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0"], servers, "native")}, extra="workers = 1;")
        client = self.client(proxy, "pop3")
        self.assertEqual(client.line(), b"+OK ready")
        self.assertRegex(events.wait(), rb"^XCLIENT ADDR=127\.0\.0\.1 PORT=%d SESSION=[a-z0-9-]+$" % client.local[1])
        self.assertIn("login_trusted_networks", proxy.wait_line(event="backend-failed")["error"])

    def test_imap(self):
        def script(connection):
            connection.send(b"* OK [CAPABILITY IMAP4rev1 ID] ready\r\n")
            events.tell(connection.line().partition(b" ")[2])
            connection.send(b"* ID NIL\r\n")
            connection.line()
        events = Events()
        proxy = self.start({"imap": ("imap", ["127.0.0.1:0"], [self.backend(script)], "native")})
        client = self.client(proxy, "imap")
        client.line()
        client.send(b"a1 LOGIN joe secret\r\n")
        self.assertRegex(events.wait(), rb'^ID \("x-session-id" "[a-z0-9-]+" "x-originating-ip" "127\.0\.0\.1" '
                                        rb'"x-originating-port" "%d" "x-connected-ip" "127\.0\.0\.1" '
                                        rb'"x-connected-port" "%d" "x-proxy-ttl" "6" "tls" "TLS_[A-Z0-9_]+"\)$'
                         % (client.local[1], proxy.port("imap")))


class CipherSuite(harness.TestCase):
    def test_imap_id_has_the_registered_name(self):
        def script(connection):
            connection.send(b"* OK [CAPABILITY IMAP4rev1 ID] ready\r\n")
            line = connection.line()
            tag, _, rest = line.partition(b" ")
            events.tell(rest)
            connection.send(b"* ID NIL\r\n" + tag + b" OK done\r\n")
            connection.line()
        events = Events()
        proxy = self.start({"imap": [self.backend(script)]})
        context = harness.client_context(maximum=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
        client = self.client(proxy, "imap", context=context)
        client.line()
        client.send(b'a1 ID ("name" "t" "tls" "forged")\r\n')
        sent = events.wait()
        self.assertIn(b'"tls" "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"', sent)
        self.assertNotIn(b"forged", sent)

    def test_tag_of_the_proxys_own_id_is_new_in_each_session(self):
        """A client that knew it could answer, in a backend's name, what the proxy swallows."""
        def script(connection):
            connection.send(b"* OK [CAPABILITY IMAP4rev1 ID] ready\r\n")
            tag, _, rest = connection.line().partition(b" ")
            events.tell((tag, rest))
            connection.send(b"* ID NIL\r\n" + tag + b" OK done\r\n")
            connection.line()
            connection.send(b"a1 NO not you\r\n")
        events = Events()
        proxy = self.start({"imap": [self.backend(script)]})
        tags = set()
        for _ in range(8):
            client = self.client(proxy, "imap")
            client.line()
            self.assertEqual(client.ask(b"a1 LOGIN joe secret"), b"a1 NO not you")
            tag, rest = events.wait()
            self.assertRegex(tag, rb"^[A-Za-z0-9]{16}$")
            self.assertEqual(rest, b'ID ("tls" "%s")' % client.cipher[0].encode())
            tags.add(tag)
        self.assertEqual(len(tags), 8)

    def test_a_server_that_greets_without_capabilities_is_asked_before_a_login(self):
        def script(connection):
            connection.send(b"* OK ready\r\n")
            tag, _, rest = connection.line().partition(b" ")
            events.tell(rest)
            connection.send(b"* CAPABILITY IMAP4rev1 ID\r\n" + tag + b" OK done\r\n")
            again, _, rest = connection.line().partition(b" ")
            events.tell((again == tag, rest))
            events.tell(connection.line())
            connection.send(b"* ID NIL\r\n" + tag + b" OK done\r\na1 NO not you\r\n")
        events = Events()
        proxy = self.start({"imap": [self.backend(script)]})
        client = self.client(proxy, "imap")
        self.assertEqual(client.line(), b"* OK ready")
        self.assertEqual(client.ask(b"a1 LOGIN joe secret"), b"a1 NO not you")
        self.assertEqual(events.wait(), b"CAPABILITY")
        self.assertEqual(events.wait(), (True, b'ID ("tls" "%s")' % client.cipher[0].encode()))
        self.assertEqual(events.wait(), b"a1 LOGIN joe secret")

    def test_a_server_that_never_answers_costs_the_time_for_a_login(self):
        def script(connection):
            connection.send(b"* OK ready\r\n")
            events.tell(connection.line().partition(b" ")[2])
            events.tell(connection.line())
        events = Events()
        proxy = self.start({"imap": [self.backend(script)]}, timeouts='login = "1 s";')
        client = self.client(proxy, "imap")
        client.line()
        client.send(b"a1 LOGIN joe secret\r\n")
        self.assertEqual(events.wait(), b"CAPABILITY")
        self.assertTrue(client.line().startswith(b"* BYE "))
        proxy.session(reason="login-timeout")
        self.assertIsNone(events.wait())


if __name__ == "__main__":
    harness.main()
