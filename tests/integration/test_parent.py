# SPDX-License-Identifier: BSD-2-Clause
"""The process that `deepproxy run` is, which starts guard and proxy, and what happens if one of the three ends."""

import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.request

import harness
from proxy import serving_process
from processes import children, guard_of, guards_of, signer_of, status_of

STATUS_GAVE_UP = 3
RESTARTS = 7
PAUSES = [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 8.0]  # seconds
LONG_PAUSE = 6  # the number of one
IDLE_SECONDS = 1
DRAINING = "no new sessions; those there may finish"


def is_there(pid):
    """Zombies are not."""
    try:
        return status_of(pid)["State"][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree(proxy):
    guards = guards_of(proxy)
    return [proxy.main_pid, proxy.pid, *guards, *(signer for guard in guards for signer in children(guard))]


class Parent(harness.TestCase):
    """Each has a folder and a fixed address of its own: after a restart it is the same."""

    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)
        self.address = harness.free_address()
        self.host, _, self.port = self.address.rpartition(":")

    def write(self, server, extra="", timeouts=""):
        return self.folder.write("deepproxy.conf", harness.configuration(
            {"pop3": ("pop3", [self.address], [server], "none")},
            extra='admin = { listen = "127.0.0.1:0"; };' + extra, timeouts=timeouts))

    def run_proxy(self, program=None, **options):
        """What a test kills need not end well."""
        proxy = harness.Proxy(self.write(self.backend(harness.pop3), **options), program)
        self.addCleanup(self.remove, proxy, tree(proxy))
        return proxy

    def remove(self, proxy, pids):
        proxy.kill()
        self.assert_nothing_left(pids)

    def shake_hands(self, proxy):
        client = self.client(proxy, "pop3", host=self.host)
        self.assertEqual(client.line(), b"+OK ready")
        return client

    def is_ready(self, proxy):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin_port}/readyz", timeout=harness.PATIENCE):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def is_refused(self):
        try:
            socket.create_connection((self.host, self.port), harness.PATIENCE).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass  # the listener was closed with this connection in its queue: the next one tells
        return False

    def kill_serving(self, proxy):
        """Returns when the next one serves."""
        count = len(proxy.find(event="ready"))
        os.kill(proxy.pid, signal.SIGKILL)
        proxy.wait_lines(count + 1, event="ready")

    def assert_nothing_left(self, pids):
        self.wait_until(lambda: not any(is_there(pid) for pid in pids))


