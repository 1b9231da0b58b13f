# SPDX-License-Identifier: BSD-2-Clause
"""Descriptors that run out, places that all workers share, and the queues of listeners that close."""

import contextlib
import os
import pathlib
import resource
import signal
import socket
import ssl

import harness
from harness import SOON
from proxy import Proxy

STARTTLS = 'tls = "starttls";'
PAUSE_SECONDS = 0.1
LEAVE_SECONDS = 2


def cpu_seconds(proxy):
    fields = pathlib.Path(f"/proc/{proxy.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Descriptors(harness.TestCase):
    def connect(self, proxy, service="pop3"):
        sock = harness.connect(proxy.port(service))
        self.addCleanup(sock.close)
        return sock

    def greeted(self, proxy, service="pop3"):
        """A client before STARTTLS, that has been greeted."""
        connection = harness.Connection(self.connect(proxy, service))
        line = connection.line()
        self.assertIsNotNone(line, "closed in place of a greeting")
        self.assertTrue(line.startswith(b"+OK"), line)
        return connection

    def assert_closed(self, sock):
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(sock.recv(100), b"")

    def greeted_again(self, proxy):
        """As greeted(), as soon as there is a place: those that have ended give theirs back after their lines."""
        found = []

        def try_it():
            connection = harness.Connection(self.connect(proxy))
            with contextlib.suppress(ConnectionResetError):
                if connection.line() is not None:
                    found.append(connection)
            return bool(found)
        self.wait_until(try_it)
        return found[0]

    def gets_in(self, proxy):
        with harness.connect(proxy.port("pop3")) as sock, contextlib.suppress(ConnectionResetError):
            return sock.recv(100).startswith(b"+OK")
        return False

    def has_closed(self, proxy, service="pop3"):
        try:
            harness.connect(proxy.port(service)).close()
        except (ConnectionRefusedError, ConnectionResetError):
            return True
        return False

    def start_with_open_files(self, limit, services, **options):
        """It may raise its limit no further."""
        path = self.folder.write("few.conf", harness.configuration(services, **options))
        program = self.folder.write("few", f'#!/bin/sh\nulimit -n {limit}\nexec "{harness.PROGRAM}" "$@"\n')
        program.chmod(0o700)
        proxy = Proxy(path, program)
        self.addCleanup(proxy.stop)
        return proxy

    def leave(self, proxy, count):
        """So many more descriptors can be opened. Returns the limits before."""
        used = {int(name) for name in os.listdir(f"/proc/{proxy.pid}/fd")}
        limit = 0
        while count >= 0:
            count -= limit not in used
            limit += 1
        return resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE,
                                (limit - 1, resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)[1]))


