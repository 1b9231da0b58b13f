# SPDX-License-Identifier: BSD-2-Clause
"""A balancer before the proxy: whose connection it is, by the PROXY protocol's header, and who is believed."""

import contextlib
import socket
import ssl
import struct

import admin_case
import harness
from harness import Events

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
CLIENT = ("203.0.113.9", 4711)
OTHER = ("203.0.113.10", 4712)
SERVER = ("192.0.2.1", 993)
BALANCER = "127.0.0.1"
STRANGER = "127.0.0.2"
KEYS = f'proxy_protocol = {{ from = [ "{BALANCER}" ]; }};'
OPTIONAL = f'proxy_protocol = {{ from = [ "{BALANCER}" ]; mode = "optional"; }};'
GREETING = b"+OK ready"
DEBUG = 'log_level = "debug"; workers = 1;'


def v1(client=CLIENT, server=SERVER):
    family = "TCP6" if ":" in client[0] else "TCP4"
    return f"PROXY {family} {client[0]} {server[0]} {client[1]} {server[1]}\r\n".encode()


def v2(client=CLIENT, server=SERVER, command=PROXY, tlvs=b"", version=None, length=None):
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    rest = (socket.inet_pton(family, client[0]) + socket.inet_pton(family, server[0])
            + struct.pack("!HH", client[1], server[1]) + tlvs)
    kind = 0x11 if family == socket.AF_INET else 0x21
    return (SIGNATURE + bytes([version or command, kind])
            + struct.pack("!H", len(rest) if length is None else length) + rest)


LOCAL_HEADER = SIGNATURE + bytes([LOCAL, 0, 0, 0])


def text(address):
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


class Balanced(admin_case.Admin):
    def start_balanced(self, keys=KEYS, script=harness.pop3, identity="none", extra=DEBUG, **options):
        self.server = self.backend(script)
        return self.start({"pop3": ("pop3", ["127.0.0.1:0"], [self.server], identity)}, keys=keys,
                          extra=admin_case.ADMIN + extra, **options)

    def speak(self, proxy, header, **options):
        """A client after a header that came by itself."""
        return self.client(proxy, "pop3", before=lambda connection: connection.send(header), **options)

    def glued(self, proxy, header, cut=None, **options):
        """A client whose ClientHello comes in one segment with the header, or octet by octet."""
        client = self.client(proxy, "pop3", shake_hands=False, **options)
        with self.assertRaises(ssl.SSLWantReadError):
            client.tls.do_handshake()
        data = header + client.outgoing.read()
        for at in range(0, len(data), cut or len(data)):
            client.socket.sendall(data[at:at + (cut or len(data))])
        client.shake_hands()
        return client

    def quit(self, client):
        self.assertEqual(client.line(), GREETING)
        client.send(b"QUIT\r\n")
        client.rest()

    def raw(self, proxy, data, source=None, finish=False):
        sock = harness.connect(proxy.port("pop3"), source or BALANCER)
        self.addCleanup(sock.close)
        sock.sendall(data)
        if finish:
            sock.shutdown(socket.SHUT_WR)
        return sock

    def assert_closed(self, sock):
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(sock.recv(1), b"")

    def assert_refused(self, proxy, reason, client, detail=None, count=1):
        line = proxy.wait_lines(count, event="refused", reason=reason)[-1]
        self.assertEqual((line["service"], line["client"].rsplit(":", 1)[0], line.get("detail")),
                         ("pop3", client, detail))
        self.assertEqual(proxy.find(event="session"), [])

    def refused(self, proxy, reason):
        return self.value(proxy, "refused_total", service="pop3", reason=reason)