class Guard(Parent):
    def test_one_that_is_killed(self):
        """Also if root has started it, and the proxy could not start another."""
        root = os.geteuid() == 0
        if root:
            os.chmod(self.folder.path, 0o711)
            os.chmod(self.folder.path / "mail.key", 0o600)
        proxy = self.run_proxy(extra='user = "nobody"; key_user = "daemon";' if root else "")
        client = self.shake_hands(proxy)
        for count in (1, 2):
            guard, signer, serving = guard_of(proxy), signer_of(proxy), proxy.pid
            os.kill(guard, signal.SIGKILL)
            self.assertIn("guard has ended", proxy.wait_lines(count, event="keys-ended")[-1]["error"])
            line = proxy.wait_lines(count, event="guard-restarted")[-1]
            self.assertEqual((line["level"], line["cause"]), ("warning", "killed by signal 9"))
            proxy.wait_lines(count, event="keys-restarted")
            self.assertEqual(client.ask(b"STAT"), b"+OK %d 0" % count)
            self.shake_hands(proxy)
            self.wait_until(lambda: self.is_ready(proxy))
            self.assert_nothing_left([guard, signer])
            self.assertEqual(proxy.pid, serving)
        proxy.terminate()
        proxy.wait_line(event="shutdown")  # two signals that come at once may be one
        proxy.terminate()
        proxy.wait()

    def test_a_guard_that_hangs(self):
        """It does not read that it is to end: it is ended by force, before the proxy has given it up for good."""
        proxy = self.run_proxy()
        client = self.shake_hands(proxy)
        guard, signer = guard_of(proxy), signer_of(proxy)
        harness.freeze(guard)
        line = proxy.wait_line(event="guard-hung")
        self.assertEqual((line["level"], line["cause"]), ("error", "no sign of life for 15 seconds"))
        proxy.wait_line(event="guard-restarted")
        proxy.wait_line(event="keys-restarted")
        self.assertEqual(proxy.find(event="keys-gone"), [])
        self.shake_hands(proxy)
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        self.wait_until(lambda: self.is_ready(proxy))
        self.assert_nothing_left([guard, signer])

    def test_a_signer_that_is_killed_needs_no_other_guard(self):
        proxy = self.run_proxy()
        guard = guard_of(proxy)
        os.kill(signer_of(proxy), signal.SIGKILL)
        proxy.wait_line(event="keys-restarted")
        self.shake_hands(proxy)
        self.assertEqual(guard_of(proxy), guard)
        self.assertEqual(proxy.find(event="guard-restarted"), [])

    def copy_of_the_program(self):
        source = pathlib.Path(harness.PROGRAM)
        for name in (source.name, "deepproxy-keys"):
            shutil.copy(source.parent / name, self.folder.path / name)
        return self.folder.path / source.name

    def test_one_that_can_not_be_started_for_a_while(self):
        program = self.copy_of_the_program()
        keys, aside = program.parent / "deepproxy-keys", program.parent / "aside"
        proxy = self.run_proxy(program)
        keys.rename(aside)
        os.kill(guard_of(proxy), signal.SIGKILL)
        line = proxy.wait_line(event="guard-not-restarted")
        self.assertEqual(line["level"], "error")
        self.assertIn("there is no deepproxy-keys", line["cause"])
        aside.rename(keys)
        proxy.wait_line(event="keys-restarted")
        self.shake_hands(proxy)

    def test_one_that_can_not_be_started_any_more(self):
        """Sessions may finish, and then the supervisor sees it."""
        program = self.copy_of_the_program()
        proxy = self.run_proxy(program)
        client = self.shake_hands(proxy)
        (program.parent / "deepproxy-keys").unlink()
        os.kill(guard_of(proxy), signal.SIGKILL)
        self.assertIn("there is no deepproxy-keys", proxy.wait_line(event="guard-given-up")["cause"])
        self.assertEqual(len(proxy.find(event="guard-not-restarted")), RESTARTS)
        proxy.wait_line(event="shutdown", step=DRAINING)
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        client.send(b"QUIT\r\n")
        client.rest()
        client.close()
        self.assertEqual(proxy.process.wait(harness.PATIENCE), STATUS_GAVE_UP)


