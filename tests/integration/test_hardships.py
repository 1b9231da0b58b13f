# SPDX-License-Identifier: BSD-2-Clause
"""
What the machine and the network do to the program, one thing at a time: no descriptors, a slow disk, places for clients
that many workers share, what reloads keep, and clients that wait while it ends. All at once: test_wedge.py.
"""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time
import unittest

import admin_case
import harness
from processes import status_of
from slow_disk import is_possible, slow_disk, slow_watches

BUNDLE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
LIMIT, WORKERS_OF_FEW = 1024, 32
CROWD = 1100
QUEUED = 40
SPIN_SECONDS, SPIN_SHARE = 2, 0.5  # of a core
WATCH_SECONDS = 1
GRACE_SECONDS = 5
WORKERS, PLACES, HANDSHAKES = 16, 160, 32
POOLS, POOL_RELOADS, POOL_MEMORY = 20, 30, 60 << 20
POOL_THREADS = 4  # libuv's
HOSTS, HOST_RELOADS, HOST_MEMORY = 5000, 10, 12 << 20


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Hardships(admin_case.Admin):
    def client_of(self, proxy, **options):
        client = self.client(proxy, "pop3", **options)
        self.assertEqual(client.line(), b"+OK ready")
        return client

    def assert_does_not_spin(self, proxy):
        before = cpu_seconds(proxy.pid)
        time.sleep(SPIN_SECONDS)
        self.assertLess(cpu_seconds(proxy.pid) - before, SPIN_SECONDS * SPIN_SHARE)

    def is_served(self, proxy):
        try:
            with harness.Client(proxy.port("pop3")) as client:
                return client.line() == b"+OK ready"
        except (OSError, harness.Ended):
            return False


class FewDescriptors(Hardships):
    """Many workers and listeners, and a limit on open files as many systems have it."""

    def begin(self, extra=""):
        """Under a limit that it can't raise."""
        program = self.folder.write("limited", f'#!/bin/sh\nulimit -n {LIMIT}\nexec "{harness.PROGRAM}" "$@"\n')
        program.chmod(0o755)
        services = {protocol: (protocol, ["127.0.0.1:0", "127.0.0.2:0"], [self.backend(script)], "none")
                    for protocol, script in harness.SCRIPTS.items()}
        path = self.folder.write("deepproxy.conf", harness.configuration(
            services, extra=(f"workers = {WORKERS_OF_FEW}; limits = {{ handshakes_per_address = 0; }}; "
                             f"{admin_case.ADMIN} {extra}")))
        proxy = harness.Proxy(path, program)
        self.addCleanup(proxy.stop)
        return proxy

    def crowd(self, proxy):
        crowd = []
        for _ in range(CROWD):
            crowd.append(harness.connect(proxy.port("pop3")))
            self.addCleanup(crowd[-1].close)
        return crowd

    def test_a_crowd(self):
        """It costs no time and few lines, sessions go on and can end, and others come when it has gone."""
        proxy = self.begin()
        held, leaving = self.client_of(proxy), self.client_of(proxy)
        crowd = self.crowd(proxy)
        self.assert_does_not_spin(proxy)
        self.assertEqual(held.ask(b"STAT"), b"+OK 1 0")
        leaving.send(b"QUIT\r\n")
        self.assertEqual(leaving.rest(), b"+OK bye\r\n")
        self.wait_until(lambda: "open files" in proxy.text)
        lines = [line for line in proxy.lines if line.get("event") in ("accept-failed", "overload")]
        self.assertLessEqual(len(lines), 2 * WORKERS_OF_FEW)
        for line in lines:  # nobody has made that setting
            self.assertNotEqual(line.get("limit"), "max_connections")
        for sock in crowd:
            sock.close()
        self.wait_until(lambda: self.is_served(proxy))
        self.assertEqual(held.ask(b"STAT"), b"+OK 2 0")

    def test_it_can_be_ended(self):
        proxy = self.begin()
        held = self.client_of(proxy)
        self.crowd(proxy)
        with self.takes(0, 2 * harness.SOON):
            proxy.terminate()
            self.wait_until(lambda: proxy.find(event="shutdown"))
            proxy.terminate()
            self.assertTrue(held.rest().startswith(b"-ERR"))
            proxy.wait()

    def test_a_setting_that_the_limit_does_not_allow(self):
        """Said at the start, with both numbers."""
        proxy = self.begin("max_connections = 100000;")
        said = [line for line in proxy.text.splitlines() if "warning" in line and "100000" in line]
        self.assertEqual(len(said), 1, proxy.text)
        self.assertRegex(said[0].replace("100000", ""), r"max_connections.*\b\d{2,4}\b|\b\d{2,4}\b.*max_connections")