class Header(Balanced):
    def test_both_versions(self):
        v6 = ("2001:db8::9", 65535)
        headers = [(v1(), CLIENT), (v2(), CLIENT), (v2(tlvs=b"\x22\x00\x05admin\xff"), CLIENT),
                   (v1(v6, ("2001:db8::1", 993)), v6), (v2(v6, ("2001:db8::1", 993)), v6),
                   (v2(("::ffff:203.0.113.9", 4711), ("::ffff:192.0.2.1", 993)), CLIENT)]
        proxy = self.start_balanced()
        for number, (header, client) in enumerate(headers):
            with self.subTest(header=header):
                connection = self.speak(proxy, header)
                self.quit(connection)
                line = proxy.wait_lines(number + 1, event="session")[-1]
                self.assertEqual((line["client"], line["via"], line["reason"]),
                                 (text(client), text(connection.local), "logout"))

    def test_in_any_cut(self):
        proxy = self.start_balanced()
        for number, (header, cut) in enumerate([(v1(), None), (v2(), None), (v1(), 1), (v2(tlvs=bytes(300)), 1), (v2(), 17)]):
            with self.subTest(header=header, cut=cut):
                self.quit(self.glued(proxy, header, cut))
                self.assertEqual(proxy.wait_lines(number + 1, event="session")[-1]["client"], text(CLIENT))

    def test_long_header(self):
        """All that HAProxy can send; what is read at once is less."""
        proxy = self.start_balanced()
        self.quit(self.glued(proxy, v2(tlvs=bytes(16384 - 28))))
        self.assertEqual(proxy.session()["client"], text(CLIENT))

    def test_starttls(self):
        """The header comes before the greeting in the clear, and what follows it is the client's first command."""
        proxy = self.start_balanced(KEYS + 'tls = "starttls";')

        def before(connection):
            connection.send(v2() + b"NOOP\r\nSTLS\r\n")
            self.assertTrue(connection.line().startswith(b"+OK"))
            self.assertTrue(connection.line().startswith(b"+OK"))
            self.assertTrue(connection.line().startswith(b"+OK"))
        client = self.client(proxy, "pop3", before=before)
        client.send(b"NOOP\r\nQUIT\r\n")
        client.rest()
        self.assertEqual(proxy.session()["client"], text(CLIENT))

    def test_nothing_is_said_before_it(self):
        proxy = self.start_balanced(KEYS + 'tls = "starttls";')
        sock = self.raw(proxy, v2()[:20])
        self.assertFalse(harness.can_read(sock, 0.3))
        sock.sendall(v2()[20:])
        self.assertTrue(sock.recv(100).startswith(b"+OK"))

    def test_the_server_is_told_of_the_client(self):
        def script(connection):
            head = connection.exactly(16)
            events.tell(connection.exactly(struct.unpack("!H", head[14:])[0]))
            harness.pop3(connection)
        events = Events()
        proxy = self.start_balanced(script=script, identity="proxy-v2")
        self.quit(self.glued(proxy, v2(tlvs=b"\x20\x00\x0d\x01\0\0\0\0\x22\x00\x05admin")))
        told = events.wait()
        self.assertEqual(told[:12], v2()[16:28])
        self.assertNotIn(b"admin", told)

    def test_version_1_to_the_server(self):
        events = Events()

        def script(connection):
            events.tell(connection.line())
            harness.pop3(connection)
        proxy = self.start_balanced(script=script, identity="proxy-v1")
        self.quit(self.glued(proxy, v2(("2001:db8::9", 1), ("2001:db8::1", 993))))
        self.assertEqual(events.wait(), b"PROXY TCP6 2001:db8::9 2001:db8::1 1 993")

    def test_unknown_is_the_connection_itself(self):
        proxy = self.start_balanced()
        for number, header in enumerate([b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN some text\r\n", SIGNATURE + b"\x21\0\0\0",
                                         SIGNATURE + b"\x21\x31\0\xd8" + bytes(216)]):
            client = self.glued(proxy, header)
            self.quit(client)
            self.assertEqual(proxy.wait_lines(number + 1, event="session")[-1]["client"], text(client.local))

    def test_after_a_reload(self):
        proxy = self.start_balanced("")
        self.quit(self.client(proxy, "pop3"))
        self.write(DEBUG + admin_case.ADMIN, keys=KEYS)
        self.reload(proxy)
        self.quit(self.glued(proxy, v2()))
        self.assertEqual(proxy.wait_lines(2, event="session")[-1]["client"], text(CLIENT))


