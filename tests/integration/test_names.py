# SPDX-License-Identifier: BSD-2-Clause
"""Names of servers are looked up again and again, whatever the name service does, and nothing waits for it."""

import os
import signal
import socket
import unittest

import harness
import own_names
from own_names import NameServer

PORT = 10110
NAME = f"store.test:{PORT}"
EVERY_SECOND = 'check = false; resolve = "1 s";'
ONCE = 'check = false; resolve = "1 h";'
LONG_WAIT = "timeout:30 attempts:2"  # for an answer that does not come
NEW_NAMES_SECONDS = 3  # a start and a reload wait so long for names that are new


def server_at(host, name="store.test"):
    return f"{name}:{PORT}@{host}:{PORT}"


@unittest.skipUnless(own_names.is_inside(), "this process may not have a network of its own")
class TestCase(harness.TestCase):

    def setUp(self):
        self.names = NameServer()
        self.addCleanup(self.names.close)

    def server(self, host, script=harness.pop3):
        return self.backend(script, place=(host, PORT))

    def resolver_options(self, options):
        """Of the programs that the test starts."""
        before = os.environ.get("RES_OPTIONS")
        os.environ["RES_OPTIONS"] = options
        self.addCleanup(lambda: os.environ.pop("RES_OPTIONS") if before is None else os.environ.update(RES_OPTIONS=before))

    def proxy(self, servers=(NAME,), pool=EVERY_SECOND, **options):
        return self.start({"pop3": list(servers)}, pool=pool, **options)

    def serves(self, proxy, service="pop3"):
        """A session that is served, and goes on."""
        client = self.client(proxy, service)
        self.assertEqual(client.line(), b"+OK ready")
        return client

    def is_refused(self, proxy, service="pop3"):
        with self.client(proxy, service) as client:
            self.assertEqual(client.line()[:4], b"-ERR")

    def counts(self, proxy, servers, sessions):
        """How many of so many new sessions go to each server."""
        before = [server.count for server in servers]
        for _ in range(sessions):
            self.serves(proxy).close()
        return [server.count - count for server, count in zip(servers, before)]


class Addresses(TestCase):

    def test_each_is_a_server(self):
        servers = [self.server(host) for host in ("127.0.1.1", "127.0.1.2", "127.0.1.3")]
        self.names.set("store.test", ["127.0.1.1", "127.0.1.2", "127.0.1.3"])
        proxy = self.proxy(extra="workers = 1;")
        self.assertEqual(self.counts(proxy, servers, 6), [2, 2, 2])
        lines = proxy.wait_lines(6, event="session")
        self.assertEqual({line["server"] for line in lines},
                         {server_at(host) for host in ("127.0.1.1", "127.0.1.2", "127.0.1.3")})

    def test_limits_hold_for_each(self):
        self.server("127.0.1.1"), self.server("127.0.1.2")
        self.names.set("store.test", ["127.0.1.1", "127.0.1.2"])
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], [NAME], "none")},
                                     pool=EVERY_SECOND + "queue = { length = 0; };")
        path = self.folder.write("limits.conf", text.replace(f'"{NAME}";', f'"{NAME}"; name = "s"; max_connections = 1;'))
        proxy = harness.Proxy(path)
        self.addCleanup(proxy.stop)
        clients = [self.serves(proxy), self.serves(proxy)]
        self.is_refused(proxy)
        clients[0].ask(b"QUIT")
        clients[0].finish()
        self.assertIn(proxy.session(reason="logout")["server"], [f"s@127.0.1.{host}:{PORT}" for host in (1, 2)])
        self.serves(proxy)

    def test_ipv6(self):
        if not harness.can_bind_ipv6():
            self.skipTest("this machine has no IPv6")
        self.backend(harness.pop3, family=socket.AF_INET6, place=("::1", PORT))
        self.names.set("store.test", ["::1"])
        proxy = self.proxy()
        self.serves(proxy).close()
        self.assertEqual(proxy.session()["server"], f"{NAME}@[::1]:{PORT}")

    def test_come_and_go_while_sessions_live(self):
        first, second = self.server("127.0.1.1"), self.server("127.0.1.2")
        self.names.set("store.test", ["127.0.1.1"])
        proxy = self.proxy()
        old = self.serves(proxy)
        self.names.set("store.test", ["127.0.1.1", "127.0.1.2"])
        line = proxy.wait_line(event="name-changed")
        self.assertEqual((line["name"], line["from"], line["to"]), ("store.test", "1", "2"))
        self.wait_until(lambda: 0 not in self.counts(proxy, [first, second], 4))
        self.names.set("store.test", ["127.0.1.2"])
        self.assertEqual(proxy.wait_lines(2, event="name-changed")[1]["to"], "1")
        line = proxy.wait_line(event="server-state", server=server_at("127.0.1.1"))
        self.assertEqual((line["to"], line["cause"]), ("unresolved", "name-gone"))
        self.wait_until(lambda: self.counts(proxy, [first, second], 4)[0] == 0)
        self.assertEqual(self.counts(proxy, [first, second], 4), [0, 4])
        self.assertEqual(old.ask(b"STAT"), b"+OK 1 0")  # it goes on
        self.names.set("store.test", ["127.0.1.2", "127.0.1.1"])
        proxy.wait_lines(3, event="name-changed")
        line = proxy.wait_lines(2, event="server-state", server=server_at("127.0.1.1"))[1]
        self.assertEqual((line["from"], line["to"], line["cause"]), ("unresolved", "unchecked", "name-found"))
        self.wait_until(lambda: 0 not in self.counts(proxy, [first, second], 4))
        self.assertEqual(old.ask(b"STAT"), b"+OK 2 0")

    def test_order_is_no_change(self):
        self.server("127.0.1.1"), self.server("127.0.1.2")
        self.names.set("store.test", ["127.0.1.1", "127.0.1.2"])
        proxy = self.proxy()
        for hosts in (["127.0.1.2", "127.0.1.1"], ["127.0.1.1", "127.0.1.2"]):
            self.names.set("store.test", hosts)
            self.names.wait_questions("store.test", 2)
        self.assertEqual(proxy.find(event="name-changed"), [])

    def test_too_many(self):
        self.server("127.0.2.1")
        self.names.set("store.test", ["127.0.2.1"])
        proxy = self.proxy()
        self.names.set("store.test", [f"127.0.2.{host}" for host in range(1, 71)])
        line = proxy.wait_line(event="name-changed")
        self.assertEqual((line["level"], line["to"], line["left_out"]), ("warning", "64", "6"))

    def test_one_question_for_two_pools(self):
        self.server("127.0.1.1")
        self.names.set("store.test", ["127.0.1.1"])
        proxy = self.start({"pop3": [NAME], "other": ("pop3", ["127.0.0.1:0"], [NAME], "none")}, pool=ONCE)
        self.serves(proxy), self.serves(proxy, "other")
        self.assertEqual(self.names.count("store.test"), 1)