class RunOut(Descriptors):
    def test_many_workers_and_few_descriptors(self):
        """As many sessions as there are descriptors for, beside the program's own; the others are told that it is full."""
        listen = ["127.0.0.1:0"] * 6
        proxy = self.start_with_open_files(
            1024, {"pop3": ("pop3", listen, [self.backend(harness.pop3)], "none")}, extra="workers = 32;")
        served, closed = [], 0
        for _ in range(450):
            client = self.client(proxy, "pop3", shake_hands=False)
            try:
                client.shake_hands()
                self.assertEqual(client.line(), b"+OK ready")
                served.append(client)
            except (AssertionError, OSError):
                closed += 1
        self.assertGreater(len(served), 100)
        self.assertGreater(closed, 50)
        line = proxy.wait_line(event="overload", limit="open-files")
        self.assertEqual((line["level"], line["action"]), ("warning", "closed"))
        self.assertIn("LimitNOFILE", line["raise"])
        self.assertEqual(proxy.find(event="accept-failed"), [])
        self.assertEqual(proxy.find(event="overload", limit="max_connections"), [])
        for client in served:
            self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        with self.takes(0, SOON):
            proxy.terminate()
            proxy.wait_line(event="shutdown")
            proxy.terminate()
            proxy.wait()

    def test_it_waits_and_does_not_spin(self):
        for extra in ("workers = 1;", "workers = 4;"):
            with self.subTest(extra):
                proxy = self.start({"pop3": [self.backend(harness.pop3)]}, extra=extra, keys=STARTTLS)
                first = self.greeted(proxy)
                before = self.leave(proxy, 3)
                clients = [self.connect(proxy) for _ in range(40)]
                line = proxy.wait_line(event="accept-failed")
                self.assertEqual((line["level"], line["service"], line["error"], line["action"]),
                                 ("warning", "pop3", "too many open files", "new connections wait"))
                self.assertIn("LimitNOFILE", line["raise"])
                spent = cpu_seconds(proxy)
                self.assertFalse(harness.can_read(clients[-1], 1.5))
                if not harness.is_sanitized():
                    self.assertLess(cpu_seconds(proxy) - spent, 0.5)
                first.send(b"CAPA\r\n")
                self.assertTrue(first.line().startswith(b"+OK"))
                first.send(b"QUIT\r\n")
                self.assertIn(b"+OK", first.rest())  # it can end
                resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, before)
                with self.takes(0, PAUSE_SECONDS + SOON):
                    for sock in clients:
                        self.assertTrue(sock.recv(100).startswith(b"+OK"))
                proxy.stop()
                lines = proxy.find(event="accept-failed")
                self.assertLessEqual(len(lines), 2 * int(extra[10]))
                self.assertLess(sum(int(line["count"]) for line in lines), 400)

    def test_it_ends(self):
        """By one signal and by two, with sessions and with clients that wait."""
        for signals in (1, 2):
            with self.subTest(signals):
                proxy = self.start({"pop3": [self.backend(harness.pop3)]}, extra="workers = 4;", keys=STARTTLS,
                                   timeouts='shutdown = "500 ms";')
                first = self.greeted(proxy)
                self.leave(proxy, 2)
                for _ in range(20):
                    self.connect(proxy)
                proxy.wait_line(event="accept-failed")
                with self.takes(0, LEAVE_SECONDS + SOON):
                    proxy.terminate()
                    proxy.wait_line(event="shutdown")
                    if signals == 2:
                        proxy.terminate()
                    first.rest()
                    proxy.wait()

    def test_more_connections_than_descriptors(self):
        """The start says how many are wanted and how many are possible; a reload does so too."""
        services = {"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")}
        proxy = self.start_with_open_files(1024, services, extra="workers = 2; max_connections = 100000;")
        line = proxy.wait_line(event="few-open-files")
        self.assertEqual((line["level"], line["max_connections"], line["open_files"]), ("warning", "100000", "1024"))
        self.assertIn("LimitNOFILE", line["raise"])
        possible, own = int(line["possible"]), int(line["own"])
        self.assertEqual(possible, (1024 - own) // 2)
        self.assertLessEqual(proxy.descriptors(), own)
        for wanted, lines in ((possible, 1), (possible + 1, 2)):
            self.folder.write("few.conf", harness.configuration(
                services, extra=f"workers = 2; max_connections = {wanted};"))
            self.assertEqual(proxy.reload(), "done")
            self.assertEqual(len(proxy.wait_lines(lines, event="few-open-files")), lines)

    def test_its_own_are_fewer_than_it_counts(self):
        """With each thing that opens some: workers, listeners, the admin endpoint, keys, and a reload of all of it."""
        proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0"] * 4, [self.backend(harness.pop3)], "none")},
                           extra='workers = 8; max_connections = 10000000; admin = { listen = "127.0.0.1:0"; };')
        self.assertEqual(proxy.reload(), "done")
        line = proxy.wait_line(event="few-open-files")
        self.assertLessEqual(proxy.descriptors(), int(line["own"]))