class Local(Balanced):
    def test_it_goes_on_as_itself(self):
        proxy = self.start_balanced()
        client = self.glued(proxy, LOCAL_HEADER)
        self.quit(client)
        line = proxy.session()
        self.assertEqual((line["client"], line["level"]), (text(client.local), "info"))

    def test_addresses_of_it_mean_nothing(self):
        proxy = self.start_balanced()
        client = self.glued(proxy, v2(command=LOCAL))
        self.quit(client)
        self.assertEqual(proxy.session()["client"], text(client.local))

    def test_a_bare_one(self):
        """No line, no connection to a server, and it counts as a check."""
        for keys in (KEYS, KEYS + 'tls = "starttls";'):
            proxy = self.start_balanced(keys)
            for _ in range(3):
                sock = self.raw(proxy, LOCAL_HEADER, finish=True)
                sock.settimeout(harness.PATIENCE)
                with contextlib.suppress(ConnectionResetError):
                    while sock.recv(1000):
                        pass
            self.assertEqual({line["level"] for line in proxy.wait_lines(3, event="session")}, {"debug"})
            self.assertEqual(self.value(proxy, "probes_total", service="pop3"), 3)
            self.assertEqual(self.server.count, 0)

    def test_neither_does_a_check_without_any_octet(self):
        proxy = self.start_balanced()
        self.raw(proxy, b"", finish=True)
        self.raw(proxy, v2(), finish=True)
        self.assertEqual({line["level"] for line in proxy.wait_lines(2, event="session")}, {"debug"})
        self.assertEqual(self.value(proxy, "silent_connections_total", service="pop3"), 2)
        self.assertEqual(proxy.find(event="refused"), [])


class Refused(Balanced):
    def test_malformed(self):
        for header, detail in [
                (v1()[:-2] + b"\n", "version 1: the line does not end with CRLF"),
                (v1().replace(b"TCP4", b"tcp4"), "neither TCP over IPv4 nor over IPv6, nor unknown"),
                (v1().replace(b"TCP4", b"UDP4"), "neither TCP over IPv4 nor over IPv6, nor unknown"),
                (v1().replace(b"4711", b"65536"), "version 1: a port is not a number up to 65535"),
                (v1().replace(b"TCP4", b"TCP6"), "version 1: an address is none of its family"),
                (b"PROXY UNKNOWN " + b"x" * 200, "version 1: no CRLF within 107 octets"),
                (v2(version=0x11), "the signature of version 2, and another version"),
                (v2(version=0x22), "version 2: the command is neither LOCAL nor PROXY"),
                (v2(length=11), "version 2: its length has no room for its addresses"),
                (v2(tlvs=bytes(65523)), "version 2: longer than 16384 octets")]:
            with self.subTest(header=header[:60]):
                proxy = self.start_balanced()
                self.quit(self.glued(proxy, v2()))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.assert_closed(self.raw(proxy, header))
                line = proxy.wait_line(event="refused", reason="proxy-malformed")
                self.assertEqual((line["client"].rsplit(":", 1)[0], line["detail"]), (BALANCER, detail))
                self.assertEqual(self.refused(proxy, "proxy-malformed"), 1)
                self.quit(self.glued(proxy, v2()))
                self.assertEqual(self.server.count, 2)

    def test_none(self):
        """In lower case it is none either."""
        for data in (b"\x16\x03\x01", v1().lower(), b"PROXY\tTCP4", b"a1 CAPABILITY\r\n"):
            proxy = self.start_balanced()
            self.assert_closed(self.raw(proxy, data))
            self.assert_refused(proxy, "proxy-missing", BALANCER)

    def test_half_a_header(self):
        for data in (v1()[:20], v2()[:20], SIGNATURE[:5]):
            proxy = self.start_balanced()
            self.assert_closed(self.raw(proxy, data, finish=True))
            self.assert_refused(proxy, "proxy-incomplete", BALANCER, "closed in the PROXY header")
            self.assertEqual(self.refused(proxy, "proxy-incomplete"), 1)

    def test_half_a_header_and_then_nothing(self):
        proxy = self.start_balanced(timeouts='handshake = "1 s";')
        with self.takes(1, 2 + harness.SOON):
            self.assert_closed(self.raw(proxy, v2()[:20]))
        self.assert_refused(proxy, "proxy-incomplete", BALANCER, "timeout in the PROXY header")

    def test_nothing_at_all(self):
        proxy = self.start_balanced(timeouts='handshake = "1 s";')
        with self.takes(1, 2 + harness.SOON):
            self.assert_closed(self.raw(proxy, b""))
        self.assertEqual((proxy.session()["reason"], proxy.session()["level"]), ("handshake-timeout", "debug"))

    def test_the_header_counts_in_the_time_of_the_handshake(self):
        proxy = self.start_balanced(timeouts='handshake = "3 s";')
        sock = self.raw(proxy, v2()[:20])
        self.assertFalse(harness.can_read(sock, 2))
        with self.takes(0, 2):
            sock.sendall(v2()[20:] + b"\x16\x03\x01")
            self.assert_closed(sock)
        line = proxy.session()
        self.assertEqual((line["client"], line["reason"]), (text(CLIENT), "handshake-timeout"))
        self.assert_lasted(line, 3, 4)

    def test_from_elsewhere(self):
        """Not even read: whatever it sends."""
        for header in (v2(), LOCAL_HEADER, b"PROXY UNKNOWN\r\n", b"", b"\x16\x03\x01"):
            proxy = self.start_balanced()
            self.assert_closed(self.raw(proxy, header, STRANGER))
            self.assert_refused(proxy, "proxy-untrusted", STRANGER)
            self.assertEqual(self.refused(proxy, "proxy-untrusted"), 1)
            self.assertEqual(self.server.count, 0)

    def test_many_are_few_lines(self):
        proxy = self.start_balanced()
        for _ in range(50):
            self.assert_closed(self.raw(proxy, b"", STRANGER))
        self.assertEqual(self.refused(proxy, "proxy-untrusted"), 50)
        self.assertEqual(len(proxy.find(event="refused")), 1)


