# SPDX-License-Identifier: BSD-2-Clause
"""
All that stands around the program goes wrong at once, and goes on going wrong: the reader of its log has stopped, no
descriptors are left, its key processes are killed, signals come in storms, its disk is slow, clients half-close and
read slowly. Sessions that are there do not feel it, and clients that find descriptors and somebody who signs are
served. Afterwards it serves, reloads, tells the truth, holds no more than before, and ends within its times.

That lasts a minute with a sanitizer in the program, or if DEEPPROXY_TEST_SCALE asks for more than the usual; else a third
of that.
"""

import contextlib
import os
import pathlib
import pwd
import signal
import socket
import ssl
import subprocess
import threading
import time

import admin_case
import harness
from processes import guard_of, signer_of
from proxy import port_of
from slow_disk import is_possible, slow_disk

CYCLES = 4  # each: fair weather, no descriptors, a killed key process
NO_DESCRIPTORS = 0.25  # of a cycle
REST_SECONDS = 2
RELOAD_SECONDS = 1
STORM_SECONDS, STORM_SIGNALS = 2, 40  # SIGUSR1
SLOW_DISK_SECONDS = 0.7
SHUTDOWN_SECONDS = 2
ACCEPT_FAILED_LINES = 10 * CYCLES  # they are summed up
QUEUED = 50  # clients that come while there are no descriptors
HALF_CLOSED, SLOW_READERS = 6, 3
MESSAGE = (b"x" * 998 + b"\r\n") * 6_000
SIP, SIPS_SECONDS = 16 * 1024, 0.2
RETR_ANSWER = b"+OK\r\n" + MESSAGE + b".\r\n"
# What a canary may wait at most: so many seconds, and so often what it has waited at rest.
CANARY_SECONDS, CANARY_FACTOR = 3, 20
DESCRIPTORS_MORE = 16  # the pool's threads come once
MEMORY_MORE = 32 << 20  # queues of the log, and what the allocator keeps of them
USER = "nobody"


def chaos_seconds():
    return 60 if harness.is_sanitized() or float(os.environ.get("DEEPPROXY_TEST_SCALE", 1)) > 1 else 20


class Weather:
    """Whether new clients find what they need. It changes in turns, which are counted."""

    def __init__(self):
        self._turn, self._is_fair = 0, True
        self._lock = threading.Lock()

    def change(self, is_fair):
        with self._lock:
            self._turn += 1
            self._is_fair = is_fair

    def fair_turn(self):
        """The number of the turn, or None while it is foul."""
        with self._lock:
            return self._turn if self._is_fair else None


class Crew:
    """Threads that do something again and again, until the end or their first error."""

    def __init__(self):
        self.errors, self._threads = [], []
        self._done = threading.Event()

    def start(self, pause, work, *arguments):
        def run():
            try:
                while not self._done.wait(pause):
                    work(*arguments)
            except BaseException as error:
                self.errors.append(error)
        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()

    def stop(self):
        self._done.set()
        for thread in self._threads:
            thread.join(2 * harness.PATIENCE)

    def end(self):
        self.stop()
        if self.errors:
            raise self.errors[0]


class Canary:
    """A session that sends one NOOP after the other, and remembers how long it has waited at most."""

    def __init__(self, client):
        self.client = client
        self.worst = 0
        client.line()

    def ask(self):
        begun = time.monotonic()
        answer = self.client.ask(b"c NOOP")
        self.worst = max(self.worst, time.monotonic() - begun)
        assert answer == b"c OK NOOP done", answer


# ---- what clients do; each is a whole session ----

def visit_imap(port, before=None):
    with harness.Client(port, before=before) as client:
        if not before:
            assert client.line().startswith(b"* OK")
        assert client.ask(b"a NOOP") == b"a OK NOOP done"
        client.send(b"b LOGOUT\r\n")
        assert client.rest().endswith(b"b OK LOGOUT done\r\n")


def visit_imap_starttls(port):
    visit_imap(port, harness.starttls("imap"))