class SharedPlaces(Descriptors):
    def test_all_of_them_wherever_they_land(self):
        services = {"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")}
        extra = 'workers = 16; max_connections = %d; log_level = "debug";'
        proxy = self.start(services, extra=extra % 160, keys=STARTTLS)
        held = [self.greeted(proxy) for _ in range(160)]
        for _ in range(20):
            self.assert_closed(self.connect(proxy))
        line = proxy.wait_line(event="overload", limit="max_connections")
        self.assertEqual(line["action"], "closed")
        for connection in held[:5]:
            connection.reset()
        proxy.wait_lines(5, event="session")
        held[:5] = [self.greeted_again(proxy) for _ in range(5)]
        self.assert_closed(self.connect(proxy))
        # A reload changes the number, and those that are there count.
        self.folder.write("deepproxy.conf", harness.configuration(services, extra=extra % 170, keys=STARTTLS))
        self.assertEqual(proxy.reload(), "done")
        held += [self.greeted(proxy) for _ in range(10)]
        self.assert_closed(self.connect(proxy))
        self.folder.write("deepproxy.conf", harness.configuration(services, extra=extra % 100, keys=STARTTLS))
        self.assertEqual(proxy.reload(), "done")
        for connection in held[:70]:
            connection.reset()
        proxy.wait_lines(75, event="session")
        self.assert_closed(self.connect(proxy))
        held[70].reset()
        self.wait_until(lambda: self.gets_in(proxy))

    def test_slots_for_handshakes(self):
        """Whichever worker a client has come to, it gets the place that another worker's client has left."""
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, keys=STARTTLS,
                           extra="workers = 8; limits = { handshakes = 16; handshakes_per_address = 0; };")
        held = [self.greeted(proxy) for _ in range(16)]
        for _ in range(20):
            waiting = self.connect(proxy)
            self.assertFalse(harness.can_read(waiting, 0.02))
            held.pop(0).reset()
            self.assertTrue(harness.can_read(waiting, 1 + SOON))
            held.append(harness.Connection(waiting))
            self.assertTrue(held[-1].line().startswith(b"+OK"))
        proxy.wait_line(event="overload", limit="limits.handshakes")


class Queues(Descriptors):
    def use(self, client):
        client.shake_hands()
        self.assertEqual(client.line(), b"+OK ready")
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        client.send(b"QUIT\r\n")
        self.assertEqual(client.rest(), b"+OK bye\r\n")

    def test_who_waits_at_sigterm_is_served(self):
        """At whichever listener, while others have nobody."""
        for workers, place in ((1, 0), (1, 2), (4, 1)):
            with self.subTest(workers=workers, place=place):
                services = {f"pop3-{number}": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")
                            for number in range(3)}
                proxy = self.start(services, extra=f"workers = {workers};")
                harness.freeze(proxy.pid)
                clients = [self.client(proxy, f"pop3-{place}", shake_hands=False) for _ in range(40)]
                proxy.terminate()
                os.kill(proxy.pid, signal.SIGCONT)
                proxy.wait_line(event="shutdown")
                clients[0].shake_hands()
                self.assertEqual(clients[0].line(), b"+OK ready")
                for client in clients[1:]:
                    self.use(client)
                proxy.wait_lines(39, event="session", reason="logout")
                # It is a session as those that were there before.
                with self.takes(0, SOON):
                    proxy.terminate()
                    self.assertTrue(clients[0].rest().startswith(b"-ERR [SYS/TEMP]"))
                    proxy.wait()
                self.assertEqual(len(proxy.find(event="session")), 40)

    def test_who_waits_for_a_descriptor_at_sigterm_is_served(self):
        """There is no session yet, and other listeners have nobody: that is no end."""
        for place in (0, 2):
            with self.subTest(place):
                proxy = self.start({f"pop3-{number}": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")
                                    for number in range(3)}, extra="workers = 1;")
                before = self.leave(proxy, 0)
                client = self.client(proxy, f"pop3-{place}", shake_hands=False)
                proxy.wait_line(event="accept-failed")
                proxy.terminate()
                proxy.wait_line(event="shutdown")
                resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, before)
                self.use(client)
                with self.takes(0, SOON):
                    proxy.wait()

    def start_full(self, **options):
        """Both slots are taken, and clients wait in the queue."""
        proxy = self.start({"pop3": [self.backend(harness.pop3)], "imap": [self.backend(harness.imap)]},
                           extra="workers = 1; limits = { handshakes = 2; handshakes_per_address = 0; };", **options)
        held = [self.connect(proxy) for _ in range(2)]
        waiting = [self.client(proxy, "pop3", shake_hands=False) for _ in range(5)]
        for client in waiting:
            with self.assertRaises(ssl.SSLWantReadError):
                client.tls.do_handshake()
            client.flush()
        proxy.wait_line(event="overload", limit="limits.handshakes")
        return proxy, held, waiting

    def test_who_waits_for_a_slot_at_sigterm_is_served(self):
        proxy, held, waiting = self.start_full()
        proxy.terminate()
        proxy.wait_line(event="shutdown")
        for sock in held:
            sock.close()
        for client in waiting:
            self.use(client)
        proxy.wait()

    def test_who_comes_while_the_queue_is_served_gets_no_reply(self):
        """So that the queue comes to an end: nobody connects any more, and nobody is reset."""
        proxy, held, waiting = self.start_full()
        proxy.terminate()
        proxy.wait_line(event="shutdown")
        self.wait_until(lambda: self.gets_no_reply(proxy))
        for sock in held:
            sock.close()
        for client in waiting:
            self.use(client)
        proxy.wait()

    def gets_no_reply(self, proxy):
        with socket.socket() as sock:
            sock.settimeout(0.2)
            try:
                sock.connect(("127.0.0.1", proxy.port("pop3")))
            except TimeoutError:
                return True
        return False

    def test_who_waits_at_a_listener_that_a_reload_removes_is_served(self):
        """Under the configuration that had it, which is gone with the last of them."""
        proxy, held, waiting = self.start_full()
        self.folder.write("deepproxy.conf", harness.configuration(
            {"imap": ("imap", ["127.0.0.1:0"], [self.backend(harness.imap)], "none")},
            extra="workers = 1; limits = { handshakes = 2; handshakes_per_address = 0; };"))
        self.assertEqual(proxy.reload(), "done")
        for sock in held:
            sock.close()
        for client in waiting:
            self.use(client)
        self.wait_until(lambda: self.has_closed(proxy))
        self.assertTrue(self.client(proxy, "imap").line().startswith(b"* OK"))

    def test_a_reload_removes_several(self):
        """With nothing but their listeners in the configuration that had them."""
        services = {f"pop3-{number}": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")
                    for number in range(4)}
        proxy = self.start(services, extra="workers = 2;")
        self.folder.write("deepproxy.conf", harness.configuration({"pop3-3": services["pop3-3"]}, extra="workers = 2;"))
        self.assertEqual(proxy.reload(), "done")
        for number in range(3):
            self.assertTrue(self.has_closed(proxy, f"pop3-{number}"))
        self.assertEqual(self.client(proxy, "pop3-3").line(), b"+OK ready")

    def test_it_does_not_wait_for_ever(self):
        proxy, held, waiting = self.start_full()
        with self.takes(LEAVE_SECONDS, LEAVE_SECONDS + SOON):
            proxy.terminate()
            for client in waiting:
                self.assert_closed(client.socket)
        self.assertTrue(self.has_closed(proxy))
        for sock in held:
            sock.close()
        with self.takes(0, SOON):
            proxy.wait()