class Optional(Balanced):
    def test_none_is_fine_from_anywhere(self):
        proxy = self.start_balanced(OPTIONAL)
        for number, source in enumerate((BALANCER, STRANGER, None)):
            for cut in (None, 1):
                client = self.glued(proxy, b"", cut, source=source)
                self.quit(client)
                line = proxy.wait_lines(2 * number + (2 if cut else 1), event="session")[-1]
                self.assertEqual((line["client"], line.get("via")), (text(client.local), None))

    def test_a_header_from_a_balancer(self):
        proxy = self.start_balanced(OPTIONAL)
        self.quit(self.glued(proxy, v1()))
        self.assertEqual(proxy.session()["client"], text(CLIENT))

    def test_a_header_from_elsewhere(self):
        for header in (v1(), v2(), LOCAL_HEADER, b"PROXY UNKNOWN\r\n", v2(version=0x33)):
            proxy = self.start_balanced(OPTIONAL)
            self.assert_closed(self.raw(proxy, header, STRANGER))
            self.assert_refused(proxy, "proxy-untrusted", STRANGER)
            self.assertEqual(self.server.count, 0)

    def test_what_is_no_tls_is_told_as_ever(self):
        for source in (BALANCER, STRANGER):
            proxy = self.start_balanced(OPTIONAL)
            self.raw(proxy, b"POST / HTTP/1.1\r\n\r\n", source)
            self.assertEqual(proxy.session()["reason"], "handshake-failed")
            self.assertEqual(self.value(proxy, "handshakes_failed_total", service="pop3", reason="http"), 1)

    def test_clients_without_one_are_limited_as_ever(self):
        proxy = self.start_balanced(OPTIONAL, extra=DEBUG + "limits = { connections_per_address = 1; };")
        self.raw(proxy, b"", STRANGER)
        self.assert_closed(self.raw(proxy, b"", STRANGER))
        proxy.wait_line(event="overload", limit="limits.connections_per_address")


class Probe(Balanced):
    """`deepproxy probe` connects from this machine."""

    def probe(self, keys):
        self.server = self.backend(harness.pop3)
        address = harness.free_address()
        services = {"pop3": ("pop3", [address], [self.server], "none")}
        proxy = self.start(services, keys=keys, extra=DEBUG)
        done = harness.run_program("probe", "-c", self.folder.path / "deepproxy.conf")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual(proxy.find(event="refused"), [])
        return done.stdout.removeprefix(f"pop3 {address}: ")

    def test_a_balancer_among_others(self):
        for keys in (KEYS, OPTIONAL, KEYS + 'allow = [ "203.0.113.0/24" ];', KEYS + 'tls = "starttls";'):
            self.assertEqual(self.probe(keys), "well\n")
            self.assertEqual(self.server.count, 1)

    def test_a_client_among_others(self):
        for keys in ('proxy_protocol = { from = [ "10.1.0.0/16" ]; mode = "optional"; };', 'allow = [ "127.0.0.1" ];'):
            self.assertEqual(self.probe(keys), "well\n")

    def test_where_it_would_be_refused(self):
        for keys in ('proxy_protocol = { from = [ "10.1.0.0/16" ]; };', 'deny = [ "127.0.0.1" ];',
                     'allow = [ "10.0.0.0/8" ];', KEYS + 'deny = [ "127.0.0.0/8" ];'):
            self.assertEqual(self.probe(keys), "not asked: it takes no connections from this machine (proxy_protocol, "
                                               "allow, deny)\n")
            self.assertEqual(self.server.count, 0)