class Failures(TestCase):

    def fails(self, what, error):
        self.server("127.0.1.1")
        self.names.set("store.test", ["127.0.1.1"])
        proxy = self.proxy()
        old = self.serves(proxy)
        self.names.set("store.test", what)
        line = proxy.wait_line(event="name-failed")
        self.assertEqual((line["level"], line["name"], line["addresses"]), ("warning", "store.test", "1"))
        self.assertRegex(line["error"], error)
        self.names.wait_questions("store.test", 3)
        self.serves(proxy)  # the last good answer counts
        self.assertEqual(old.ask(b"STAT"), b"+OK 1 0")
        self.names.set("store.test", ["127.0.1.1"])
        self.assertEqual(proxy.wait_line(event="name-resolved")["name"], "store.test")
        self.names.wait_questions("store.test", 2)
        self.assertEqual(len(proxy.find(event="name-failed")), 1)
        self.assertEqual(len(proxy.find(event="name-resolved")), 1)
        self.assertEqual(proxy.find(event="name-changed") + proxy.find(event="server-state"), [])

    def test_wrong(self):
        self.fails("wrong", "Name or service not known")

    def test_empty(self):
        self.fails([], "No address")

    def test_broken(self):
        self.fails("broken", "Temporary failure")

    def test_silent(self):
        self.fails("silent", "Temporary failure")

    def test_hold(self):
        """After it the name has no address; and it serves as soon as it has one again."""
        self.server("127.0.1.1")
        self.names.set("store.test", ["127.0.1.1"])
        proxy = self.proxy(pool=EVERY_SECOND + 'hold = "2 s";')
        old = self.serves(proxy)
        self.names.set("store.test", "wrong")
        line = proxy.wait_line(event="name-changed")
        self.assertEqual((line["level"], line["from"], line["to"]), ("warning", "1", "0"))
        self.assertEqual(proxy.wait_line(event="server-state", server=NAME)["to"], "unresolved")
        self.wait_until(lambda: self.client(proxy, "pop3").line()[:4] == b"-ERR")
        self.assertEqual(old.ask(b"STAT"), b"+OK 1 0")
        self.names.set("store.test", ["127.0.1.1"])
        proxy.wait_lines(2, event="name-changed")
        self.wait_until(lambda: self.client(proxy, "pop3").line() == b"+OK ready")

    def test_stuck_resolver(self):
        """A name whose lookup does not come back for long loses nothing, and delays neither others nor a reload."""
        self.resolver_options(LONG_WAIT)
        self.server("127.0.1.1"), self.server("127.0.1.2")
        hung = [f"hung{number}.test" for number in range(20)]
        for name in hung:
            self.names.set(name, ["127.0.1.2"])
        self.names.set("store.test", ["127.0.1.1"])
        proxy = self.start({"pop3": [NAME], "other": ("pop3", ["127.0.0.1:0"], [f"{name}:{PORT}" for name in hung], "none")},
                           pool=EVERY_SECOND)
        asked = sum(map(self.names.count, hung))
        for name in hung:
            self.names.set(name, "silent")
        self.wait_until(lambda: sum(map(self.names.count, hung)) >= asked + 8)  # all threads are in the resolver
        self.serves(proxy), self.serves(proxy, "other")
        with self.takes(0, NEW_NAMES_SECONDS - 1):
            self.assertEqual(proxy.reload(), "done")
        self.serves(proxy), self.serves(proxy, "other")
        with self.takes(0, harness.SOON):
            proxy.stop()