class Serving(Parent):
    def test_one_that_is_killed(self):
        proxy = self.run_proxy(timeouts="shutdown = 1;")
        for count in (1, 2):
            client = self.shake_hands(proxy)
            guard, signer = guard_of(proxy), signer_of(proxy)
            self.kill_serving(proxy)
            self.assertFalse(client.more())
            line = proxy.wait_lines(count, event="proxy-ended")[-1]
            self.assertEqual((line["level"], line["cause"]), ("error", "killed by signal 9"))
            self.assertEqual(float(line["pause"]), PAUSES[count - 1])
            self.shake_hands(proxy)
            self.assertTrue(self.is_ready(proxy))
            self.assert_nothing_left([guard, signer])
            self.assertEqual(proxy.reload(), "done")
        proxy.terminate()
        proxy.wait()

    def test_one_that_reads_a_changed_file_when_it_begins_again(self):
        proxy = self.run_proxy()
        self.assertEqual(len(guards_of(proxy)), 1)
        path = self.folder.path / "deepproxy.conf"
        path.write_text("key_isolation = false;" + path.read_text())
        self.kill_serving(proxy)
        self.shake_hands(proxy)
        self.wait_until(lambda: guards_of(proxy) == [])
        path.write_text(path.read_text().replace("key_isolation = false;", ""))
        self.kill_serving(proxy)
        self.shake_hands(proxy)
        self.assertEqual(len(guards_of(proxy)), 1)

    def test_one_that_is_killed_again_and_again(self):
        """After longer and longer pauses, which take no time of a processor, and not for ever."""
        proxy = self.run_proxy()
        spent = cpu_seconds(proxy.main_pid)
        last = 0
        for count in range(1, RESTARTS + 1):
            self.wait_until(lambda: proxy.pid not in (proxy.main_pid, last))  # pylint: disable=cell-var-from-loop
            last = proxy.pid
            os.kill(last, signal.SIGKILL)
            proxy.wait_lines(count, event="proxy-ended")
        self.wait_until(lambda: proxy.pid not in (proxy.main_pid, last))
        self.assertLess(cpu_seconds(proxy.main_pid) - spent, sum(PAUSES) / 4)
        os.kill(proxy.pid, signal.SIGKILL)
        self.assertEqual(proxy.process.wait(harness.PATIENCE), STATUS_GAVE_UP)
        self.assertEqual([float(line["pause"]) for line in proxy.find(event="proxy-ended")], PAUSES)
        self.assertEqual(proxy.wait_line(event="proxy-given-up")["cause"], "killed by signal 9")

    def test_a_new_one_that_can_not_begin(self):
        """Its file is in order again before it is given up."""
        proxy = self.run_proxy()
        path = self.folder.path / "deepproxy.conf"
        text = path.read_text()
        path.write_text("nonsense")
        os.kill(proxy.pid, signal.SIGKILL)
        self.assertEqual(proxy.wait_lines(2, event="proxy-ended")[1]["cause"], "exit status 1")
        path.write_text(text)
        proxy.wait_lines(2, event="ready")
        self.shake_hands(proxy)

    def test_a_log_that_nobody_reads(self):
        """Neither the restart nor the end waits for it for ever."""
        proxy = self.run_proxy()
        before = proxy.pid
        proxy.stall_log()
        os.kill(before, signal.SIGKILL)
        self.wait_until(lambda: proxy.pid not in (before, proxy.main_pid))
        proxy.terminate()
        self.wait_until(lambda: proxy.process.poll() is not None)
        self.assertEqual(proxy.process.returncode, 0)

    def test_sigterm_in_the_pause_before_a_restart(self):
        """Of some seconds, which a busy machine does not take for it."""
        proxy = self.run_proxy()
        for count in range(1, LONG_PAUSE + 1):
            os.kill(proxy.pid, signal.SIGKILL)
            line = proxy.wait_lines(count, event="proxy-ended")[-1]
            if count < LONG_PAUSE:
                proxy.wait_lines(count + 1, event="ready")
        self.assertEqual(float(line["pause"]), PAUSES[LONG_PAUSE - 1])
        with self.takes(0, PAUSES[LONG_PAUSE - 1] - 0.4):
            proxy.terminate()
            proxy.wait()
        self.assertEqual(len(proxy.find(event="ready")), LONG_PAUSE)