class Limits(Balanced):
    """All of them mean the client in the header, and none the balancer."""

    def test_connections_of_an_address(self):
        proxy = self.start_balanced(extra=DEBUG + "limits = { connections_per_address = 1; };")
        held = [self.glued(proxy, v2(client)) for client in (CLIENT, OTHER)]
        for client in held:
            self.assertEqual(client.line(), GREETING)
        self.assert_closed(self.raw(proxy, v2(CLIENT)))
        line = proxy.wait_line(event="overload", limit="limits.connections_per_address")
        self.assertEqual(line["client"], text(CLIENT))
        self.quit_all(held)
        self.quit(self.glued(proxy, v2(CLIENT)))

    def quit_all(self, clients):
        for client in clients:
            client.send(b"QUIT\r\n")
            client.rest()

    def test_handshakes_of_an_address(self):
        proxy = self.start_balanced(extra=DEBUG + "limits = { handshakes_per_address = 1; };")
        holder = self.raw(proxy, v2(CLIENT) + b"\x16\x03\x01")
        others = [self.client(proxy, "pop3", shake_hands=False) for _ in range(2)]
        for client, address in zip(others, (CLIENT, OTHER)):
            with self.assertRaises(ssl.SSLWantReadError):
                client.tls.do_handshake()
            client.socket.sendall(v2(address) + client.outgoing.read())
        others[1].shake_hands()
        self.quit(others[1])
        proxy.wait_line(event="overload", limit="limits.handshakes_per_address", client=text(CLIENT))
        self.assertFalse(harness.can_read(others[0].socket, 0.2))
        holder.close()
        others[0].shake_hands()
        self.quit(others[0])
        self.assertEqual(proxy.wait_line(event="session", reason="logout", client=text(CLIENT))["reason"], "logout")

    def test_a_balancer_has_slots_and_no_more(self):
        """Headers that never come are evicted if others wait, whoever's they would have been."""
        proxy = self.start_balanced(extra=DEBUG + "limits = { handshakes = 4; handshakes_per_address = 1; };")
        silent = [self.raw(proxy, b"") for _ in range(4)]
        with self.takes(2, 4 + harness.SOON):
            self.quit(self.glued(proxy, v2()))
        self.assert_closed(silent[0])

    def test_all_slots_are_given_back(self):
        proxy = self.start_balanced(extra=DEBUG + "limits = { handshakes = 3; handshakes_per_address = 2; };")
        for number in range(12):
            data = (b"", v2()[:9], v2(), v2(version=1), LOCAL_HEADER, b"x")[number % 6]
            self.raw(proxy, data).close()
        for _ in range(6):
            self.quit(self.glued(proxy, v2()))


class Networks(Balanced):
    def test_of_connections(self):
        proxy = self.start_balanced('allow = [ "127.0.0.0/29" ]; deny = [ "127.0.0.3" ];')
        for source in (BALANCER, STRANGER, "127.0.0.7"):
            self.quit(self.client(proxy, "pop3", source=source))
        for count, source in enumerate(("127.0.0.3", "127.0.0.8")):
            self.assert_closed(self.raw(proxy, b"", source))
            self.wait_until(lambda count=count: self.refused(proxy, "denied") == count + 1)
        line = proxy.wait_line(event="refused", reason="denied")
        self.assertEqual((line["client"].rsplit(":", 1)[0], line["action"]), ("127.0.0.3", "closed"))
        self.assertEqual(len(proxy.find(event="session")), 3)

    def test_of_clients_in_headers(self):
        proxy = self.start_balanced(KEYS + 'allow = [ "203.0.113.0/24" ]; deny = [ "203.0.113.128/25" ];')
        self.quit(self.glued(proxy, v2()))
        for count, address in enumerate((("203.0.113.129", 1), ("198.51.100.1", 1), ("2001:db8::1", 1))):
            server = ("2001:db8::2", 1) if ":" in address[0] else SERVER
            self.assert_closed(self.raw(proxy, v2(address, server)))
            self.wait_until(lambda count=count: self.refused(proxy, "denied") == count + 1)
        self.assertEqual(proxy.wait_line(event="refused")["client"], "203.0.113.129:1")

    def test_a_mapped_client_is_one_of_ipv4(self):
        proxy = self.start_balanced(KEYS + 'deny = [ "203.0.113.128/25" ];')
        self.assert_closed(self.raw(proxy, v2(("::ffff:203.0.113.129", 1), ("::ffff:192.0.2.1", 1))))
        self.assertEqual(proxy.wait_line(event="refused")["client"], "203.0.113.129:1")

    def test_checks_of_a_balancer_need_no_permission(self):
        """It is in `from`; what is denied stays denied."""
        proxy = self.start_balanced(KEYS + 'allow = [ "203.0.113.0/24" ];')
        self.quit(self.glued(proxy, LOCAL_HEADER))
        self.assert_closed(self.raw(proxy, b"PROXY UNKNOWN\r\n"))
        proxy.wait_line(event="refused", reason="denied")
        denied = self.start_balanced(KEYS + f'deny = [ "{BALANCER}" ];')
        self.quit(self.glued(denied, v2()))
        self.assert_closed(self.raw(denied, LOCAL_HEADER))
        denied.wait_line(event="refused", reason="denied")


