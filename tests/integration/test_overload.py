# SPDX-License-Identifier: BSD-2-Clause
"""Limits on clients at once: what they keep out, who gets in all the same, and that each place is given back."""

import contextlib
import os
import select
import signal
import ssl
import time

import harness

ONE_WORKER = "workers = 1;"
TWO_WORKERS = "workers = 2;"
GREETING = b"+OK ready"
NO_TLS = b"GET / HTTP/1.1\r\n\r\n"
HURRY_SECONDS = 3  # a client may hold a place where others wait
YIELD_SECONDS = 10  # ... where others of its address wait
TICK_SECONDS = 0.5
CROWD = 700


class Overload(harness.TestCase):
    def start_pop3(self, limits, extra=ONE_WORKER, keys="", timeouts=""):
        """Silent clients have a line at this level alone."""
        return self.start({"pop3": [self.backend(harness.pop3)]}, keys=keys, timeouts=timeouts,
                          extra=f'log_level = "debug"; {extra} limits = {{ {limits} }};')

    def connect(self, proxy, source="127.0.0.1"):
        sock = harness.connect(proxy.port("pop3"), source)
        self.addCleanup(sock.close)
        return sock

    def hold(self, proxy):
        """A client in the middle of its handshake: the proxy has answered it, so it has its place, whichever worker's."""
        client = self.client(proxy, "pop3", shake_hands=False)
        with self.assertRaises(ssl.SSLWantReadError):
            client.tls.do_handshake()
        client.flush()
        self.assertTrue(client.fill())
        return client

    def assert_closed(self, sock):
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(sock.recv(100), b"")

    def assert_refused(self, proxy, source="127.0.0.1"):
        self.assert_closed(self.connect(proxy, source))

    def wait_in_line(self, proxy, source="127.0.0.1", count=1):
        """Clients that are connected, and of which nothing is read yet."""
        clients = [self.client(proxy, "pop3", shake_hands=False, source=source) for _ in range(count)]
        for client in clients:
            with self.assertRaises(ssl.SSLWantReadError):
                client.tls.do_handshake()
            client.flush()
        for client in clients:
            self.assertFalse(harness.can_read(client.socket, 0.1 / count))
        return clients

    def assert_served(self, proxy, source="127.0.0.1"):
        with harness.Client(proxy.port("pop3"), source=source) as client:
            self.assertEqual(client.line(), GREETING)

    def assert_served_in_any_order(self, waiting):
        """Each worker has its own line: whose turn it is shows when it is answered, and others wait until it is done."""
        left = {client.socket: client for client in waiting}
        while left:
            answered, _, _ = select.select(left, [], [], harness.PATIENCE)
            self.assertTrue(answered, f"{len(left)} still wait")
            client = left.pop(answered[0])
            client.shake_hands()
            self.assertEqual(client.line(), GREETING)

    def served_again(self, proxy):
        """Whether a client gets in, which is a matter of when the proxy hears of a place that is free."""
        with contextlib.suppress(harness.Ended, ConnectionError):
            with harness.Client(proxy.port("pop3"), shake_hands=False) as client:
                client.shake_hands()
                return client.line() == GREETING
        return False

    def overload(self, proxy, limit, **fields):
        return proxy.wait_line(event="overload", limit=limit, **fields)


