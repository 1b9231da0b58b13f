# SPDX-License-Identifier: BSD-2-Clause
"""What the metrics and /readyz tell of pools and their servers, while these fail, come back, fill up and go."""

import json
import threading
import time

import harness
from control_case import Control
from harness import SOON, certificates

ONE_WORKER = "workers = 1;"
POOL = "pop3-pool"
UNCHECKED = "check = false; "


class PoolCase(Control):
    def start_pool(self, servers, pool=UNCHECKED, **options):
        return self.start({"pop3": servers}, extra=self.admin + ONE_WORKER, pool=pool, **options)

    def write_pool(self, servers, pool=UNCHECKED, extra=""):
        services = {"pop3": ("pop3", ["127.0.0.1:0"], servers, "none")}
        self.folder.write("deepproxy.conf",
                          harness.configuration(services, extra=self.admin + ONE_WORKER + extra, pool=pool))

    def of_server(self, proxy, metric, server, **labels):
        return self.value(proxy, "server_" + metric, pool=POOL, server=getattr(server, "address", server), **labels)

    def of_pool(self, proxy, metric, **labels):
        return self.value(proxy, "pool_" + metric, pool=POOL, **labels)

    def state(self, proxy, server, metric="state"):
        """The one word whose sample is 1."""
        name = getattr(server, "address", server)
        words = [dict(labels)[metric] for (sample, labels), value in self.scrape(proxy).items()
                 if sample == "deepproxy_server_" + metric and dict(labels)["server"] == name and value == 1]
        self.assertEqual(len(words), 1, words)
        return words[0]

    def log_in(self, proxy):
        client = self.client(proxy, "pop3")
        self.assertEqual(client.line(), b"+OK ready")
        return client

    def want(self, server, pool=POOL, **wish):
        """As an operator does."""
        status, _, value = self.ask("PATCH", f"/v1/servers/{pool}/{server.address}", json.dumps(wish))
        self.assertEqual(status, 200, value)

    def ready(self, proxy):
        status, _, body = self.get(proxy, "/readyz")
        return status, body.decode().strip()