class Rate(Balanced):
    LIMIT = "limits = { connection_rate_per_address = 2; };"

    def overload(self, proxy):
        return self.value(proxy, "overload_total", service="pop3", limit="connection_rate_per_address")

    def test_slowed_and_then_refused(self):
        """Two at once, four more within two seconds, and none beyond."""
        proxy = self.start_balanced("", extra=DEBUG + self.LIMIT)
        clients = [self.client(proxy, "pop3", shake_hands=False) for _ in range(12)]
        served, closed = 0, 0
        with self.takes(1.5, 3 + harness.SOON):
            for client in clients:
                try:
                    client.shake_hands()
                    self.quit(client)
                    served += 1
                except (harness.Ended, ConnectionError):
                    closed += 1
        self.assertEqual(served + closed, 12)
        self.assertIn(served, (6, 7))
        self.assertEqual(self.overload(proxy), 12 - 2)
        self.assertEqual(self.refused(proxy, "connection-rate"), closed)
        line = proxy.wait_line(event="overload", action="it waits for its turn")
        self.assertEqual((line["limit"], line["client"].rsplit(":", 1)[0]), ("connection_rate_per_address", "127.0.0.1"))
        proxy.wait_line(event="overload", limit="connection_rate_per_address", action="closed")

    def test_other_addresses_are_served(self):
        proxy = self.start_balanced("", extra=DEBUG + self.LIMIT)
        for _ in range(10):
            self.raw(proxy, b"")
        with self.takes(0, 1):
            self.quit(self.client(proxy, "pop3", source=STRANGER))

    def test_of_clients_in_headers(self):
        proxy = self.start_balanced(extra=DEBUG + self.LIMIT)
        with self.takes(0, harness.SOON):
            for number in range(30):
                self.quit(self.glued(proxy, v2((f"203.0.113.{number}", 1))))
        self.assertEqual(self.overload(proxy), 0)
        clients = [self.client(proxy, "pop3", shake_hands=False) for _ in range(3)]
        for client in clients:
            with self.assertRaises(ssl.SSLWantReadError):
                client.tls.do_handshake()
            client.socket.sendall(v2(CLIENT) + client.outgoing.read())
        for client in clients:
            client.shake_hands()
            self.quit(client)
        self.assertGreaterEqual(self.overload(proxy), 1)

    def test_places_to_wait_are_given_back(self):
        """Those whose turn has come and for whom there is no room then: they no longer wait for their turn."""
        limits = "limits = { connection_rate_per_address = 4; handshakes_per_address = 1; };"
        proxy = self.start_balanced("", extra=DEBUG + "max_connections = 8; " + limits, timeouts='handshake = "30 s";')
        socks = [self.raw(proxy, b"\x16") for _ in range(8)]
        line = proxy.wait_line(event="overload", limit="limits.handshakes_per_address", action="closed")
        self.assertEqual(line["count"], "1")
        for sock in socks:
            sock.close()
        self.wait_until(lambda: self.value(proxy, "sessions", service="pop3") == 0)
        with self.takes(0, harness.SOON):
            clients = [self.client(proxy, "pop3", shake_hands=False, source=STRANGER) for _ in range(5)]
            for client in clients:
                client.shake_hands()
                self.quit(client)

    def test_the_end_while_some_wait(self):
        proxy = self.start_balanced("", extra=DEBUG + self.LIMIT)
        socks = [self.raw(proxy, b"") for _ in range(6)]
        proxy.wait_line(event="overload", action="it waits for its turn")
        proxy.stop()
        for sock in socks:
            self.assert_closed(sock)


if __name__ == "__main__":
    harness.main()
