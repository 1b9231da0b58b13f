# SPDX-License-Identifier: BSD-2-Clause
"""
Servers with max_connections, and the clients that wait for a place: in the order in which they came, over all workers, no
more than the queue is long, and no longer than it says.
"""

import harness

UNAVAILABLE = {"imap": b"* BYE [UNAVAILABLE] ", "pop3": b"-ERR [SYS/TEMP] ", "submission": b"421 4.3.2 "}
QUIT = {"imap": b"a LOGOUT", "pop3": b"QUIT", "submission": b"QUIT"}
WAITERS = 12
WAIT_SECONDS = 2


class PoolQueue(harness.TestCase):
    def start_full(self, protocol="pop3", places=1, queue="", workers=2, servers=1):
        """A proxy whose servers have so many places each, and clients that hold them all."""
        backends = [self.backend(harness.SCRIPTS[protocol]) for _ in range(servers)]
        proxy = self.start({protocol: backends}, extra=f'workers = {workers}; log_level = "debug";',
                           server=f"max_connections = {places};", pool=f"check = false; queue = {{ {queue} }};")
        holders = [self.client(proxy, protocol) for _ in range(places * servers)]
        for holder in holders:
            holder.line()
        return proxy, backends, holders

    def waiting(self, proxy, protocol="pop3"):
        """A client that is known to wait."""
        before = len(self.who_waited(proxy))
        client = self.client(proxy, protocol)
        self.wait_until(lambda: len(self.who_waited(proxy)) > before)
        return client

    def who_waited(self, proxy):
        """Sessions whose time began to run before they had a server."""
        first = {}
        for line in list(proxy.lines):
            if line.get("event") in ("timeout", "server-chosen") and line.get("class", "quick") == "quick":
                first.setdefault(line["session"], line["event"])
        return {session for session, event in first.items() if event == "timeout"}

    def leave(self, client, protocol="pop3"):
        client.send(QUIT[protocol] + b"\r\n")
        client.rest()

    def test_full_and_no_queue(self):
        for protocol, words in UNAVAILABLE.items():
            with self.subTest(protocol):
                proxy, backends, _ = self.start_full(protocol, queue="length = 0;")
                with self.takes(0, harness.SOON):
                    answer = self.client(proxy, protocol).rest()
                self.assertTrue(answer.startswith(words), answer)
                self.assertEqual(proxy.session()["reason"], "backend-unavailable")
                self.assertEqual(backends[0].count, 1)
                self.assertEqual(proxy.find(event="backend-failed"), [])
                self.assertEqual(proxy.find(event="server-state"), [])

    def test_too_long(self):
        for protocol, words in UNAVAILABLE.items():
            with self.subTest(protocol):
                proxy, backends, _ = self.start_full(protocol, queue=f'wait = "{WAIT_SECONDS} s";')
                client = self.client(proxy, protocol)
                with self.takes(WAIT_SECONDS - 0.2, WAIT_SECONDS + harness.SOON):
                    answer = client.rest()
                self.assertTrue(answer.startswith(words), answer)
                self.assertEqual(backends[0].count, 1)

    def test_first_come_first_served(self):
        proxy, backends, (holder,) = self.start_full()
        waiters = [self.waiting(proxy) for _ in range(WAITERS)]
        for turn, waiter in enumerate(waiters):
            self.leave(holder)
            self.assertEqual(waiter.line(), b"+OK ready")
            self.assertEqual(backends[0].count, turn + 2)
            for later in waiters[turn + 1:]:
                self.assertFalse(harness.can_read(later.socket, 0), "one that came later is served")
            holder = waiter
        self.assertEqual(len({session.split("-")[0] for session in self.who_waited(proxy)}), 2, "both workers have waiters")

    def test_never_more_than_allowed(self):
        proxy, backends, holders = self.start_full(places=2, servers=3)
        waiters = [self.waiting(proxy) for _ in range(WAITERS)]
        for holder in holders:
            self.leave(holder)
        for waiter in waiters[:6]:
            waiter.line()
        self.assertEqual([backend.count for backend in backends], [4, 4, 4])
        self.assertFalse(any(harness.can_read(waiter.socket, 0.05) for waiter in waiters[6:]))

    def test_whoever_leaves_frees_the_place(self):
        proxy, _, (holder,) = self.start_full(queue="length = 1;")
        self.waiting(proxy).reset()
        # That the first has gone is found out in its own worker.
        self.wait_until(lambda: proxy.find(event="session", reason="client-reset") or proxy.find(event="session", reason="client-closed"))
        second = self.waiting(proxy)
        self.assertTrue(self.client(proxy, "pop3").rest().startswith(UNAVAILABLE["pop3"]))
        self.leave(holder)
        self.assertEqual(second.line(), b"+OK ready")

    def test_newcomers_do_not_pass_those_who_wait(self):
        proxy, _, (holder,) = self.start_full()
        first = self.waiting(proxy)
        self.leave(holder)
        second = self.client(proxy, "pop3")
        self.assertEqual(first.line(), b"+OK ready")
        self.assertFalse(harness.can_read(second.socket, 0.1))
        self.leave(first)
        self.assertEqual(second.line(), b"+OK ready")

    def test_a_server_that_fails_hands_its_clients_on(self):
        """Those who wait for its place have the other server's."""
        proxy, backends, holders = self.start_full(servers=2)
        waiters = [self.waiting(proxy) for _ in range(4)]
        backends[0].close()
        rest = list(waiters)
        for holder in holders:
            self.leave(holder)
        while rest:
            self.assertEqual(rest[0].line(), b"+OK ready")
            self.leave(rest.pop(0))


if __name__ == "__main__":
    harness.main()