class Servers(PoolCase):
    def test_sessions_of_each(self):
        first, second = self.backend(harness.pop3), self.backend(harness.pop3)
        proxy = self.start_pool([first, second])
        clients = [self.log_in(proxy) for _ in range(3)]
        self.assertEqual([self.of_server(proxy, "sessions", server) for server in (first, second)], [2, 1])
        self.assertEqual(self.of_pool(proxy, "sessions"), 3)
        self.assertEqual(self.of_server(proxy, "connecting", first), 0)
        for client in clients:
            client.send(b"QUIT\r\n")
            client.rest()
        self.wait_until(lambda: self.of_pool(proxy, "sessions") == 0)
        self.assertEqual([self.of_server(proxy, "connects_total", server) for server in (first, second)], [2, 1])
        self.assertEqual(self.of_server(proxy, "greeting_seconds_count", first), 2)
        self.assertEqual(self.state(proxy, first), "unchecked")
        self.assertEqual(self.state(proxy, first, "admin"), "ready")

    def test_one_that_greets_late(self):
        release = threading.Event()

        def late(connection):
            release.wait(harness.PATIENCE)
            harness.pop3(connection)
        slow = self.backend(late)
        proxy = self.start_pool([slow])
        client = self.client(proxy, "pop3")
        began = time.monotonic()
        self.wait_until(lambda: self.of_server(proxy, "connecting", slow) == 1)
        while time.monotonic() < began + 0.3:  # a time that is seen
            self.scrape(proxy)
        release.set()
        client.line()
        took = time.monotonic() - began
        self.wait_until(lambda: self.of_server(proxy, "connecting", slow) == 0)
        self.assert_between(self.of_server(proxy, "greeting_seconds_sum", slow), 0.2, took + SOON)
        self.assertEqual(self.of_server(proxy, "greeting_seconds_bucket", slow, le="0.1"), 0)
        self.assertEqual(self.of_server(proxy, "greeting_seconds_bucket", slow, le="30"), 1)

    def test_the_time_of_the_second_one_is_its_own(self):
        """What the first one took of the client's time is not counted against it."""
        bad = self.backend(lambda connection: connection.rest())
        good = self.backend(harness.pop3)
        proxy = self.start_pool([bad, good], timeouts='greeting = "1 s";')
        self.log_in(proxy)
        self.assertEqual(self.of_server(proxy, "failures_total", bad, kind="no-greeting"), 1)
        self.assertEqual(self.of_server(proxy, "greeting_seconds_count", bad), 0)
        self.assertEqual(self.of_server(proxy, "greeting_seconds_bucket", good, le="0.5"), 1)

    def test_one_is_ejected_and_comes_back(self):
        address = harness.refusing_address()
        good = self.backend(harness.pop3)
        proxy = self.start_pool([address, good])
        self.log_in(proxy)
        self.wait_until(lambda: self.state(proxy, address) == "ejected")
        self.assertEqual(self.of_server(proxy, "failures_total", address, kind="connect-refused"), 1)
        self.assertEqual(self.of_server(proxy, "failures_total", address, kind="no-greeting"), 0)
        self.assertEqual(self.of_server(proxy, "changes_total", address, axis="state"), 1)
        self.assertEqual(self.of_pool(proxy, "servers"), 2)
        self.assertEqual(self.of_pool(proxy, "servers_available"), 1)
        self.assertEqual(self.ready(proxy), (200, "ok"))
        self.assertEqual(proxy.wait_line(event="server-state")["server"], address)

    def test_panic(self):
        """More than half of them fail: the rest is not ejected, and the pool says so."""
        address = harness.refusing_address()
        servers = [address, address + "1"]  # two ports of an address that nobody has
        proxy = self.start_pool(servers)
        self.assertEqual(self.of_pool(proxy, "panic"), 0)
        self.client(proxy, "pop3").rest()
        self.wait_until(lambda: self.of_pool(proxy, "panic") == 1)
        self.assertEqual(sorted(self.state(proxy, server) for server in servers), ["ejected", "unchecked"])

    def test_one_that_a_reload_removes(self):
        first, second = self.backend(harness.pop3), self.backend(harness.pop3)
        proxy = self.start_pool([first, second])
        held = self.log_in(proxy)
        self.write_pool([second])
        self.reload(proxy)
        names = {dict(labels).get("server") for _, labels in self.scrape(proxy)}
        self.assertNotIn(first.address, names)
        self.assertIn(second.address, names)
        self.assertEqual(self.of_pool(proxy, "servers"), 1)
        self.assertTrue(held.ask(b"STAT").startswith(b"+OK"))

    def test_counts_go_on_over_a_reload(self):
        server = self.backend(harness.pop3)
        proxy = self.start_pool([server])
        self.log_in(proxy)
        self.write_pool([server], extra='log_level = "debug";')
        self.reload(proxy)
        self.log_in(proxy)
        self.assertEqual(self.of_server(proxy, "connects_total", server), 2)
        self.assertEqual(self.of_server(proxy, "sessions", server), 2)
        self.assertEqual(self.of_server(proxy, "greeting_seconds_count", server), 2)


    def test_one_whose_certificate_is_not_trusted(self):
        """Told apart from one that fails at TLS otherwise: it wakes somebody up."""
        for name in ("store", "elsewhere"):
            (self.folder.path / name).mkdir()
            certificates.make(self.folder.path / name, ("store.internal",), ("127.0.0.1",))
        untrusted = self.backend(harness.over_tls(harness.pop3, harness.server_context(self.folder.path / "elsewhere")))
        in_clear = self.backend(harness.pop3)
        good = self.backend(harness.over_tls(harness.pop3, harness.server_context(self.folder.path / "store")))
        proxy = self.start_pool([untrusted, in_clear, good], UNCHECKED + 'tls = { mode = "implicit"; ca = "store/ca.pem"; };')
        self.log_in(proxy)
        kinds = [(self.of_server(proxy, "failures_total", server, kind="tls-untrusted"),
                  self.of_server(proxy, "failures_total", server, kind="tls-failed"))
                 for server in (untrusted, in_clear, good)]
        self.assertEqual(kinds, [(1, 0), (0, 1), (0, 0)])

    def test_what_the_operator_wants(self):
        server, other = self.backend(harness.pop3), self.backend(harness.pop3)
        proxy = self.start_pool([server, other])
        for wish in ("drain", "maintenance", "ready"):
            self.want(server, admin=wish)
            self.assertEqual(self.state(proxy, server, "admin"), wish)
            self.assertEqual(self.of_pool(proxy, "servers_available"), 2 if wish == "ready" else 1)
        self.assertEqual(self.of_server(proxy, "changes_total", server, axis="admin"), 3)
        self.assertEqual(self.of_server(proxy, "changes_total", server, axis="state"), 0)
        self.want(server, weight=7)
        self.assertEqual(self.of_server(proxy, "weight", server), 7)
        self.assertEqual(self.of_server(proxy, "weight", other), 1)


