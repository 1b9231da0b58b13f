# SPDX-License-Identifier: BSD-2-Clause
"""Which server a session goes to, and what the client sees of servers that fail: nothing, as long as one does not."""

import os
import resource
import signal
import socket
import ssl
import threading
import time

import harness
import processes
from harness import Events

ONE_WORKER = "workers = 1;"  # each worker takes turns by itself
LEAVING_SECONDS = 1  # what a client that has gone has waited for a greeting
# So long a bad server is waited for: a good one, whose time is the same, needs no more of it on a busy machine.
SERVER_SECONDS = 3
KNOWN_SECONDS = 2.5  # the second in which all are known to be down, and a busy machine


def closing(connection):
    """Closes without a greeting."""


def resetting(connection):
    connection.reset()


def saying(words):
    def script(connection):
        connection.send(words)
        connection.rest()
    return script


def silent(connection):
    connection.rest()


class LocalFailures(harness.TestCase):
    """What this machine lacks counts against no server, and the log says whose fault it is."""

    def has_not_blamed(self, proxy, error):
        proxy.session()
        self.assertEqual(proxy.find(event="backend-failed"), [])
        line = proxy.wait_line(event="local-failure")
        self.assertEqual((line["level"], line["error"]), ("warning", error))

    def test_no_port_is_left(self):
        """Towards a server; there may be one towards the next."""
        try:
            self.addCleanup(processes.enter_own_network())
        except OSError as error:
            self.skipTest(f"this process may not have a network of its own: {error}")
        first, second = self.backend(harness.pop3), self.backend(harness.pop3)
        proxy = self.start({"one": ("pop3", ["127.0.0.1:0"], [first], "none"),
                            "two": ("pop3", ["127.0.0.1:0"], [first, second], "none")}, extra=ONE_WORKER)
        clients = [self.client(proxy, service, shake_hands=False) for service in ["one", "one", "two", "two", "one"]]
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as ports:
            ports.write("61000 61000")
        answers = []
        for client in clients[:4]:
            client.shake_hands()
            answers.append(client.line())
        self.assertEqual([answers[0], answers[2]], [b"+OK ready", b"+OK ready"])
        self.assertEqual([answer[:4] for answer in (answers[1], answers[3])], [b"-ERR", b"-ERR"])
        self.assertEqual((first.count, second.count), (1, 1))
        self.has_not_blamed(proxy, "address not available")
        lines = proxy.wait_lines(2, event="session", reason="no-resources")
        self.assertEqual([(line["service"], line["detail"]) for line in lines],
                         [("one", "address not available"), ("two", "address not available")])
        self.assertEqual(len(proxy.find(event="local-failure")), 3)  # once a minute for each server of a pool
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as ports:
            ports.write("61000 61999")
        clients[4].shake_hands()
        self.assertEqual(clients[4].line(), b"+OK ready")

    def test_no_descriptor_is_left(self):
        """The client is told so in its protocol's words: another attempt may find room, or another proxy."""
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, extra=ONE_WORKER)
        pid = proxy.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        free = min(set(range(len(used) + 1)) - used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free + 1, limits[1]))  # for the client's connection
        client = self.client(proxy, "pop3")
        self.assertTrue(client.rest().startswith(b"-ERR [SYS/TEMP]"))
        self.has_not_blamed(proxy, "too many open files")
        session = proxy.session()
        self.assertEqual((session["reason"], session["detail"]), ("no-resources", "too many open files"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")


class Failover(harness.TestCase):
    def log_in(self, proxy, protocol="pop3", greeting=b"+OK ready"):
        client = self.client(proxy, protocol)
        self.assertTrue(client.line().startswith(greeting))
        return client

    def test_round_robin_over_three(self):
        backends = [self.backend(harness.pop3) for _ in range(3)]
        proxy = self.start({"pop3": backends}, extra=ONE_WORKER)
        for turn in range(4):
            for number in range(3):
                client = self.log_in(proxy)
                self.assertEqual([backend.count for backend in backends],
                                 [turn + (index <= number) for index in range(3)])
                client.send(b"QUIT\r\n")
                client.rest()
        lines = proxy.wait_lines(12, event="session")
        self.assertEqual([line["backend"] for line in lines[:3]], [backend.address for backend in backends])

    def takes_over(self, bad, protocol="pop3", timeouts="", error=None, refuses=False):
        """
        The second server takes over from a bad first one, which is then left alone for a while, unless it has only refused a
        client: then each of them is the first one for every other client.
        """
        good = self.backend(harness.SCRIPTS[protocol])
        greeting = {"pop3": b"+OK ready", "imap": b"* OK", "submission": b"220 "}[protocol]
        proxy = self.start({protocol: [bad, good]}, extra=ONE_WORKER, timeouts=timeouts)
        self.log_in(proxy, protocol, greeting)
        line = proxy.wait_line(event="backend-failed")
        self.assertEqual(line["backend"], getattr(bad, "address", bad))
        self.assertEqual(line["level"], "warning")
        self.assertTrue(line["error"] if error is None else error in line["error"], line)
        for _ in range(3):
            self.log_in(proxy, protocol, greeting)
        self.assertEqual(good.count, 4)
        self.assertEqual(len(proxy.find(event="backend-failed")), 2 if refuses else 1)
        return line

    def test_server_that_refuses_connections(self):
        self.takes_over(harness.refusing_address(), error="connection refused")

    def test_server_that_closes_without_a_greeting(self):
        line = self.takes_over(self.backend(closing), error="before its greeting")
        self.assertNotIn("PROXY", line["error"])

    def test_server_that_does_not_believe_the_proxy_header(self):
        proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(closing)], "proxy-v2")})
        self.client(proxy, "pop3").rest()
        self.assertIn("from this proxy's address (Dovecot: haproxy = yes in the inet_listener, and haproxy_trusted_networks)",
                      proxy.wait_line(event="backend-failed")["error"])

    def test_server_that_resets(self):
        self.takes_over(self.backend(resetting))

    def test_server_that_stays_silent(self):
        with self.takes(SERVER_SECONDS, SERVER_SECONDS + harness.SOON):
            self.takes_over(self.backend(silent), timeouts=f"greeting = {SERVER_SECONDS}; connect = 60;",
                            error="waiting for its greeting: does this port expect a PROXY header")

    def does_not_accept(self):
        """A full queue of connections: the kernel lets further ones wait."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listener.close)
        for _ in range(4):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        return "127.0.0.1:%d" % listener.getsockname()[1]

    def test_server_that_does_not_accept(self):
        with self.takes(SERVER_SECONDS, SERVER_SECONDS + harness.SOON):
            self.takes_over(self.does_not_accept(), timeouts=f"connect = {SERVER_SECONDS}; greeting = 60;",
                            error="connecting")

    def test_a_server_that_clients_give_up_waiting_for(self):
        """They go long before the server's time is over: it has failed all the same, and others come before it."""
        for slow in (self.backend(silent), self.does_not_accept()):
            good = self.backend(harness.pop3)
            proxy = self.start({"pop3": [slow, good]}, extra=ONE_WORKER, timeouts="connect = 60; greeting = 60;")
            self.client(proxy, "pop3").finish()
            self.assertEqual(proxy.wait_line(event="backend-failed")["error"], "a client gave up waiting")
            self.assert_lasted(proxy.session(reason="client-closed"), LEAVING_SECONDS)
            for _ in range(3):
                self.log_in(proxy)

    def test_client_that_says_it_all_with_its_end(self):
        """Commands and close_notify in one segment: it has the server's whole time, and the next server."""
        for first in (self.backend(lambda connection: connection.socket.settimeout(0.1)), self.does_not_accept()):
            proxy = self.start({"pop3": [first, self.backend(harness.pop3)]}, extra=ONE_WORKER,
                               timeouts='connect = "1500 ms";')
            client = self.client(proxy, "pop3", shake_hands=False, context=harness.client_context(
                minimum=ssl.TLSVersion.TLSv1_3))
            finished = client.last_flight()
            client.send_close_notify(before=finished + client.seal(b"USER joe\r\nSTAT\r\nQUIT\r\n"))
            self.assertEqual(client.rest(), b"+OK ready\r\n+OK USER\r\n+OK 2 0\r\n+OK bye\r\n")
            line = proxy.wait_line(event="session")
            self.assertEqual(line["reason"], "logout")
            self.assertNotIn("gave up", proxy.find(event="backend-failed")[0]["error"])
            if isinstance(first, str):
                self.assert_lasted(line, 1.4)

    def test_client_that_has_ended_gets_the_greeting(self):
        """Where it comes soon."""
        gone = threading.Event()

        def slow(connection):
            gone.wait(harness.PATIENCE)
            connection.send(b"+OK ready\r\n")
            connection.rest()
        proxy = self.start({"pop3": [self.backend(slow)]})
        client = self.client(proxy, "pop3")
        client.finish()
        gone.set()
        self.assertEqual(client.rest(), b"+OK ready\r\n")
        self.assertEqual(proxy.session()["reason"], "client-closed")
        self.assertEqual(proxy.find(event="backend-failed"), [])

    def test_pop3_server_that_says_no(self):
        self.takes_over(self.backend(saying(b"-ERR [SYS/TEMP] not now\r\n")), refuses=True)

    def test_imap_server_that_says_no(self):
        self.takes_over(self.backend(saying(b"* BYE overloaded\r\n")), "imap", refuses=True)

    def test_submission_server_that_says_no(self):
        self.takes_over(self.backend(saying(b"421 4.3.2 not now\r\n")), "submission", refuses=True)

    def test_submission_server_that_says_no_in_many_lines(self):
        self.takes_over(self.backend(saying(b"554-go\r\n554 away\r\n")), "submission", refuses=True)

    def test_server_that_speaks_http(self):
        for protocol in harness.SCRIPTS:
            with self.subTest(protocol):
                self.takes_over(self.backend(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")), protocol)

    def test_server_that_sends_garbage_without_end(self):
        for protocol in harness.SCRIPTS:
            with self.subTest(protocol):
                self.takes_over(self.backend(saying(b"\xff\x00garbage" * 20000)), protocol)

    def test_server_that_cuts_its_greeting(self):
        def script(connection):
            connection.send(b"+OK rea")
        self.takes_over(self.backend(script))

    def test_all_down_is_said_by_the_protocol_over_tls(self):
        for protocol, words in [("imap", b"* BYE [UNAVAILABLE]"), ("pop3", b"-ERR [SYS/TEMP]"),
                                ("submission", b"421 4.3.2 ")]:
            with self.subTest(protocol):
                proxy = self.start({protocol: [harness.refusing_address(), self.backend(closing)]})
                answer = self.client(proxy, protocol).rest()
                self.assertTrue(answer.startswith(words), answer)
                self.assertTrue(answer.endswith(b"\r\n") and answer.count(b"\n") == 1, answer)
                self.assertEqual(proxy.session()["reason"], "backend-unavailable")
                self.assertEqual(len(proxy.find(event="backend-failed")), 2)

    def test_the_last_servers_own_refusal_reaches_the_client(self):
        """Whether another try makes sense depends on its class; and whom a server refuses, others need not be."""
        for protocol, words in [("imap", b"* BYE [ALERT] not from your network\r\n"),
                                ("pop3", b"-ERR [SYS/PERM] not from your network\r\n"),
                                ("submission", b"554-msa.example.com\r\n554 5.7.1 not from your network\r\n"),
                                ("submission", b"450 4.3.2 later\r\n")]:
            with self.subTest(words):
                def refusing(connection, words=words):
                    connection.send(words)
                    connection.rest()
                proxy = self.start({protocol: [self.backend(closing), self.backend(refusing)]}, extra=ONE_WORKER)
                self.assertEqual(self.client(proxy, protocol).rest(), words)
                line = proxy.session()
                self.assertEqual((line["reason"], line["detail"]), ("backend-unavailable", "the server's own refusal"))
                self.assertEqual(len(proxy.wait_lines(2, event="backend-failed")), 2)

    def test_a_refusal_is_not_the_word_of_a_server_that_failed_after_it(self):
        def refusing(connection):
            connection.send(b"554 5.7.1 no\r\n")
            connection.rest()
        proxy = self.start({"submission": [self.backend(refusing), self.backend(closing)]}, extra=ONE_WORKER)
        self.assertTrue(self.client(proxy, "submission").rest().startswith(b"421 4.3.2 "))

    def test_a_server_that_refuses_one_client_stays_in_the_round(self):
        states = iter([lambda connection: connection.send(b"-ERR [SYS/PERM] you are not welcome\r\n")] + [harness.pop3] * 10)
        picky = self.backend(lambda connection: next(states)(connection))
        other = self.backend(harness.pop3)
        proxy = self.start({"pop3": [picky, other]}, extra=ONE_WORKER)
        for _ in range(6):
            self.log_in(proxy)
        # One that has failed is avoided for ten seconds: all further clients would be the other's.
        self.assertGreaterEqual(picky.count, 3)

    def test_all_servers_are_tried(self):
        backends = [self.backend(closing) for _ in range(6)]
        proxy = self.start({"pop3": backends}, extra=ONE_WORKER)
        self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR"))
        self.assertEqual([backend.count for backend in backends], [1] * 6)

    def test_half_of_the_servers_refuse(self):
        """Side by side in the list: no client is turned away, and the log has each server's state once."""
        good = [self.backend(harness.pop3) for _ in range(10)]
        host = harness.refusing_address().rsplit(":", 1)[0]
        bad = [f"{host}:{port}" for port in range(1, 11)]
        proxy = self.start({"pop3": bad + good}, extra=ONE_WORKER)
        for _ in range(40):
            client = self.log_in(proxy)
            client.send(b"QUIT\r\n")
            client.rest()
        lines = proxy.wait_lines(10, event="server-state")
        self.assertEqual({line["server"] for line in lines}, set(bad))
        for line in lines:
            self.assertEqual([line[key] for key in ("pool", "axis", "from", "to", "cause")],
                             ["pop3-pool", "state", "unchecked", "ejected", "connect-refused"])
        self.assertEqual(proxy.find(event="pool-panic"), [])
        proxy.wait_lines(40, event="session", reason="logout")

    def test_one_of_two_hangs(self):
        """The time that the other one usually takes is known: nobody waits for the whole time of a server."""
        hung = self.backend(silent)
        proxy = self.start({"pop3": [self.backend(harness.pop3), hung]}, extra=ONE_WORKER,
                           timeouts="greeting = 60; connect = 60;")
        self.log_in(proxy)
        with self.takes(0.9, KNOWN_SECONDS):
            self.log_in(proxy)
        self.assertEqual(proxy.wait_line(event="server-state")["cause"], "no-greeting")
        for _ in range(20):
            with self.takes(0, KNOWN_SECONDS):
                self.log_in(proxy)
        self.assertLess(hung.count, 5)  # one session at a time, now and then
        self.assertEqual(proxy.find(event="pool-panic"), [])

    def test_all_servers_hang(self):
        """When that is known, clients are told at once, and not after each server's time."""
        proxy = self.start({"pop3": [self.backend(silent), self.backend(silent)]}, extra=ONE_WORKER,
                           timeouts=f"greeting = {SERVER_SECONDS}; connect = 60;")
        self.client(proxy, "pop3").rest()
        for _ in range(3):
            with self.takes(0, KNOWN_SECONDS):
                self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR [SYS/TEMP]"))
        self.assertEqual(proxy.wait_line(event="pool-panic")["panic"], "yes")

    def test_server_that_greets_late_now(self):
        """Later than a client that tries it waits: it is found all the same, as there is no other."""
        serves = threading.Event()

        def late(connection):
            if serves.is_set():
                time.sleep(1.2)
                harness.pop3(connection)
            else:
                silent(connection)
        proxy = self.start({"pop3": [self.backend(late)]}, extra=ONE_WORKER, timeouts=f"greeting = {SERVER_SECONDS};")
        for _ in range(2):
            self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR [SYS/TEMP]"))
        serves.set()
        self.wait_until(lambda: self.client(proxy, "pop3").line().startswith(b"+OK ready"))

    def test_server_that_comes_back(self):
        """All have failed a moment ago, and are tried all the same."""
        states = iter([closing] + [harness.pop3] * 10)
        backend = self.backend(lambda connection: next(states)(connection))
        proxy = self.start({"pop3": [backend]}, extra=ONE_WORKER)
        self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR"))
        for _ in range(3):
            self.log_in(proxy)

    def test_pipelined_commands_go_to_the_server_that_takes_over(self):
        """What came with the end of the handshake is kept, and reaches the good server whole and once."""
        def refusing(connection):
            connection.send(b"-ERR not now\r\n")
            events.tell(connection.rest())
        events = Events()
        proxy = self.start({"pop3": [self.backend(refusing), self.backend(harness.pop3)]}, extra=ONE_WORKER)
        client = self.client(proxy, "pop3", shake_hands=False)
        client.socket.sendall(client.last_flight() + client.seal(b"USER joe\r\nSTAT\r\nQUIT\r\n"))
        self.assertEqual(client.rest(), b"+OK ready\r\n+OK USER\r\n+OK 2 0\r\n+OK bye\r\n")
        self.assertEqual(events.wait(), b"")


class FailedWrites(harness.TestCase):
    def test_client_that_has_ended_and_a_server_that_takes_no_more(self):
        """The write that fails is no end of the client's: the next server gets what the client has sent."""
        def agrees_and_resets(connection):
            connection.send(b"+OK in the clear\r\n")
            self.assertEqual(connection.line(), b"STLS")
            harness.freeze(proxy.pid)  # so that it reads the answer of a server that is gone
            connection.send(b"+OK go\r\n")
            connection.reset()
            os.kill(proxy.pid, signal.SIGCONT)
        good = harness.over_tls(harness.pop3, harness.server_context(self.folder.path), "pop3")
        proxy = self.start({"pop3": [self.backend(agrees_and_resets), self.backend(good)]}, extra=ONE_WORKER,
                           pool='tls = { mode = "starttls"; verify = false; };')
        client = self.client(proxy, "pop3", shake_hands=False)
        finished = client.last_flight()
        client.send_close_notify(before=finished + client.seal(b"USER joe\r\nSTAT\r\nQUIT\r\n"))
        self.assertEqual(client.rest(), b"+OK proxy.example.com ready\r\n+OK USER\r\n+OK 2 0\r\n+OK bye\r\n")
        self.assertEqual(proxy.session()["reason"], "logout")
        self.assertEqual(len(proxy.find(event="backend-failed")), 1)


if __name__ == "__main__":
    harness.main()