class HandshakesOfAnAddress(Overload):
    LIMIT = "handshakes_per_address = 3;"

    def test_the_next_ones_wait_and_others_get_in(self):
        """Counted over all workers, wherever the kernel sends a connection."""
        for extra in (ONE_WORKER, TWO_WORKERS):
            with self.subTest(extra):
                proxy = self.start_pop3(self.LIMIT, extra)
                held = [self.hold(proxy) for _ in range(3)]
                waiting = self.wait_in_line(proxy, count=20)
                self.assert_served(proxy, "127.0.0.2")
                line = self.overload(proxy, "limits.handshakes_per_address")
                self.assertEqual((line["level"], line["service"], line["action"]),
                                 ("warning", "pop3", "it waits for others of its address"))
                self.assertIn("a gateway, a NAT, a webmail server: raise the limit", line["cause"])
                self.assertTrue(line["client"].startswith("127.0.0.1:"))
                # One place is enough for all of them, in turn, on whichever worker it is free.
                held[0].close()
                self.assert_served_in_any_order(waiting)

    def test_a_gateway_that_hides_its_clients(self):
        """Many more at once than an address may have: all of them are served, with the defaults."""
        proxy = self.start_pop3("")
        context = harness.client_context()
        clients = []
        for _ in range(CROWD):
            clients.append(self.client(proxy, "pop3", shake_hands=False, context=context))
            with self.assertRaises(ssl.SSLWantReadError):
                clients[-1].tls.do_handshake()
            clients[-1].flush()
        self.overload(proxy, "limits.handshakes_per_address")
        for client in clients:
            client.shake_hands()
            self.assertEqual(client.line(), GREETING)
            client.close()
        self.assertEqual(proxy.find(event="overload", action="closed"), [])

    def test_who_only_holds_a_place_goes_if_others_of_the_address_wait(self):
        proxy = self.start_pop3(self.LIMIT)
        held = [self.connect(proxy) for _ in range(3)]
        with self.takes(0, YIELD_SECONDS + TICK_SECONDS + harness.SOON):
            self.assert_served(proxy)
        line = proxy.session(reason="handshake-timeout")
        self.assertEqual(line["detail"], "while others of its address waited (limits.handshakes_per_address)")
        self.assert_lasted(line, YIELD_SECONDS, YIELD_SECONDS + TICK_SECONDS + harness.SOON)
        self.assertEqual(len(held), 3)

    def test_who_waits_too_long_is_closed(self):
        proxy = self.start_pop3("handshakes_per_address = 1;", timeouts='handshake = "2 s";')
        self.hold(proxy)
        with self.takes(0, 2 + TICK_SECONDS + harness.SOON):
            for _ in range(3):
                self.connect(proxy)
            late = self.connect(proxy)
            self.overload(proxy, "limits.handshakes_per_address", action="closed")
            self.assert_closed(late)

    def test_no_more_wait_than_there_is_room_for(self):
        """Half of all places are left to others."""
        proxy = self.start_pop3("handshakes_per_address = 1;", "workers = 1; max_connections = 8;")
        self.hold(proxy)
        waiting = self.wait_in_line(proxy, count=4)
        self.assert_refused(proxy)
        self.assertEqual(self.overload(proxy, "limits.handshakes_per_address", action="closed")["service"], "pop3")
        self.assert_served(proxy, "127.0.0.2")
        for client in waiting:
            client.shake_hands()
            self.assertEqual(client.line(), GREETING)

    def test_those_that_wait_at_the_end_of_the_program(self):
        proxy = self.start_pop3("handshakes_per_address = 1;")
        self.hold(proxy)
        waiting = self.wait_in_line(proxy, count=5)
        proxy.stop()
        for client in waiting:
            self.assert_closed(client.socket)

    def test_the_place_is_free_again_when_the_handshake_is_over(self):
        proxy = self.start_pop3(self.LIMIT)
        clients = []
        for _ in range(9):
            clients.append(self.client(proxy, "pop3"))
            self.assertEqual(clients[-1].line(), GREETING)
        self.assertEqual(proxy.find(event="overload"), [])
        for client in clients:
            self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")

    def test_the_place_is_free_again_when_it_has_failed(self):
        proxy = self.start_pop3(self.LIMIT)
        for number in range(9):
            with self.connect(proxy) as sock:
                sock.sendall(NO_TLS)
                while sock.recv(1000):
                    pass
            proxy.wait_lines(number + 1, event="session", reason="handshake-failed")
        self.assert_served(proxy)
        self.assertEqual(proxy.find(event="overload"), [])

    def test_who_fails_and_stays_keeps_the_place(self):
        """The proxy waits for the other side to close: as long as it does, that is a client like any other."""
        proxy = self.start_pop3(self.LIMIT)
        held = [self.connect(proxy) for _ in range(3)]
        for sock in held:
            sock.sendall(NO_TLS)
            while sock.recv(1000):
                pass
        waiting = self.wait_in_line(proxy)[0]
        for sock in held:
            sock.close()
        proxy.wait_lines(3, event="session", reason="handshake-failed")
        waiting.shake_hands()
        self.assertEqual(waiting.line(), GREETING)

    def test_the_place_is_free_again_when_time_is_up(self):
        proxy = self.start_pop3(self.LIMIT, timeouts='handshake = "500 ms";')
        with self.takes(0.5, 0.5 + harness.SOON):
            held = [self.connect(proxy) for _ in range(3)]
            for sock in held:
                self.assert_closed(sock)
        proxy.wait_lines(3, event="session", reason="handshake-timeout")
        self.assert_served(proxy)

    def test_the_place_is_free_again_when_the_client_goes(self):
        proxy = self.start_pop3(self.LIMIT)
        for number in range(9):
            sock = self.connect(proxy)
            if number % 2:
                harness.reset(sock)
            else:
                sock.close()
            proxy.wait_lines(number + 1, event="session")
        self.assert_served(proxy)
        self.assertEqual(proxy.find(event="overload"), [])

    def test_the_dialogue_before_starttls_counts(self):
        proxy = self.start_pop3(self.LIMIT, keys='tls = "starttls";')
        held = [harness.Connection(self.connect(proxy)) for _ in range(3)]
        for connection in held:
            self.assertTrue(connection.line().startswith(b"+OK"))
        waiting = harness.Connection(self.connect(proxy))
        self.assertFalse(harness.can_read(waiting.socket, 0.2))
        held[0].send(b"STLS\r\n")
        self.assertTrue(held[0].line().startswith(b"+OK"))
        self.assertFalse(harness.can_read(waiting.socket, 0.2))
        held[1].send(b"QUIT\r\n")
        self.assertTrue(held[1].line().startswith(b"+OK"))
        held[1].socket.close()
        proxy.session(reason="logout")
        self.assertTrue(waiting.line().startswith(b"+OK"))

    def test_a_flood_does_not_flood_the_log(self):
        proxy = self.start_pop3("handshakes_per_address = 1;", "workers = 1; max_connections = 100;")
        self.hold(proxy)
        for _ in range(50):
            self.connect(proxy)
        self.overload(proxy, "limits.handshakes_per_address")
        for _ in range(300):
            self.assert_refused(proxy)
        # On a machine that takes more than ten seconds for it there are more.
        self.assertLessEqual(len(proxy.find(event="overload")), 10)
        proxy.stop()
        counts = [int(line["count"]) for line in proxy.find(event="overload", action="closed")]
        self.assertGreaterEqual(sum(counts), 300)


