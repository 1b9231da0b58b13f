# SPDX-License-Identifier: BSD-2-Clause
"""Goodbyes to the clients of a server that goes away: in which words, and spread over which time."""

import contextlib
import functools
import selectors
import socket
import threading
import time

import harness
from harness import SOON

UNAVAILABLE = {"imap": b"* BYE [UNAVAILABLE] proxy.example.com: the mail server can't be reached, try again later\r\n",
               "pop3": b"-ERR [SYS/TEMP] Mail server not available, try again later\r\n",
               "submission": b"421 4.3.2 proxy.example.com Mail server not available, try again later\r\n"}
# So many sessions that lose one server within a second are told at once.
AT_ONCE = 3
SHARES = 8
# Chi-square with 7 degrees of freedom is above this once in ten thousand, by chance; what is spread evenly is far below.
CHI_SQUARE_MAX = 29.9


class Goodbyes(harness.TestCase):
    def clients(self, proxy, service, count):
        """So many that have been greeted, and are idle."""
        clients = [self.client(proxy, service) for _ in range(count)]
        for client in clients:
            client.line()
        return clients

    def watch(self, clients, seconds, enough=None):
        """
        By client, how many seconds from now on the proxy sends it something, or ends it; until it is all of them, or
        `enough`. The log has their sessions only when they have closed, too.
        """
        begun = time.monotonic()
        times = {}
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client.socket, selectors.EVENT_READ, client)
            while len(times) < (enough or len(clients)) and time.monotonic() < begun + seconds:
                for key, _ in selector.select(0.1):
                    times[key.data] = time.monotonic() - begun
                    selector.unregister(key.fileobj)
        return times

    def assert_spread(self, times, seconds):
        """Over all of the time, evenly, and not later."""
        shares = [0] * SHARES
        for moment in times:
            shares[min(int(moment / seconds * SHARES), SHARES - 1)] += 1
        mean = len(times) / SHARES
        self.assertLess(sum((share - mean) ** 2 / mean for share in shares), CHI_SQUARE_MAX, shares)
        self.assert_between(max(times), seconds * 0.8, seconds + SOON)

    def lose(self, backend):
        """The server's process is killed: all its connections end at once."""
        for sock in [backend.listener, *backend.connections]:
            with contextlib.suppress(OSError):  # one that its script has closed
                sock.shutdown(socket.SHUT_RDWR)


class Killed(Goodbyes):
    def test_two_hundred(self):
        spread, count = 8, 200
        backend = self.backend(harness.imap)
        proxy = self.start({"imap": [backend]}, extra="workers = 2;", pool=f'goodbye_spread = "{spread} s"; check = false;')
        clients = self.clients(proxy, "imap", count)
        self.lose(backend)
        times = self.watch(clients, spread + SOON)
        self.assertEqual(len(times), count)
        self.assert_spread(times.values(), spread)
        for client in clients:
            self.assertEqual(client.rest(), UNAVAILABLE["imap"])
        lines = proxy.wait_lines(count, event="session", reason="backend-closed")
        self.assertEqual(len(lines), count)

    def test_the_words_of_each_protocol(self):
        for protocol, script in harness.SCRIPTS.items():
            with self.subTest(protocol):
                backend = self.backend(script)
                proxy = self.start({protocol: [backend]}, pool='goodbye_spread = "1 s"; check = false;')
                clients = self.clients(proxy, protocol, 12)
                self.lose(backend)
                for client in clients:
                    self.assertEqual(client.rest(), UNAVAILABLE[protocol])
                proxy.stop()

    def test_a_few_are_told_at_once(self):
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend]}, pool='goodbye_spread = "1 h"; check = false;')
        clients = self.clients(proxy, "pop3", AT_ONCE)
        self.lose(backend)
        for client in clients:
            self.assertEqual(client.rest(), UNAVAILABLE["pop3"])

    def test_without_a_time(self):
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend]}, pool='goodbye_spread = "0 s"; check = false;')
        clients = self.clients(proxy, "pop3", 20)
        self.lose(backend)
        self.assertEqual(len(self.watch(clients, SOON)), 20)