class Signals(Parent):
    def assert_one_end(self, proxy, client, send):
        """What all processes get is one signal, and another is the second."""
        send()
        proxy.wait_line(event="shutdown", step=DRAINING)
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        self.assertEqual(len(proxy.find(event="shutdown")), 1)
        send()
        proxy.wait_lines(2, event="shutdown")
        self.assertTrue(client.rest().startswith(b"-ERR"))
        proxy.wait()

    def test_sigint_for_the_group(self):
        """As a terminal sends it on Ctrl-C."""
        proxy = self.run_proxy()
        self.assert_one_end(proxy, self.shake_hands(proxy), lambda: os.killpg(proxy.main_pid, signal.SIGINT))

    def test_sigterm_for_each_process(self):
        """As systemd sends it to a control group."""
        proxy = self.run_proxy()

        def send():
            for pid in tree(proxy)[::-1]:
                os.kill(pid, signal.SIGTERM)
        self.assert_one_end(proxy, self.shake_hands(proxy), send)

    def test_at_a_terminal(self):
        """Ctrl-C, and a terminal that stops background processes which write to it."""
        path = self.write(self.backend(harness.pop3))
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv("/bin/sh", ["sh", "-c", 'stty tostop; exec "$@"', "sh", harness.PROGRAM, "run", "-c", str(path)])
        self.addCleanup(os.close, terminal)
        text = bytearray()

        def read_until(word):
            end = time.monotonic() + harness.PATIENCE
            while word not in text:
                self.assertTrue(select.select([terminal], [], [], max(0, end - time.monotonic()))[0], bytes(text))
                text.extend(os.read(terminal, 65536))
        try:
            read_until(b"event=ready")
            with harness.Client(int(self.port), host=self.host) as client:
                self.assertEqual(client.line(), b"+OK ready")
                os.write(terminal, b"\x03")
                read_until(b"event=shutdown")
                self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
                os.write(terminal, b"\x03")
                read_until(b"second signal")
                self.assertTrue(client.rest().startswith(b"-ERR"))
            read_until(b"event=session")
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            raise
        finally:
            status = os.waitpid(pid, 0)[1]
        self.assertEqual(os.waitstatus_to_exitcode(status), 0, bytes(text))

    def test_sigterm_in_the_middle_of_a_start(self):
        """In front of a file that does not come: of the settings, which the parent has read first, or of the proxy."""
        for order in ("settings", "proxy"):
            with self.subTest(order):
                path, second = self.folder.path / f"{order}.conf", self.folder.path / "slower.conf"
                os.mkfifo(path)
                os.mkfifo(second)
                process = subprocess.Popen([harness.PROGRAM, "run", "-c", path], stdin=subprocess.DEVNULL,
                                           stderr=subprocess.PIPE, text=True, env={**os.environ, **harness.SANITIZERS})
                self.addCleanup(process.kill)
                pipe = open(path, "w", encoding="ascii")  # there is a reader then
                os.replace(second, path)
                if order == "proxy":
                    pipe.write(self.write("127.0.0.1:1").read_text())
                    pipe.close()
                    pipe = open(path, "w", encoding="ascii")
                    self.assertNotEqual(serving_process(process.pid), process.pid)
                with pipe, self.takes(0, harness.SOON):
                    process.terminate()
                    _, text = process.communicate(timeout=harness.PATIENCE)
                self.assertEqual((process.returncode, text), (0, ""))