class HandshakesOfAll(Overload):
    def test_new_connections_wait_for_a_place(self):
        proxy = self.start_pop3("handshakes = 2;")
        well = self.client(proxy, "pop3", source="127.0.0.9")
        self.assertEqual(well.line(), GREETING)
        begun = time.monotonic()
        held = [self.connect(proxy, f"127.0.0.{number + 1}") for number in range(2)]
        waiting = [self.client(proxy, "pop3", shake_hands=False, source=f"127.0.0.{number + 3}") for number in range(4)]
        for client in waiting:
            with self.assertRaises(ssl.SSLWantReadError):
                client.tls.do_handshake()
            client.flush()
        line = self.overload(proxy, "limits.handshakes")
        self.assertEqual((line["action"], line.get("client")), ("new connections wait", None))
        is_silent = not harness.can_read(waiting[0].socket, 0.2)
        self.assertTrue(is_silent or time.monotonic() - begun > HURRY_SECONDS)
        self.assertEqual(well.ask(b"STAT"), b"+OK 1 0")
        held[0].close()
        # One place is enough for all of them, in turn.
        for client in waiting:
            client.shake_hands()
            self.assertEqual(client.line(), GREETING)
        # Unless that took so long that the other one had to go.
        ended = len(proxy.wait_lines(1, event="session"))
        self.assertTrue(ended == 1 or time.monotonic() - begun > HURRY_SECONDS)

    def test_who_holds_a_place_for_long_has_to_go(self):
        proxy = self.start_pop3("handshakes = 2; handshakes_per_address = 0;", keys='tls = "starttls";')
        mute = harness.Connection(self.connect(proxy))
        mute.line()
        half = harness.Connection(self.connect(proxy))
        half.line()
        half.send(b"STLS\r\n")
        self.assertTrue(half.line().startswith(b"+OK"))
        for _ in range(2):
            with harness.Client(proxy.port("pop3"), before=harness.starttls("pop3")) as client:
                self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        self.assertEqual(mute.rest(), b"")
        line = proxy.session(reason="login-timeout")
        self.assertEqual(line["detail"], "before STARTTLS, while others waited (limits.handshakes)")
        self.assert_lasted(line, HURRY_SECONDS, HURRY_SECONDS + TICK_SECONDS + harness.SOON)
        # The other one is left alone as long as one place is enough.
        third = harness.Connection(self.connect(proxy))
        third.line()
        with harness.Client(proxy.port("pop3"), before=harness.starttls("pop3")) as client:
            self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        line = proxy.session(reason="handshake-timeout")
        self.assertEqual(line["detail"], "while others waited (limits.handshakes)")
        self.assert_closed(half.socket)

    def test_a_flood_of_silent_connections_keeps_nobody_out_for_long(self):
        proxy = self.start_pop3("handshakes = 20; handshakes_per_address = 10;")
        with self.takes(2 * HURRY_SECONDS, 2 * (HURRY_SECONDS + TICK_SECONDS) + harness.SOON):
            for number in range(40):
                self.connect(proxy, f"127.0.0.{number // 4 + 2}")
            self.assert_served(proxy, "127.0.0.99")
        self.assertEqual({line["reason"] for line in proxy.find(event="session")} - {"client-closed", "client-reset"},
                         {"handshake-timeout"})

    def test_one_that_waits_for_its_turn_and_finds_no_place(self):
        """More at once than are accepted in one go: the next is told to come later, and then that all places are taken."""
        proxy = self.start_pop3("handshakes = 32; handshakes_per_address = 0;")
        harness.freeze(proxy.pid)
        held = [self.connect(proxy) for _ in range(33)]
        os.kill(proxy.pid, signal.SIGCONT)
        self.overload(proxy, "limits.handshakes")
        held[32].sendall(NO_TLS)
        self.assertFalse(harness.can_read(held[32], 0.2))
        held[0].close()
        self.assert_closed(held[32])
        held[32].close()
        line = proxy.session(reason="handshake-failed")
        self.assertTrue(line["detail"].startswith("client speaks HTTP, not TLS: "), line)

    def test_no_limits(self):
        proxy = self.start_pop3("handshakes = 0; handshakes_per_address = 0;")
        before = proxy.descriptors()
        for _ in range(600):
            self.connect(proxy)
        self.assert_served(proxy)
        self.assertGreaterEqual(proxy.descriptors(), before + 600)
        self.assertEqual(proxy.find(event="overload"), [])

    def test_defaults(self):
        """Half of 512 for one address, and 512 for all: the last place of each is had, and the next is not."""
        proxy = self.start_pop3("")
        before = proxy.descriptors()
        # All of them at once for the proxy: one that holds a place for long has to go if others wait.
        harness.freeze(proxy.pid)
        for source in ("127.0.0.1", "127.0.0.2"):
            for _ in range(255):
                self.connect(proxy, source)
        os.kill(proxy.pid, signal.SIGCONT)
        for source in ("127.0.0.1", "127.0.0.2"):
            self.assert_served(proxy, source)
            self.connect(proxy, source)
            if source == "127.0.0.1":
                self.wait_in_line(proxy, source)
                self.overload(proxy, "limits.handshakes_per_address")
        one_too_many = self.connect(proxy, "127.0.0.3")
        one_too_many.sendall(NO_TLS)
        self.overload(proxy, "limits.handshakes")
        self.assertFalse(harness.can_read(one_too_many, 0.2))
        self.assertGreaterEqual(proxy.descriptors(), before + 512)