class StartAndReload(TestCase):

    def place_of(self, path, words):
        line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if words in text)
        return f"{path}:{line}"

    def test_never_resolved(self):
        """The rest is served, the program warns, and the server is shown as one without an address."""
        self.server("127.0.1.1")
        self.names.set("store.test", ["127.0.1.1"])
        proxy = self.start({"pop3": [NAME], "other": ("pop3", ["127.0.0.1:0"], [f"new.test:{PORT}"], "none")},
                           pool=EVERY_SECOND)
        self.assertRegex(proxy.text, rf'{self.place_of(proxy.path, "new.test")}: warning: the server\'s name "new.test" has no '
                                     rf"address now: Name or service not known; .*: correct it, ")
        self.assertEqual(proxy.wait_line(event="server-state")["to"], "unresolved")
        self.serves(proxy)
        self.is_refused(proxy, "other")
        self.names.set("new.test", ["127.0.1.1"])
        self.assertEqual(proxy.wait_line(event="name-resolved")["name"], "new.test")
        self.wait_until(lambda: self.client(proxy, "other").line() == b"+OK ready")

    def test_nothing_is_resolved_at_the_start(self):
        proxy = self.proxy()
        self.is_refused(proxy)

    def test_silent_at_the_start(self):
        self.resolver_options(LONG_WAIT)
        self.server("127.0.1.1")
        self.names.set("store.test", ["127.0.1.1"])
        self.names.set("new.test", "silent")
        with self.takes(NEW_NAMES_SECONDS - 0.1, NEW_NAMES_SECONDS + harness.SOON):
            proxy = self.proxy([f"new.test:{PORT}", NAME])
        self.assertIn("The name service does not answer", proxy.text)
        self.serves(proxy)
        with self.takes(0, harness.SOON):
            proxy.stop()

    def test_check(self):
        self.names.set("store.test", ["127.0.1.1"])
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], [NAME, f"new.test:{PORT}"], "none")})
        path = self.folder.write("check.conf", text)
        done = harness.run_program("check", "-c", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f'{self.place_of(path, "new.test")}: warning: the server\'s name "new.test" has no address now', done.stderr)
        self.assertNotIn('"store.test"', done.stderr)
        self.assertIn(server_at("127.0.1.1"), done.stdout)

    def rewrite(self, proxy, servers, pool=EVERY_SECOND, **services):
        """The file, which is not read yet."""
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], servers, "none"), **services}, pool=pool)
        proxy.path.write_text(text)

    def test_reload_with_a_bad_name(self):
        """It goes through."""
        self.server("127.0.1.1"), self.server("127.0.1.2")
        self.names.set("store.test", ["127.0.1.1"])
        proxy = self.proxy()
        self.rewrite(proxy, [NAME, f"new.test:{PORT}"])
        self.assertEqual(proxy.reload(), "done")
        line = proxy.wait_line(event="configuration-problem")
        self.assertEqual((line["level"], line["place"]), ("warning", self.place_of(proxy.path, "new.test")))
        self.assertIn('the server\'s name "new.test" has no address now', line["problem"])
        self.serves(proxy)
        self.names.set("new.test", ["127.0.1.2"])
        line = proxy.wait_line(event="name-resolved", name="new.test")

    def test_known_names_are_not_looked_up_by_a_reload(self):
        self.server("127.0.1.1"), self.server("127.0.1.2")
        self.names.set("store.test", ["127.0.1.1"])
        self.names.set("new.test", ["127.0.1.2"])
        proxy = self.proxy(pool=ONCE)
        self.rewrite(proxy, [NAME, f"new.test:{PORT}"], pool=ONCE)
        self.assertEqual(proxy.reload(), "done")
        self.assertEqual(proxy.reload(), "done")
        self.assertEqual((self.names.count("store.test"), self.names.count("new.test")), (1, 1))
        self.assertEqual(proxy.find(event="configuration-problem"), [])

    def test_reload_waits_for_a_silent_name(self):
        """For some seconds, in which the program does all else; and its end does not wait."""
        self.resolver_options(LONG_WAIT)
        self.server("127.0.1.1")
        self.names.set("store.test", ["127.0.1.1"])
        self.names.set("new.test", "silent")
        proxy = self.proxy()
        self.rewrite(proxy, [NAME, f"new.test:{PORT}"])
        with self.takes(NEW_NAMES_SECONDS - 0.1, NEW_NAMES_SECONDS + harness.SOON):
            proxy.process.send_signal(signal.SIGHUP)
            self.names.wait_questions("new.test", 1)
            with self.takes(0, NEW_NAMES_SECONDS - 1):
                proxy.catch_up()  # by signals
                self.serves(proxy)
            self.assertEqual(proxy.find(event="reload"), [])
            line = proxy.wait_line(event="reload")
        self.assertEqual(line["result"], "done")
        self.assertIn("The name service does not answer", proxy.wait_line(event="configuration-problem")["problem"])

    def test_end_while_a_reload_waits(self):
        self.resolver_options(LONG_WAIT)
        self.server("127.0.1.1")
        self.names.set("store.test", ["127.0.1.1"])
        self.names.set("new.test", "silent")
        proxy = self.proxy()
        self.rewrite(proxy, [f"new.test:{PORT}"])
        proxy.process.send_signal(signal.SIGHUP)
        self.names.wait_questions("new.test", 1)
        with self.takes(0, NEW_NAMES_SECONDS - 1):
            proxy.stop()

    def test_refused_reload_keeps_names(self):
        first, second = self.server("127.0.1.1"), self.server("127.0.1.2")
        self.names.set("store.test", ["127.0.1.1"])
        proxy = self.proxy()
        good = proxy.path.read_text()
        proxy.path.write_text(good.replace(NAME, f"other.test:{PORT}") + "mistake = 1;")
        self.assertIn("refused", proxy.reload())
        self.names.set("store.test", ["127.0.1.2"])
        proxy.wait_line(event="name-changed")
        self.wait_until(lambda: self.counts(proxy, [first, second], 2) == [0, 2])
        self.assertEqual(self.names.count("other.test"), 0)

    def test_names_change_while_a_file_is_read(self):
        """For as long as that takes: here it is a pipe, into which nothing is written."""
        first, second = self.server("127.0.1.1"), self.server("127.0.1.2")
        self.names.set("store.test", ["127.0.1.1"])
        proxy = self.proxy()
        good = proxy.path.read_text()
        proxy.path.unlink()
        os.mkfifo(proxy.path)
        proxy.process.send_signal(signal.SIGHUP)
        writer = os.open(proxy.path, os.O_WRONLY)  # which waits for the reader
        for turn, host in enumerate(("127.0.1.2", "127.0.1.1", "127.0.1.2"), 1):
            self.names.set("store.test", [host])
            proxy.wait_lines(turn, event="name-changed")
            self.wait_until(lambda: self.counts(proxy, [first, second], 1) == [turn % 2 == 0, turn % 2])
        self.assertEqual(proxy.find(event="reload"), [])
        self.names.set("store.test", ["127.0.1.1"])
        proxy.path.unlink()
        proxy.path.write_text(good)
        os.close(writer)  # so far it has read nothing, which is no configuration
        self.assertIn("refused", proxy.wait_line(event="reload")["result"])
        self.assertEqual(proxy.reload(), "done")
        self.wait_until(lambda: self.counts(proxy, [first, second], 1) == [1, 0])

    def test_names_change_through_reloads(self):
        """Neither hinders the other: each change takes effect, and each reload is done."""
        servers = [self.server(f"127.0.1.{host}") for host in range(1, 4)]
        self.names.set("store.test", ["127.0.1.1"])
        proxy = self.proxy()
        for turn in range(6):
            self.names.set("store.test", [f"127.0.1.{turn % 3 + 1}"])
            self.assertEqual(proxy.reload(), "done")
            self.serves(proxy).close()
            self.wait_until(lambda: self.counts(proxy, servers, 1)[turn % 3] == 1)


if __name__ == "__main__":
    own_names.enter()
    harness.main()