class Readiness(PoolCase):
    """Of two services, each with a pool and one server."""

    def start_two(self, needs=""):
        self.pop3, self.imap = self.backend(harness.pop3), self.backend(harness.imap)
        services = {"pop3": ("pop3", ["127.0.0.1:0"], [self.pop3], "none"),
                    "imap": ("imap", ["127.0.0.1:0"], [self.imap], "none")}
        admin = self.admin.replace("};", f"{needs} }};")
        self.folder.write("deepproxy.conf", harness.configuration(services, extra=admin, pool=UNCHECKED))
        proxy = harness.Proxy(self.folder.path / "deepproxy.conf")
        self.addCleanup(proxy.stop)
        self.assertEqual(self.ready(proxy), (200, "ok"))
        return proxy

    def test_any_pool_will_do(self):
        proxy = self.start_two()
        self.want(self.pop3, admin="drain")
        self.assertEqual(self.ready(proxy), (200, "ok"))
        self.want(self.imap, "imap-pool", admin="maintenance")
        self.assertEqual(self.ready(proxy), (503, "no server takes sessions in any pool"))
        self.assertEqual(self.get(proxy, "/healthz")[0], 200)
        self.want(self.pop3, admin="ready")
        self.assertEqual(self.ready(proxy), (200, "ok"))

    def test_pools_that_are_needed(self):
        proxy = self.start_two('ready_needs = [ "pop3-pool" ];')
        self.want(self.imap, "imap-pool", admin="drain")
        self.assertEqual(self.ready(proxy), (200, "ok"))
        self.want(self.pop3, admin="drain")
        self.assertEqual(self.ready(proxy), (503, "no server takes sessions in the pool pop3-pool"))
        path = self.folder.path / "deepproxy.conf"
        path.write_text(path.read_text().replace('ready_needs = [ "pop3-pool" ]', 'ready_needs = [ "imap-pool", "pop3-pool" ]'))
        self.reload(proxy)
        self.assertEqual(self.ready(proxy), (503, "no server takes sessions in the pool imap-pool, nor in 1 more"))
        self.want(self.imap, "imap-pool", admin="ready")
        self.assertEqual(self.ready(proxy), (503, "no server takes sessions in the pool pop3-pool"))
        self.want(self.pop3, admin="ready")
        self.assertEqual(self.ready(proxy), (200, "ok"))

    def test_sessions_that_fail_do_not_end_it(self):
        """All proxies would be gone at once: what sessions see of servers alone is no reason."""
        proxy = self.start_pool([harness.refusing_address()])
        self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR"))
        self.wait_until(lambda: self.of_pool(proxy, "panic") == 1)
        self.assertEqual(self.ready(proxy), (200, "ok"))


class Queue(PoolCase):
    """All servers are full: of two that wait one gets a place, the other's time is over; a third finds no room."""

    def start_full(self, queue):
        server = self.backend(harness.pop3)
        path = self.folder.path / "deepproxy.conf"
        self.write_pool([server], pool=UNCHECKED + queue)
        path.write_text(path.read_text().replace(f'"{server.address}";', f'"{server.address}"; max_connections = 1;'))
        proxy = harness.Proxy(path)
        self.addCleanup(proxy.stop)
        return proxy, self.log_in(proxy)

    def test_who_waits_and_is_served(self):
        proxy, held = self.start_full('queue = { length = 1; wait = "60 s"; };')
        self.assertEqual(self.of_pool(proxy, "queue_length"), 1)
        waiting = self.client(proxy, "pop3")
        self.wait_until(lambda: self.of_pool(proxy, "waiting") == 1)
        self.assertEqual(self.of_pool(proxy, "queue_full_total"), 0)
        self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR [SYS/TEMP]"))
        self.assertEqual(self.of_pool(proxy, "queue_full_total"), 1)
        held.send(b"QUIT\r\n")
        self.assertEqual(waiting.line(), b"+OK ready")
        self.wait_until(lambda: self.of_pool(proxy, "waiting") == 0)
        self.assertEqual(self.of_pool(proxy, "wait_seconds_count"), 1)
        self.assertEqual(self.of_pool(proxy, "queue_unserved_total"), 0)

    def test_whose_time_is_over(self):
        proxy, _ = self.start_full('queue = { length = 5; wait = "1 s"; };')
        self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR [SYS/TEMP]"))
        self.assertEqual(self.of_pool(proxy, "queue_unserved_total"), 1)
        self.assertEqual(self.of_pool(proxy, "queue_full_total"), 0)
        self.assert_between(self.of_pool(proxy, "wait_seconds_sum"), 0.9, 1 + SOON)
        self.assertEqual(self.of_pool(proxy, "wait_seconds_bucket", le="0.5"), 0)

    def test_who_gives_up(self):
        proxy, _ = self.start_full('queue = { length = 5; wait = "60 s"; };')
        client = self.client(proxy, "pop3")
        self.wait_until(lambda: self.of_pool(proxy, "waiting") == 1)
        client.close()
        self.wait_until(lambda: self.of_pool(proxy, "waiting") == 0)
        self.assertEqual(self.of_pool(proxy, "wait_seconds_count"), 1)
        self.assertEqual(self.of_pool(proxy, "queue_unserved_total"), 0)


class SessionLines(PoolCase):
    def test_they_have_pool_and_server_beside_the_address(self):
        server = self.backend(harness.pop3)
        path = self.folder.path / "deepproxy.conf"
        self.write_pool([server])
        path.write_text(path.read_text().replace("{ address =", '{ name = "store-1"; address ='))
        proxy = harness.Proxy(path)
        self.addCleanup(proxy.stop)
        client = self.log_in(proxy)
        client.send(b"QUIT\r\n")
        client.rest()
        line = proxy.session()
        self.assertEqual((line["pool"], line["server"], line["backend"]), (POOL, "store-1", server.address))
        self.assertEqual(self.of_server(proxy, "connects_total", "store-1"), 1)


if __name__ == "__main__":
    harness.main()