class Grace(Descriptors):
    def start_with_grace(self, grace):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, timeouts=f'grace = "{grace}";')
        client = self.client(proxy, "pop3")
        self.assertEqual(client.line(), b"+OK ready")
        return proxy, client

    def test_new_clients_are_served_until_it_is_over(self):
        proxy, client = self.start_with_grace("4 s")
        with self.takes(4, 4 + SOON):
            proxy.terminate()
            self.assertEqual(proxy.wait_line(event="shutdown")["step"].split(";")[0], "not ready")
            late = self.client(proxy, "pop3")
            self.assertEqual(late.line(), b"+OK ready")
            proxy.wait_lines(2, event="shutdown")
            self.wait_until(lambda: self.has_closed(proxy))
        for each in (client, late):
            self.assertEqual(each.ask(b"STAT"), b"+OK 1 0")
            each.send(b"QUIT\r\n")
            each.rest()
        with self.takes(0, SOON):
            proxy.wait()

    def test_a_second_signal_skips_it(self):
        proxy, client = self.start_with_grace("1 h")
        proxy.terminate()
        proxy.wait_line(event="shutdown")
        self.assertFalse(self.has_closed(proxy))
        with self.takes(0, SOON):
            proxy.terminate()
            self.wait_until(lambda: self.has_closed(proxy))
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        proxy.terminate()
        self.assertTrue(client.rest().startswith(b"-ERR [SYS/TEMP]"))
        proxy.wait()

    def test_what_a_reload_has_set(self):
        proxy, client = self.start_with_grace("1 h")
        self.folder.write("deepproxy.conf", proxy.path.read_text().replace('grace = "1 h";', ""))
        self.assertEqual(proxy.reload(), "done")
        client.send(b"QUIT\r\n")
        client.rest()
        with self.takes(0, SOON):
            proxy.terminate()
            proxy.wait()


if __name__ == "__main__":
    harness.main()
