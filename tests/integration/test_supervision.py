# SPDX-License-Identifier: BSD-2-Clause
"""
The processes of the program: each that has died is started again, by one that has no part in what the network says. Until
then /readyz tells that nobody can be served, and /healthz that a worker hangs. What serves may do little else.
"""

import contextlib
import ctypes
import os
import resource
import signal
import time
import unittest

import admin_case
import harness
from processes import guard_of, signer_of, status_of

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000  # waitpid
USER = 'user = "nobody";'
NEEDS_ROOT = unittest.skipIf(os.geteuid() != 0, "needs root, whose privileges are given up")


def ptrace(request, task):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, task, None, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def stopped(task):
    """A thread that does nothing meanwhile, while the others of its process go on."""
    ptrace(PTRACE_SEIZE, task)
    try:
        ptrace(PTRACE_INTERRUPT, task)
        os.waitpid(task, WALL)
        yield
    finally:
        ptrace(PTRACE_DETACH, task)


class Supervision(admin_case.Admin):
    def begin(self, extra=USER, **options):
        self.folder.path.chmod(0o711)
        return self.start_pop3(extra=admin_case.ADMIN + extra, **options)

    def ready(self, proxy):
        return self.get(proxy, "/readyz")[0]

    def healthy(self, proxy):
        return self.get(proxy, "/healthz")[0]

    def assert_served(self, proxy):
        client = self.client(proxy, "pop3")
        self.assertEqual(client.line(), b"+OK ready")
        return client


class KeyProcess(Supervision):
    @NEEDS_ROOT
    def test_nobody_signs_until_the_guard_is_back(self):
        """Who would start it again is held up."""
        proxy = self.begin()
        held = self.assert_served(proxy)
        guard = guard_of(proxy)
        harness.freeze(proxy.main_pid)
        try:
            os.kill(guard, signal.SIGKILL)
            self.wait_until(lambda: self.ready(proxy) == 503)
            self.assertEqual(held.ask(b"STAT"), b"+OK 1 0")
            self.assertEqual(self.value(proxy, "key_process_up"), 0)
        finally:
            os.kill(proxy.main_pid, signal.SIGCONT)
        self.wait_until(lambda: self.ready(proxy) == 200)
        self.assert_served(proxy)
        self.assertEqual(held.ask(b"STAT"), b"+OK 2 0")
        self.assertEqual(self.value(proxy, "key_process_up"), 1)
        self.assertEqual(self.healthy(proxy), 200)

    @NEEDS_ROOT
    def test_the_guard_is_killed_again_and_again(self):
        proxy = self.begin()
        for number in range(1, 4):
            os.kill(guard_of(proxy), signal.SIGKILL)
            self.wait_until(lambda number=number: self.value(proxy, "key_process_restarts_total") >= number)
            self.wait_until(lambda: self.ready(proxy) == 200)
            self.assert_served(proxy)

    def test_nobody_signs_until_the_signer_is_back(self):
        proxy = self.begin(extra="")
        held = self.assert_served(proxy)
        guard, signer = guard_of(proxy), signer_of(proxy)
        harness.freeze(guard)
        try:
            os.kill(signer, signal.SIGKILL)
            self.wait_until(lambda: self.ready(proxy) == 503)
            self.assertEqual(held.ask(b"STAT"), b"+OK 1 0")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(guard, signal.SIGCONT)
        self.wait_until(lambda: self.ready(proxy) == 200)
        self.assert_served(proxy)


    def test_no_descriptors_for_a_new_one(self):
        """There is one as soon as there are."""
        proxy = self.begin(extra="")
        held = self.assert_served(proxy)
        soft, hard = resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)
        used = {int(name) for name in os.listdir(f"/proc/{proxy.pid}/fd")}
        os.kill(signer_of(proxy), signal.SIGKILL)
        resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (min(set(range(len(used) + 1)) - used), hard))
        time.sleep(1)
        self.assertEqual(held.ask(b"STAT"), b"+OK 1 0")
        resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (soft, hard))
        with self.takes(0, 2 * harness.SOON):
            self.wait_until(lambda: self.ready(proxy) == 200)
            self.wait_until(lambda: self.value(proxy, "key_process_restarts_total") > 0)
            self.wait_until(lambda: self.ready(proxy) == 200)
        self.assert_served(proxy)