class NoDescriptors(Hardships):
    def test_none_for_a_while(self):
        proxy = self.start_pop3(extra=f"workers = 4; {admin_case.ADMIN}")
        held = self.client_of(proxy)
        self.get(proxy, "/healthz")
        used = {int(name) for name in os.listdir(f"/proc/{proxy.pid}/fd")}
        soft, hard = resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)
        free = min(set(range(len(used) + 1)) - used)
        resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (free, hard))
        waiting = [self.client(proxy, "pop3", shake_hands=False) for _ in range(QUEUED)]
        line = proxy.wait_line(event="accept-failed")
        self.assertIn("open files", line["error"])
        self.assert_does_not_spin(proxy)
        self.assertEqual(held.ask(b"STAT"), b"+OK 1 0")
        self.assertLessEqual(len(proxy.find(event="accept-failed")), 5)
        resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (soft, hard))
        with self.takes(0, harness.SOON):
            for client in waiting:
                client.shake_hands()
                self.assertEqual(client.line(), b"+OK ready")


class Slow(Hardships):
    def setUp(self):
        super().setUp()
        if not is_possible():
            self.skipTest("a sanitizer's memory is no place for a library that comes first")


class SlowStart(Slow):
    def test_sigterm_after_the_first_session_has_begun(self):
        """Workers serve before the rest has begun: what they serve is not cut off, and what is logged is written."""
        address = harness.free_address()
        host, port = address.split(":")
        path = self.folder.write("slow.conf", harness.configuration(
            {"pop3": ("pop3", [address], [self.backend(harness.pop3).address], "none")}))
        with slow_watches(self.folder, WATCH_SECONDS):
            process = subprocess.Popen([harness.PROGRAM, "run", "-c", path], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        clients = []
        self.wait_until(lambda: self.try_to_connect(host, int(port), clients))
        with clients[0] as client:
            self.assertEqual(client.line(), b"+OK ready")
            process.terminate()
            self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
            client.send(b"QUIT\r\n")
            client.rest()
        _, text = process.communicate(timeout=harness.PATIENCE)
        events = {harness.parse_line(line).get("event") for line in text.splitlines()}
        self.assertLessEqual({"ready", "shutdown", "session"}, events)
        self.assertEqual(process.returncode, 0, text)

    @staticmethod
    def try_to_connect(host, port, clients):
        try:
            clients.append(harness.Client(port, host=host))
        except ConnectionRefusedError:
            return False
        return True


class SlowDisk(Slow):
    def begin(self):
        (self.folder.path / "state").mkdir()
        self.server = self.backend(harness.pop3)
        self.options = {"extra": admin_case.ADMIN + 'state_file = "state/tags";'}
        self.write(**self.options)
        with slow_disk(self.folder, 0) as synced:
            proxy = harness.Proxy(self.folder.path / "deepproxy.conf")
        self.addCleanup(proxy.stop)
        self.wait_until(lambda: str(self.folder.path / "state") in synced.read_text().splitlines())
        return proxy, synced

    def is_remembered(self):
        return "tls13" in (self.folder.path / "state" / "tags").read_text()

    def change_tags(self, proxy):
        """Which the state file has to follow."""
        path = self.folder.path / "deepproxy.conf"
        path.write_text(path.read_text().replace('"tls12" ];', '"tls12", "tls13" ];'))
        proxy.process.send_signal(signal.SIGHUP)

    def test_nothing_waits_for_it(self):
        proxy, synced = self.begin()
        client = self.client_of(proxy)
        count = len(synced.read_text().splitlines())
        held = self.folder.write("held", "")
        self.addCleanup(held.unlink, missing_ok=True)
        self.change_tags(proxy)
        self.wait_until(lambda: len(synced.read_text().splitlines()) > count)  # from now on it takes its time
        for number in range(20):
            self.assertEqual([self.get(proxy, path)[0] for path in ("/healthz", "/readyz")], [200, 200])
            self.assertEqual(client.ask(b"STAT"), b"+OK %d 0" % (number + 1))
        self.client_of(proxy)
        proxy.wait_line(event="reload", of="configuration", result="done")
        self.assertFalse(self.is_remembered())
        held.unlink()
        self.wait_until(self.is_remembered)

    def test_the_folder_is_written_too(self):
        """After the file has its name: else a crash may undo that."""
        proxy, synced = self.begin()
        count = len(synced.read_text().splitlines())
        self.change_tags(proxy)
        self.wait_until(lambda: len(synced.read_text().splitlines()) >= count + 2)
        self.assertTrue(self.is_remembered())
        file, folder = synced.read_text().splitlines()[count:]
        self.assertEqual([pathlib.Path(file).parent, pathlib.Path(folder)], [self.folder.path / "state"] * 2)


class Ticketless(Hardships):
    def test_a_file_of_ticket_keys_that_does_not_come(self):
        """A pipe into which nobody writes: nothing waits for it."""
        keys = self.folder.path / "tickets.key"
        self.assertEqual(harness.run_program("ticket-keys", keys).returncode, 0)
        proxy = self.start_pop3(tls='ticket_keys = "tickets.key";')
        keys.unlink()
        os.mkfifo(keys)
        proxy.process.send_signal(signal.SIGHUP)
        with self.takes(0, harness.SOON):
            for _ in range(50):
                self.assertEqual(self.get(proxy, "/healthz")[0], 200)
                time.sleep(0.02)
            self.client_of(proxy)
        with self.takes(0, harness.SOON):
            proxy.terminate()
            proxy.wait_line(event="shutdown")
            proxy.terminate()
            proxy.wait()


class Ending(Hardships):
    @staticmethod
    def thaw(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    @staticmethod
    def has_pending(pid):
        return bool(int(status_of(pid)["ShdPnd"], 16) >> signal.SIGTERM - 1 & 1)

    def test_clients_that_wait_to_be_accepted(self):
        """They were let in by the system before the end began."""
        proxy = self.start_pop3(extra=f"workers = 1; {admin_case.ADMIN}")
        harness.freeze(proxy.pid)
        self.addCleanup(self.thaw, proxy.pid)
        # More than it takes at once.
        clients = [self.client(proxy, "pop3", shake_hands=False) for _ in range(4 * QUEUED)]
        proxy.terminate()
        # It is where the proxy finds it: pending there, or taken by the process that passes it on.
        self.wait_until(lambda: self.has_pending(proxy.pid) or not self.has_pending(proxy.main_pid))
        os.kill(proxy.pid, signal.SIGCONT)
        for client in clients:
            client.shake_hands()
            self.assertEqual(client.line(), b"+OK ready")
            client.send(b"QUIT\r\n")
            self.assertEqual(client.rest(), b"+OK bye\r\n")
        with self.takes(0, harness.SOON):
            proxy.wait()

    def begin_with_grace(self):
        proxy = self.start_pop3(timeouts=f'grace = "{GRACE_SECONDS} s";')
        return proxy, self.client_of(proxy)

    def test_time_for_balancers_to_look(self):
        """Not ready at once; clients that come all the same are served, and then refused."""
        proxy, held = self.begin_with_grace()
        begun = time.monotonic()
        proxy.terminate()
        with self.takes(0, GRACE_SECONDS):
            self.wait_until(lambda: self.get(proxy, "/readyz")[0] == 503)
            self.client_of(proxy).close()
        self.assertEqual(self.get(proxy, "/healthz")[0], 200)
        while True:
            try:
                self.client_of(proxy).close()
            except ConnectionRefusedError:
                break
        self.assert_between(time.monotonic() - begun, GRACE_SECONDS, GRACE_SECONDS + harness.SOON)
        self.assertEqual(held.ask(b"STAT"), b"+OK 1 0")
        held.send(b"QUIT\r\n")
        self.assertEqual(held.rest(), b"+OK bye\r\n")
        with self.takes(0, harness.SOON):
            proxy.wait()

    def test_no_time_for_balancers_if_asked_twice(self):
        """The second SIGTERM ends the grace, and a further one the sessions."""
        proxy, held = self.begin_with_grace()
        with self.takes(0, GRACE_SECONDS):
            proxy.terminate()
            self.wait_until(lambda: self.get(proxy, "/readyz")[0] == 503)
            proxy.terminate()
            self.wait_until(lambda: not self.is_served(proxy))
            self.assertEqual(held.ask(b"STAT"), b"+OK 1 0")
            proxy.terminate()
            self.assertTrue(held.rest().startswith(b"-ERR"))
            proxy.wait()


class Places(Hardships):
    """Counted over all workers, wherever the kernel sends a connection."""

    def test_all_of_max_connections(self):
        proxy = self.start_pop3(extra=f"workers = {WORKERS}; max_connections = {PLACES}; {admin_case.ADMIN}")
        held = [self.client_of(proxy) for _ in range(PLACES)]
        for _ in range(10):
            with harness.connect(proxy.port("pop3")) as sock:
                self.assertEqual(sock.recv(1), b"")
        held[0].send(b"QUIT\r\n")
        held[0].rest()
        self.wait_until(lambda: self.is_served(proxy))

    def test_all_of_the_handshakes(self):
        extra = f"workers = {WORKERS}; limits = {{ handshakes = {HANDSHAKES}; handshakes_per_address = 0; }};"
        proxy = self.start_pop3(extra=extra, keys='tls = "starttls";')
        held = [harness.Connection(harness.connect(proxy.port("pop3"))) for _ in range(HANDSHAKES)]
        for connection in held:
            self.addCleanup(connection.socket.close)
            self.assertTrue(connection.line().startswith(b"+OK"))
        waiting = harness.Connection(harness.connect(proxy.port("pop3")))
        self.addCleanup(waiting.socket.close)
        self.assertFalse(harness.can_read(waiting.socket, 0.2))
        held[0].socket.close()
        self.assertTrue(waiting.line().startswith(b"+OK"))


class Reloads(Hardships):
    def setUp(self):
        super().setUp()
        if harness.is_sanitized():
            self.skipTest("a sanitizer's memory tells nothing")

    def grow(self, proxy, count):
        """What memory grows by, with a session of each generation."""
        clients = [self.client_of(proxy)]
        for _ in range(2 * POOL_THREADS):  # the heap has a part for each thread that has read a file
            self.reload(proxy)
        before = proxy.rss()
        for _ in range(count):
            self.reload(proxy)
            clients.append(self.client_of(proxy))
        grown = proxy.rss() - before
        for client in clients:
            self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        return grown

    @unittest.skipIf(not BUNDLE.exists(), "not installed: ca-certificates")
    def test_pools_that_verify(self):
        with open(self.folder.path / "bundle.pem", "wb") as bundle, open(self.folder.path / "ca.pem", "rb") as own:
            shutil.copyfileobj(own, bundle)
            bundle.write(BUNDLE.read_bytes())
        server = self.backend(harness.over_tls(harness.pop3, harness.server_context(self.folder.path)))
        names = ["pop3", *(f"pop3-{number}" for number in range(1, POOLS))]
        services = {name: ("pop3", ["127.0.0.1:0"], [server], "none") for name in names}
        proxy = self.start(services, extra=admin_case.ADMIN,
                           pool='tls = { mode = "implicit"; ca = "bundle.pem"; name = "mail.example.com"; };')
        self.assertLess(self.grow(proxy, POOL_RELOADS), POOL_MEMORY)

    def test_hosts(self):
        hosts = ", ".join(f'{{ names = [ "customer-{number}.example.com" ]; deep = {{ tags = [ "tls12" ]; }}; }}'
                          for number in range(HOSTS))
        proxy = self.start_pop3(extra=f"{admin_case.ADMIN} hosts = ( {hosts} );")
        self.assertLess(self.grow(proxy, HOST_RELOADS), HOST_MEMORY)


if __name__ == "__main__":
    harness.main()