def visit_pop3(port):
    with harness.Client(port) as client:
        assert client.line() == b"+OK ready"
        client.send(b"QUIT\r\n")
        assert client.rest() == b"+OK bye\r\n"


def visit_submission(port):
    with harness.Client(port) as client:
        assert client.line().startswith(b"220")
        client.send(b"QUIT\r\n")
        assert client.rest() == b"221 2.0.0 bye\r\n"


VISITS = {"imap": visit_imap, "secured": visit_imap_starttls, "pop3": visit_pop3, "submission": visit_submission}
PROTOCOLS = {"imap": "imap", "secured": "imap", "pop3": "pop3", "submission": "submission"}


class Wedge(admin_case.Admin):
    def setUp(self):
        super().setUp()
        self.owed = threading.Event()  # submission servers answer now
        self.weather, self.crew = Weather(), Crew()
        self.served, self.worst_visit = dict.fromkeys(VISITS, 0), 0
        self.kills, self.reloads = 0, 0
        self.servers = {"imap": self.backend(self.imap), "pop3": self.backend(self.pop3),
                        "submission": self.backend(self.submission)}
        self.addCleanup(self.owed.set)
        self.as_user = {}
        self.state = self.folder.path / "state"
        self.state.mkdir()
        if os.geteuid() == 0:
            # As it is installed: keys that root alone may read, and a proxy that is nobody.
            user = pwd.getpwnam(USER)
            self.as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chmod(self.folder.path, 0o711)
            os.chown(self.state, user.pw_uid, user.pw_gid)

    # ---- servers ----

    @staticmethod
    def imap(connection):
        connection.socket.settimeout(None)  # sessions are idle while other things are looked at
        harness.imap(connection)

    @staticmethod
    def pop3(connection):
        connection.socket.settimeout(None)  # a message takes its time
        harness.pop3(connection, messages=[None, MESSAGE])

    def submission(self, connection):
        """Answers DATA, and what follows it not before that is owed."""
        connection.send(b"220 msa.example.com ESMTP\r\n")
        while (line := connection.line()) is not None:
            if line == b"QUIT":
                return connection.send(b"221 2.0.0 bye\r\n")
            if line == b"DATA":
                connection.send(b"354 go\r\n")
                connection.rest()
                self.owed.wait()
                connection.send(b"250 2.0.0 queued\r\n")

    # ---- the program ----

    def text(self, *more, extra=""):
        """With further services, or without a tag that comes and goes: what its state file has to follow."""
        services = {name: (protocol, ["127.0.0.1:0", "127.0.0.2:0"], [self.servers[protocol]], "none")
                    for name, protocol in {**PROTOCOLS, **dict.fromkeys(more, "pop3")}.items()}
        text = harness.configuration(services, keys={"secured": 'tls = "starttls";'}, extra=(
            f'{admin_case.ADMIN} workers = 4; state_file = "state/tags"; '
            f'{f"user = {chr(34)}{USER}{chr(34)};" if self.as_user else ""} {extra}'),
            timeouts=f'shutdown = "{SHUTDOWN_SECONDS} s"; login = "1 h"; idle = "1 h";')  # a slow machine takes long
        if self.reloads % 2:
            text = text.replace('[ "tls11", "tls12" ];', '[ "tls12" ]; withdraw = [ "tls11" ];')
        return text

    def write(self, *more, **options):
        """In one step: it may be read at any time."""
        self.folder.write("new.conf", self.text(*more, **options)).replace(self.folder.path / "deepproxy.conf")
        return self.folder.path / "deepproxy.conf"

    def begin(self):
        with slow_disk(self.folder, SLOW_DISK_SECONDS) if is_possible() else contextlib.nullcontext():
            proxy = harness.Proxy(self.write())
        self.addCleanup(self.crew.stop)
        self.addCleanup(proxy.stop)
        self.addCleanup(proxy.reads_log.set)
        return proxy

    def limit_descriptors(self, proxy, count):
        """As the proxy's own user: root does not always have the right to do so."""
        subprocess.run(["prlimit", "--pid", str(proxy.pid), f"--nofile={count}:"], check=True, **self.as_user)

    def status(self, proxy, path):
        """Of an answer to HTTP; none if there is none for a while."""
        with contextlib.suppress(OSError):
            return self.get(proxy, path, timeout=harness.SOON)[0]
        return None

    # ---- what goes wrong ----

    def visit(self, proxy, name):
        turn, begun = self.weather.fair_turn(), time.monotonic()
        try:
            VISITS[name](proxy.port(name))
        except (OSError, ssl.SSLError, AssertionError) as error:
            if turn is not None and turn == self.weather.fair_turn():
                raise AssertionError(f"{name}: not served, and there was no reason for that: {error!r}") from error
            return
        self.served[name] += 1
        if turn is not None and turn == self.weather.fair_turn():
            self.worst_visit = max(self.worst_visit, time.monotonic() - begun)

    def hang_up(self, proxy):
        self.reloads += 1
        self.write()
        proxy.process.send_signal(signal.SIGHUP)

    @staticmethod
    def storm(proxy):
        for _ in range(STORM_SIGNALS):
            proxy.process.send_signal(signal.SIGUSR1)

    def take_descriptors(self, proxy, seconds):
        """Until they are given back clients wait, some with nothing to say."""
        self.weather.change(False)
        used = {int(name) for name in os.listdir(f"/proc/{proxy.pid}/fd")}
        free = min(set(range(len(used) + 1)) - used)
        before = pathlib.Path(f"/proc/{proxy.pid}/limits").read_text().split("Max open files")[1].split()[0]
        self.limit_descriptors(proxy, free)
        with contextlib.ExitStack() as stack:
            for _ in range(QUEUED):
                stack.enter_context(harness.connect(proxy.port("imap")))
            time.sleep(seconds)
        self.limit_descriptors(proxy, before)

    def kill_keys(self, proxy, find):
        """Until somebody signs again: then it is ready."""
        self.weather.change(False)
        self.kills += 1
        os.kill(find(proxy), signal.SIGKILL)

    def wait_until_ready(self, proxy):
        self.wait_until(lambda: self.status(proxy, "/readyz") is not None)
        self.wait_until(lambda: self.value(proxy, "key_process_restarts_total") >= self.kills)
        self.wait_until(lambda: self.status(proxy, "/readyz") == 200)
        self.assertEqual(self.status(proxy, "/healthz"), 200)
        self.weather.change(True)

    def cycle(self, proxy, number, seconds):
        end = time.monotonic() + seconds
        time.sleep(seconds * (1 - 2 * NO_DESCRIPTORS))
        self.assertEqual([self.status(proxy, path) for path in ("/healthz", "/readyz")], [200, 200])
        if number == 2:  # it can't even be started again for now
            self.kill_keys(proxy, signer_of)
            self.take_descriptors(proxy, seconds * NO_DESCRIPTORS)
        else:
            self.take_descriptors(proxy, seconds * NO_DESCRIPTORS)
            self.kill_keys(proxy, guard_of if number % 2 else signer_of)
        self.wait_until_ready(proxy)
        time.sleep(max(0, end - time.monotonic()))

    # ---- clients that are there all the time ----

    def half_closed(self, proxy):
        client = self.client(proxy, "submission")
        client.line()
        self.assertEqual(client.ask(b"DATA"), b"354 go")
        client.send(b"Subject: x\r\n\r\na\r\n.\r\n")
        client.finish()
        return client

    def slow_reader(self, proxy):
        """Which has said all as well."""
        client = self.client(proxy, "pop3")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SIP)
        client.line()
        client.send(b"RETR 1\r\n")
        client.finish()
        client.taken = 0

        def sip():
            if client.taken + SIP < len(RETR_ANSWER):
                client.exactly(SIP)
                client.taken += SIP
        self.crew.start(SIPS_SECONDS, sip)
        return client

    # ---- what is found afterwards ----

    def assert_truthful(self, proxy, held):
        """What it tells by HTTP."""
        for name, count in held.items():
            self.wait_until(lambda name=name, count=count: self.value(proxy, "sessions", service=name) == count)
            self.assertGreaterEqual(self.value(proxy, "sessions_total", service=name), self.served[name] + count)
        self.assertEqual(self.value(proxy, "key_process_up"), 1)
        self.assertEqual(self.value(proxy, "workers"), 4)
        self.assertEqual([self.status(proxy, path) for path in ("/healthz", "/readyz")], [200, 200])

    def assert_reloads(self, proxy):
        self.write(extra="nonsense = 1;")
        proxy.process.send_signal(signal.SIGHUP)
        self.wait_until(lambda: self.value(proxy, "config_last_reload_successful") == 0)
        self.write("late")
        proxy.process.send_signal(signal.SIGHUP)
        self.wait_until(lambda: self.value(proxy, "config_last_reload_successful") == 1)
        visit_pop3(port_of(proxy.wait_line(event="listening", service="late")["address"]))

    def assert_log_is_whole(self, proxy, ended):
        """A line for each session that has ended, or one that says how many lines there are not; silent ones are counted."""
        def told():
            dropped = sum(int(line["count"]) for line in proxy.find(event="log-lines-dropped"))
            silent = sum(count for (name, _), count in self.scrape(proxy).items()
                         if name == "deepproxy_silent_connections_total")
            return len(proxy.find(event="session")) + dropped + silent
        self.wait_until(lambda: told() >= ended)
        self.assertLessEqual(len(proxy.find(event="accept-failed")), ACCEPT_FAILED_LINES)

    def assert_ends(self, proxy, canary):
        with self.takes(0, SHUTDOWN_SECONDS + harness.SOON):
            proxy.terminate()
            self.wait_until(lambda: self.status(proxy, "/readyz") == 503)
            self.assertEqual(canary.client.ask(b"c NOOP"), b"c OK NOOP done")
            self.assertTrue(canary.client.rest().startswith(b"* BYE"))
            proxy.wait()

    def test_everything_at_once(self):
        proxy = self.begin()
        canary = Canary(self.client(proxy, "imap"))
        for name in VISITS:
            self.crew.start(0.02, self.visit, proxy, name)
        self.crew.start(0.01, canary.ask)
        time.sleep(REST_SECONDS)
        self.assertEqual(self.crew.errors, [])
        at_rest, canary.worst = canary.worst, 0
        descriptors, memory = proxy.descriptors(), proxy.rss()
        late = [self.half_closed(proxy) for _ in range(HALF_CLOSED)]
        slow = [self.slow_reader(proxy) for _ in range(SLOW_READERS)]
        proxy.stall_log()
        self.crew.start(RELOAD_SECONDS, self.hang_up, proxy)
        self.crew.start(STORM_SECONDS, self.storm, proxy)
        for number in range(CYCLES):
            self.cycle(proxy, number, chaos_seconds() / CYCLES)
            self.assertEqual(self.crew.errors, [])
        self.owed.set()
        self.assertEqual([client.rest() for client in late], [b"250 2.0.0 queued\r\n"] * HALF_CLOSED)
        self.crew.end()
        self.assertEqual([client.taken + len(client.rest()) for client in slow], [len(RETR_ANSWER)] * SLOW_READERS)
        bound = CANARY_SECONDS + CANARY_FACTOR * at_rest
        self.assert_between(canary.worst, 0, bound)
        self.assert_between(self.worst_visit, 0, bound)
        self.assertGreaterEqual(min(self.served.values()), CYCLES, self.served)

        self.assert_truthful(proxy, {**dict.fromkeys(VISITS, 0), "imap": 1})
        ended = sum(self.value(proxy, "sessions_total", service=name) for name in VISITS) - 1
        proxy.reads_log.set()
        self.assert_reloads(proxy)
        for name, visit in VISITS.items():
            visit(proxy.port(name))
        self.assert_log_is_whole(proxy, ended)
        self.wait_until(lambda: proxy.descriptors() <= descriptors + DESCRIPTORS_MORE)
        if not harness.is_sanitized():
            self.assertLess(proxy.rss() - memory, MEMORY_MORE)
        self.assert_ends(proxy, canary)


if __name__ == "__main__":
    harness.main()