class Serving(Supervision):
    def test_what_serves_is_not_what_was_started(self):
        proxy = self.begin(extra="")
        self.assertNotEqual(proxy.pid, proxy.main_pid)

    @NEEDS_ROOT
    def test_what_serves_is_started_again(self):
        """On the same addresses, by a process that is still root."""
        address = harness.free_address()
        self.folder.path.chmod(0o711)
        self.server = self.backend(harness.pop3)
        proxy = self.start({"pop3": ("pop3", [address], [self.server], "none")}, extra=USER)
        first = proxy.pid
        self.assertEqual(status_of(proxy.main_pid)["Uid"].split()[0], "0")
        os.kill(first, signal.SIGKILL)
        proxy.wait_lines(2, event="ready")
        self.assertNotIn(proxy.pid, (first, proxy.main_pid))
        host, port = address.split(":")
        with harness.Client(int(port), host=host) as client:
            self.assertEqual(client.line(), b"+OK ready")
        with self.takes(0, harness.SOON):
            proxy.terminate()
            proxy.wait()

    def test_none_is_left_when_the_first_is_killed(self):
        self.server = self.backend(harness.pop3)
        self.write()
        proxy = harness.Proxy(self.folder.path / "deepproxy.conf")
        self.addCleanup(proxy.kill)
        pids = [proxy.pid, guard_of(proxy), signer_of(proxy)]
        self.addCleanup(self.kill_all, pids)
        proxy.process.kill()
        self.wait_until(lambda: not any(self.lives(pid) for pid in pids))

    @staticmethod
    def lives(pid):
        with contextlib.suppress(OSError):
            return status_of(pid)["State"][0] not in "XZ"
        return False

    @staticmethod
    def kill_all(pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def test_a_worker_that_hangs(self):
        """Each thread in turn: those that serve are missed, and no longer than they hang."""
        proxy = self.begin(extra="workers = 2;")
        missed = 0
        for name in sorted(os.listdir(f"/proc/{proxy.pid}/task"), key=int)[1:]:
            try:
                with stopped(int(name)):
                    client = self.client(proxy, "pop3", shake_hands=False)
                    end = time.monotonic() + 3 * harness.SOON
                    while self.healthy(proxy) == 200 and time.monotonic() < end:
                        time.sleep(0.1)
                    missed += self.healthy(proxy) == 503
                    client.close()
            except PermissionError as error:
                self.skipTest(f"needs root: {error}")
            self.wait_until(lambda: self.healthy(proxy) == 200)
        self.assertEqual(missed, 2)


class Confinement(Supervision):
    def test_each_thread(self):
        """No new privileges, and a filter of system calls; one more for workers. What starts processes has none."""
        if harness.is_sanitized():
            self.skipTest("a sanitizer's memory needs calls that a filter does not let pass")
        proxy = self.begin(extra="workers = 2;")
        self.assert_served(proxy)
        tasks = [status_of(f"{proxy.pid}/task/{name}") for name in os.listdir(f"/proc/{proxy.pid}/task")]
        self.assertEqual({task["NoNewPrivs"] for task in tasks}, {"1"})
        self.assertEqual({task["Seccomp"] for task in tasks}, {"2"})
        filters = [int(task["Seccomp_filters"]) for task in tasks]
        self.assertEqual(filters.count(max(filters)), 2, filters)
        self.assertEqual(status_of(proxy.main_pid)["Seccomp"], "0")


if __name__ == "__main__":
    harness.main()