class ServersOwnWords(Goodbyes):
    """A server that shuts down in order says goodbye to each client, and closes."""
    BYE = b"* BYE Server shutting down.\r\n"

    def start_server(self, spread, count, before=b""):
        shuts_down = threading.Event()

        def script(connection):
            connection.send(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
            shuts_down.wait(harness.PATIENCE)
            connection.send(before + self.BYE)
        backend = self.backend(script)
        proxy = self.start({"imap": [backend]}, pool=f'goodbye_spread = "{spread}"; check = false;')
        return proxy, self.clients(proxy, "imap", count), shuts_down

    def test_spread(self):
        proxy, clients, shuts_down = self.start_server("4 s", 60, before=b"* 5 EXISTS\r\n")
        shuts_down.set()
        self.assert_spread(self.watch(clients, 4 + SOON).values(), 4)
        for client in clients:
            self.assertEqual(client.rest(), b"* 5 EXISTS\r\n" + self.BYE)
        proxy.wait_lines(60, event="session", reason="logout")

    def test_a_command_gets_them_at_once(self):
        proxy, clients, shuts_down = self.start_server("1 h", 20)
        shuts_down.set()
        told = self.watch(clients, 1)
        waiting = [client for client in clients if client not in told]
        self.assertGreater(len(waiting), 10)
        waiting[0].send(b"a1 NOOP\r\n")
        self.assertEqual(waiting[0].rest(), self.BYE)
        waiting[1].send_close_notify()
        self.assertEqual(waiting[1].rest(), b"")
        proxy.stop()
        for client in waiting[2:]:
            self.assertEqual(client.rest(), self.BYE)

    def test_more_than_is_kept(self):
        """A server's data are passed on at once."""
        data = b"* OK " + b"x" * 1500 + b"\r\n"
        proxy, clients, shuts_down = self.start_server("1 h", 10, before=data)
        shuts_down.set()
        for client in clients:
            self.assertEqual(client.rest(), data + self.BYE)


class Orphaned(Goodbyes):
    """Clients whose server was killed, and whose turn does not come for an hour."""

    def start_orphans(self, count=20, **options):
        self.server = self.backend(harness.imap)
        proxy = self.start({"imap": [self.server]}, pool='goodbye_spread = "1 h"; check = false;',
                           extra=options.pop("extra", ""), **options)
        clients = self.clients(proxy, "imap", count)
        self.lose(self.server)
        self.told = self.watch(clients, 1)
        for client in self.told:
            self.assertEqual(client.rest(), UNAVAILABLE["imap"])
        proxy.wait_lines(AT_ONCE, event="session", reason="backend-closed")
        self.assertLess(len(self.told), count / 2)
        return proxy, [client for client in clients if client not in self.told]

    def test_a_command_is_answered_by_the_goodbye(self):
        proxy, orphans = self.start_orphans()
        for client in orphans[:5]:
            client.send(b"a1 NOOP\r\n")
            self.assertEqual(client.rest(), UNAVAILABLE["imap"])
        self.assertEqual(self.watch(orphans[5:], 0.3), {})
        self.assertEqual(len(proxy.find(event="session", reason="backend-closed")), len(self.told) + 5)

    def test_the_client_closes(self):
        proxy, orphans = self.start_orphans()
        orphans[0].send_close_notify()
        self.assertEqual(orphans[0].rest(), b"")
        orphans[1].reset()
        self.assertEqual(proxy.session(reason="client-closed")["reason"], "client-closed")
        proxy.session(reason="client-reset")

    def test_a_place_at_the_server_is_free(self):
        """One that has lost its server holds no place there."""
        proxy, orphans = self.start_orphans(extra='admin = { listen = "127.0.0.1:0"; socket = "%s"; };' %
                                            (self.folder.path / "admin.sock"))
        listed = harness.run_program("ctl", "-s", self.folder.path / "admin.sock", "show", "sessions")
        self.assertEqual(listed.stdout.count("orphaned"), len(orphans), listed.stdout)

    def test_kicked_meanwhile(self):
        proxy, orphans = self.start_orphans(extra='admin = { listen = "127.0.0.1:0"; socket = "%s"; };' %
                                            (self.folder.path / "admin.sock"))
        harness.run_program("ctl", "-s", self.folder.path / "admin.sock", "kick", "--address", "127.0.0.1")
        for client in orphans:
            self.assertIn(b"disconnected by the operator", client.rest())
        proxy.wait_lines(len(orphans), event="session", reason="kicked")

    def test_stopped_meanwhile(self):
        proxy, orphans = self.start_orphans()
        proxy.stop()
        for client in orphans:
            self.assertIn(b"* BYE [UNAVAILABLE] proxy.example.com: shutting down", client.rest())

    def test_reloaded_meanwhile(self):
        """It keeps the time under which it began; new sessions have the new one."""
        proxy, orphans = self.start_orphans()
        path = self.folder.path / "deepproxy.conf"
        another = self.backend(harness.imap)
        path.write_text(path.read_text().replace('"1 h"', '"2 s"').replace(self.server.address, another.address))
        self.assertEqual(proxy.reload(), "done")
        clients = self.clients(proxy, "imap", 20)
        self.lose(another)
        self.assertEqual(len(self.watch(clients, 2 + SOON)), 20)
        self.assertEqual(self.watch(orphans, 0.3), {})


class UnderWay(Goodbyes):
    def test_who_awaits_an_answer_is_told_at_once(self):
        asked = harness.Events()

        def script(connection):
            connection.send(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
            if connection.line() is not None:
                asked.tell(None)
                connection.rest()
        backend = self.backend(script)
        proxy = self.start({"imap": [backend]}, pool='goodbye_spread = "1 h"; check = false;')
        clients = self.clients(proxy, "imap", 20)
        for client in clients[:10]:
            client.send(b"a1 NOOP\r\n")
            asked.wait()
        self.lose(backend)
        for client in clients[:10]:
            self.assertEqual(client.rest(), UNAVAILABLE["imap"])

    def test_idle_clients_are_idle(self):
        def script(connection):
            connection.send(b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] ready\r\n")
            if connection.line():
                connection.send(b"+ idling\r\n")
                connection.rest()
        backend = self.backend(script)
        proxy = self.start({"imap": [backend]}, pool='goodbye_spread = "2 s"; check = false;')
        clients = self.clients(proxy, "imap", 20)
        for client in clients:
            self.assertEqual(client.ask(b"a1 IDLE"), b"+ idling")
        self.lose(backend)
        times = self.watch(clients, 2 + SOON)
        self.assertGreater(max(times.values()), 1)
        self.assertEqual({client.rest() for client in clients}, {UNAVAILABLE["imap"]})


MOVED = {"imap": b"* BYE [UNAVAILABLE] proxy.example.com: the mail server is being taken out of service, connect again\r\n",
         "pop3": b"-ERR [SYS/TEMP] Mail server is being taken out of service, connect again\r\n",
         "submission": b"421 4.3.2 proxy.example.com Mail server is being taken out of service, connect again\r\n"}


class Ordered(Goodbyes):
    """By the operator: maintenance, and a drain with a time."""

    def start_control(self, services, spread, extra="", **options):
        self.path = self.folder.path / "admin.sock"
        return self.start(services, pool=f'goodbye_spread = "{spread}"; check = false;',
                          extra=f'admin = {{ listen = "127.0.0.1:0"; socket = "{self.path}"; }}; {extra}', **options)

    def order(self, verb, backend, *arguments, service="imap"):
        done = harness.run_program("ctl", "-s", self.path, verb, f"{service}-pool/{backend.address}", *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def assert_serves(self, clients):
        for client in clients:
            self.assertEqual(client.ask(b"a1 NOOP"), b"a1 OK NOOP done")

    def test_maintenance_of_two_of_three_servers(self):
        """Over two workers, with a reload meanwhile; the third keeps its clients."""
        spread, count = 8, 201
        names = [b"one", b"two", b"three"]
        backends = [self.backend(functools.partial(harness.imap, greeting=b"* OK [CAPABILITY IMAP4rev1] " + name))
                    for name in names]
        proxy = self.start_control({"imap": backends}, f"{spread} s", extra="workers = 2;")
        clients = [self.client(proxy, "imap") for _ in range(count)]
        by_name = {name: [] for name in names}
        for client in clients:
            by_name[client.line().split()[-1]].append(client)
        self.order("maintain", backends[0])
        self.order("maintain", backends[1])
        leaving = by_name[b"one"] + by_name[b"two"]
        self.assertGreater(len(leaving), 100)
        self.assertEqual(proxy.reload(), "done")
        times = self.watch(leaving, spread + SOON)
        self.assertEqual(len(times), len(leaving))
        self.assert_spread(times.values(), spread)
        self.assertEqual({client.rest() for client in leaving}, {MOVED["imap"]})
        proxy.wait_lines(len(leaving), event="session", reason="server-maintenance")
        self.assert_serves(by_name[b"three"])
        self.assertEqual(len(proxy.find(event="server-goodbyes", step="begin", cause="maintenance")), 2)

    def test_the_words_of_each_protocol(self):
        for protocol, script in harness.SCRIPTS.items():
            with self.subTest(protocol):
                backend = self.backend(script)
                proxy = self.start_control({protocol: [backend]}, "1 s")
                clients = self.clients(proxy, protocol, 3)
                self.order("maintain", backend, service=protocol)
                self.assertEqual({client.rest() for client in clients}, {MOVED[protocol]})
                proxy.stop()

    def test_ready_in_between(self):
        """Who has had no goodbye stays, and is served on."""
        backend = self.backend(harness.imap)
        spread = 6
        proxy = self.start_control({"imap": [backend]}, f"{spread} s")
        clients = self.clients(proxy, "imap", 30)
        self.order("maintain", backend)
        self.assertGreater(len(self.watch(clients, spread, enough=2)), 0)
        self.order("ready", backend)
        proxy.wait_line(event="server-goodbyes", step="cancel", cause="maintenance")
        told = self.watch(clients, 1)
        staying = [client for client in clients if client not in told]
        self.assertGreater(len(staying), 5)
        self.assertEqual(self.watch(staying, spread), {})
        self.assert_serves(staying)
        self.order("drain", backend, "--within", "1s")
        self.assertEqual(len(self.watch(staying, 1 + SOON)), len(staying))

    def test_drain(self):
        """Without a time nobody leaves; with one all do, and the last order holds."""
        backend = self.backend(harness.pop3)
        proxy = self.start_control({"pop3": [backend]}, "1 s")
        clients = self.clients(proxy, "pop3", 20)
        self.order("drain", backend, service="pop3")
        self.assertEqual(self.watch(clients, 2), {})
        self.order("drain", backend, "--within", "1h", service="pop3")
        self.order("drain", backend, "--within", "2s", service="pop3")
        self.assertEqual(len(self.watch(clients, 2 + SOON)), len(clients))
        self.assertEqual({client.rest() for client in clients}, {MOVED["pop3"]})
        proxy.wait_lines(len(clients), event="session", reason="server-drained")

    def test_stopped_meanwhile(self):
        backend = self.backend(harness.imap)
        proxy = self.start_control({"imap": [backend]}, "1 h")
        clients = self.clients(proxy, "imap", 20)
        self.order("maintain", backend)
        told = self.watch(clients, 0.5)
        proxy.stop()
        for client in set(clients) - set(told):
            self.assertIn(b"* BYE [UNAVAILABLE] proxy.example.com: shutting down", client.rest())

    def test_a_server_that_greets_too_late(self):
        """Who was waiting for its greeting gets that, and then the goodbye."""
        greets = threading.Event()

        def script(connection):
            greets.wait(harness.PATIENCE)
            harness.imap(connection)
        backend = self.backend(script)
        proxy = self.start_control({"imap": [backend]}, "0 s")
        client = self.client(proxy, "imap")
        self.wait_until(lambda: backend.count == 1)
        self.order("maintain", backend)
        proxy.wait_line(event="server-goodbyes")
        greets.set()
        self.assertTrue(client.rest().endswith(b" ready\r\n" + MOVED["imap"]))

    def test_a_download_is_finished(self):
        """To the last octet, and the goodbye follows."""
        pieces = [b"%04d" % i * 4096 for i in range(25)]
        literal = b"".join(pieces)

        def script(connection):
            connection.send(b"* PREAUTH [CAPABILITY IMAP4rev1] ready\r\n")
            connection.line()
            connection.send(b"* 1 FETCH (BODY[] {%d}\r\n" % len(literal))
            for piece in pieces:
                connection.send(piece)
                time.sleep(0.1)  # the transfer is to take longer than until its turn
            connection.send(b")\r\na1 OK done\r\n")
            connection.rest()
        backend = self.backend(script)
        proxy = self.start_control({"imap": [backend]}, "8 s")
        client = self.client(proxy, "imap")
        client.line()
        client.send(b"a1 FETCH 1 BODY[]\r\n")
        client.line()
        self.order("maintain", backend)
        self.assertEqual(client.rest(), literal + b")\r\na1 OK done\r\n" + MOVED["imap"])
        self.assertEqual(proxy.session()["reason"], "server-maintenance")

    def test_an_upload_is_finished(self):
        got = harness.Events()

        def script(connection):
            connection.send(b"220 msa.example.com ESMTP\r\n")
            for _ in range(3):
                connection.line()
                connection.send(b"250 2.0.0 ok\r\n")
            connection.line()
            connection.send(b"354 go on\r\n")
            lines = []
            while (line := connection.line()) != b".":
                lines.append(line)
            got.tell(lines)
            connection.send(b"250 2.0.0 accepted\r\n")
            connection.rest()
        backend = self.backend(script)
        proxy = self.start_control({"submission": [backend]}, "8 s", keys='received = "none";')
        client = self.client(proxy, "submission")
        client.line()
        client.send(b"EHLO c\r\n")
        while not client.line().startswith(b"250 "):
            pass
        for command in (b"MAIL FROM:<a@b>", b"RCPT TO:<a@b>", b"DATA"):
            client.ask(command)
        self.order("maintain", backend, service="submission")
        lines = [b"line %d" % i for i in range(25)]
        for line in lines:
            client.send(line + b"\r\n")
            time.sleep(0.1)  # as above
        self.assertEqual(client.ask(b"."), b"250 2.0.0 accepted")
        self.assertEqual(got.wait(), lines)
        self.assertEqual(client.rest(), MOVED["submission"])

    def test_what_takes_too_long_is_cut_off(self):
        """When the time is over, without a word that would be taken for content."""
        def script(connection):
            connection.send(b"* PREAUTH [CAPABILITY IMAP4rev1] ready\r\n")
            connection.line()
            connection.send(b"* 1 FETCH (BODY[] {1000}\r\nabc")
            connection.rest()
        backend = self.backend(script)
        proxy = self.start_control({"imap": [backend]}, "2 s")
        client = self.client(proxy, "imap")
        client.line()
        client.send(b"a1 FETCH 1 BODY[]\r\n")
        client.line()
        self.order("maintain", backend)
        with self.takes(1, 2 + SOON):
            self.assertEqual(client.rest(), b"abc")
        self.assertEqual(proxy.session()["reason"], "server-maintenance")


if __name__ == "__main__":
    harness.main()