class End(Parent):
    def test_a_parent_that_is_killed(self):
        """The session may finish, nobody else is served, and nothing is left then."""
        proxy = self.run_proxy()
        client = self.shake_hands(proxy)
        pids = tree(proxy)
        serving = proxy.pid
        os.kill(proxy.main_pid, signal.SIGKILL)
        self.assertIn("parent has ended", proxy.wait_line(event="shutdown")["step"])
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        self.assert_nothing_left([pid for pid in pids if pid != serving])
        self.wait_until(self.is_refused)
        self.assertTrue(is_there(serving))
        client.send(b"QUIT\r\n")
        client.rest()
        client.close()
        self.assert_nothing_left(pids)

    def test_a_proxy_without_a_parent_still_has_a_second_signal(self):
        proxy = self.run_proxy()
        client = self.shake_hands(proxy)
        pids, serving = tree(proxy), proxy.pid
        os.kill(proxy.main_pid, signal.SIGKILL)
        proxy.wait_line(event="shutdown")
        os.kill(serving, signal.SIGTERM)
        self.assertTrue(client.rest().startswith(b"-ERR"))
        self.assert_nothing_left(pids)

    def expect_failure(self, extra, words):
        """At the first start: one message, as of `check`, and no second try."""
        path = self.write("127.0.0.1:1", extra=extra)
        done = harness.run_program("run", "-c", path)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr.count(words), 1, done.stderr)
        self.assertNotIn("time=", done.stderr)
        return done.stderr

    def test_mistakes_in_the_configuration(self):
        self.expect_failure("workers = -1;", "workers")
        self.expect_failure("what is this", "are missing")
        self.expect_failure('user = "nobody-of-that-name";', 'no user "nobody-of-that-name"') if os.geteuid() == 0 else None
        (self.folder.path / "mail.key").write_text("no key")
        path = self.write("127.0.0.1:1")
        run, check = (harness.run_program(word, "-c", path) for word in ("run", "check"))
        self.assertEqual((run.returncode, run.stderr), (1, check.stderr))

    def test_no_key_process(self):
        program = shutil.copy(harness.PROGRAM, self.folder.path / "deepproxy")
        done = subprocess.run([program, "run", "-c", self.write("127.0.0.1:1")], capture_output=True, text=True,
                              timeout=harness.PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no key process: there is no deepproxy-keys", done.stderr)

    def test_installed_elsewhere(self):
        """Each part is found from where the other is."""
        build, prefix = pathlib.Path(harness.PROGRAM).parent, self.folder.path / "else where"
        done = subprocess.run(["cmake", "--install", build, "--prefix", prefix], capture_output=True, text=True,
                              timeout=harness.PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        program = prefix / "sbin" / "deepproxy"
        proxy = self.run_proxy(program)
        guard, = guards_of(proxy)
        self.assertEqual(os.readlink(f"/proc/{guard}/exe"), str(prefix / "libexec/deepproxy/deepproxy-keys"))
        proxy.stop()
        (prefix / "libexec/deepproxy/deepproxy-keys").unlink()
        done = subprocess.run([program, "check", "-c", self.write("127.0.0.1:1")], capture_output=True, text=True,
                              timeout=harness.PATIENCE, check=False)
        self.assertIn("there is no deepproxy-keys for the private keys, beside this program, as ", done.stderr)

    def test_an_address_that_is_taken(self):
        self.run_proxy()
        self.expect_failure("", self.address)

    def test_nobody_else_starts_the_proxy(self):
        done = harness.run_program("serve", "-c", self.write("127.0.0.1:1"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("no such command: serve", done.stderr)

    def test_what_the_parent_is(self):
        """Small, of no use to whoever is the same user, without a copy of what the proxy holds, and asleep."""
        proxy = self.run_proxy()
        self.shake_hands(proxy)
        spent = cpu_seconds(proxy.main_pid)
        time.sleep(IDLE_SECONDS)
        self.assertLess(cpu_seconds(proxy.main_pid) - spent, IDLE_SECONDS / 4)
        names = [os.readlink(f"/proc/{proxy.main_pid}/fd/{fd}") for fd in os.listdir(f"/proc/{proxy.main_pid}/fd")]
        sockets = [name for name in names if name.startswith("socket:")]
        self.assertEqual(len(sockets), 2, names)  # to the proxy, and from the guard, which shows that it lives
        self.assertEqual(len(os.listdir(f"/proc/{proxy.main_pid}/task")), 1)
        if os.geteuid() == 0 and not harness.is_sanitized():
            text = pathlib.Path(f"/proc/{proxy.main_pid}/smaps_rollup").read_text()
            pss = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss_Anon:"))
            self.assertLess(pss, 1024)


@unittest.skipIf(os.geteuid() != 0, "needs root, who can make PID 1")
class Container(Parent):
    def test_as_pid_1(self):
        """It ends by signals that it handles, and waits for the end of what is given to it."""
        program = self.folder.path / "in-a-container"
        program.write_text(f'#!/bin/sh\nexec unshare --pid --fork --kill-child --mount-proc "{harness.PROGRAM}" "$@"\n')
        program.chmod(0o755)
        proxy = harness.Proxy(self.write(self.backend(harness.pop3)), program)
        self.addCleanup(proxy.kill)
        main = next(pid for pid in children(proxy.process.pid))
        self.assertEqual(status_of(main)["NSpid"].split()[-1], "1")
        self.shake_hands(proxy)
        end = self.folder.path / "end"
        os.mkfifo(end)
        command = ["nsenter", "-t", str(main), "-p", "sh", "-c", f'cat "{end}" >/dev/null & echo $!']
        done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
        self.wait_until(lambda: len(children(main)) == 3)
        orphan = max(children(main))
        self.assertEqual(status_of(orphan)["NSpid"].split()[-1], done.stdout.strip())
        end.write_text("")  # what it waits for
        self.wait_until(lambda: not pathlib.Path(f"/proc/{orphan}").exists())
        guard = next(pid for pid in children(main) if status_of(pid)["Name"] == "deepproxy-keys")
        os.kill(guard, signal.SIGKILL)
        proxy.wait_line(event="keys-restarted")
        self.wait_until(lambda: len(children(main)) == 2)
        self.shake_hands(proxy).finish()
        os.kill(main, signal.SIGTERM)
        proxy.wait_line(event="shutdown")
        os.kill(main, signal.SIGTERM)
        proxy.wait()


if __name__ == "__main__":
    harness.main()