class Reloaded(Overload):
    def test_limits_change_while_it_runs(self):
        """Those that hold a place are counted on."""
        services = {"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")}
        proxy = self.start(services, extra=f"{ONE_WORKER} limits = {{ handshakes_per_address = 2; }};")
        held = [self.hold(proxy) for _ in range(2)]
        waiting = self.wait_in_line(proxy, count=3)
        self.folder.write("deepproxy.conf", harness.configuration(
            services, extra=f"{ONE_WORKER} limits = {{ handshakes_per_address = 3; }};"))
        self.assertEqual(proxy.reload(), "done")
        for client in waiting:
            client.shake_hands()
            self.assertEqual(client.line(), GREETING)
        held.append(self.hold(proxy))
        last = self.wait_in_line(proxy)[0]
        held[0].close()
        last.shake_hands()
        self.assertEqual(last.line(), GREETING)


class ConnectionsOfAnAddress(Overload):
    def test_others_get_in(self):
        proxy = self.start_pop3("connections_per_address = 3;", TWO_WORKERS)
        held = [self.client(proxy, "pop3") for _ in range(3)]
        for client in held:
            self.assertEqual(client.line(), GREETING)
        for _ in range(5):
            self.assert_refused(proxy)
        self.assertEqual(self.overload(proxy, "limits.connections_per_address")["action"], "closed")
        self.assert_served(proxy, "127.0.0.2")
        held[0].send(b"QUIT\r\n")
        held[0].rest()
        proxy.session(reason="logout")
        self.assert_served(proxy)


if __name__ == "__main__":
    harness.main()
