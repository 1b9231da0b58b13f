# SPDX-License-Identifier: BSD-2-Clause
"""The reader of the log takes its time, or has stopped: nothing in the program waits for it."""

import itertools
import resource
import signal
import time

import admin_case
import harness

HARMLESS = 50
# Their last lines are more than a megabyte: each has two names of 255 octets, of which each octet takes four in the log.
CROWD = 500
NAME = b"\x01" * 255
# A reader that sleeps after each so many lines is slower than what the program writes at its end; on a busy machine, too,
# by less than the program waits for it (LOG_END_MS).
READER_LINES = 50
READER_S = 0.1


class StalledReader(admin_case.Admin):
    def stall(self, proxy):
        self.addCleanup(proxy.reads_log.set)
        proxy.stall_log()
        self.talk(proxy)  # its line is the first that doesn't fit

    def talk(self, proxy):
        client = self.client(proxy, "pop3")
        client.line()
        client.send(b"QUIT\r\n")
        client.rest()
        return client.local[1]

    def ready(self, proxy):
        return self.get(proxy, "/readyz", timeout=harness.SOON)[0]

    def reload_without_log(self, proxy, successful):
        """No line tells of its end, but a metric does."""
        proxy.process.send_signal(signal.SIGHUP)
        self.wait_until(lambda: self.value(proxy, "config_last_reload_successful") == successful)

    def test_control_loop_goes_on(self):
        proxy = self.start_pop3()
        self.stall(proxy)
        self.assertEqual([self.get(proxy, path, timeout=harness.SOON)[0] for path in ("/healthz", "/readyz")], [200, 200])
        self.write(extra=admin_case.ADMIN + "nonsense = 1;")
        self.reload_without_log(proxy, 0)
        self.write()
        self.reload_without_log(proxy, 1)
        self.talk(proxy)
        proxy.reads_log.set()
        proxy.wait_line(event="reload", of="configuration", result="done")
        proxy.wait_lines(2, event="session")
        self.assertEqual(proxy.find(event="log-lines-dropped"), [])

    def test_two_signals_end_the_program(self):
        proxy = self.start_pop3()
        client = self.client(proxy, "pop3")
        client.line()
        self.stall(proxy)
        with self.takes(0, 2 * harness.SOON):
            proxy.terminate()
            self.wait_until(lambda: self.ready(proxy) == 503)
            proxy.terminate()
            self.assertTrue(client.rest().startswith(b"-ERR"))
            self.assertEqual(proxy.process.wait(harness.PATIENCE), 0)

    def test_further_signals_do_not_kill_it(self):
        """Those that come while the end waits for the reader, when threads of the pool have read files before."""
        proxy = self.start_pop3()
        self.reload(proxy)
        self.stall(proxy)
        proxy.terminate()

        def has_ended():
            proxy.process.send_signal(signal.SIGTERM)
            proxy.process.send_signal(signal.SIGHUP)
            return proxy.process.poll() is not None
        self.wait_until(has_ended)
        self.assertEqual(proxy.process.returncode, 0)

    def test_lines_wait_for_the_reader(self):
        proxy = self.start_pop3()
        self.stall(proxy)
        ports = [self.talk(proxy) for _ in range(HARMLESS)]
        proxy.reads_log.set()
        lines = proxy.wait_lines(1 + HARMLESS, event="session")
        logged = [int(line["client"].rsplit(":", 1)[1]) for line in lines]
        self.assertEqual(sorted(set(logged) & set(ports)), sorted(ports))
        self.assertEqual(proxy.find(event="log-lines-dropped"), [])


class SlowReader(harness.TestCase):
    def setUp(self):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)

    def test_goodbye_to_a_crowd(self):
        """What ends at once is in the log to the last session."""
        services = {"imap": ("imap", ["127.0.0.1:0"], [self.backend(harness.imap)], "none")}
        path = self.folder.write("crowd.conf", harness.configuration(services, "workers = 1;"))
        lines = itertools.count(1)
        proxy = harness.Proxy(path, on_line=lambda line, text: next(lines) % READER_LINES or time.sleep(READER_S))
        self.addCleanup(proxy.stop)
        clients = []
        for _ in range(CROWD):
            client = self.client(proxy, "imap")
            client.line()
            client.send(b'a ID ("name" {255+}\r\n%s "version" {255+}\r\n%s)\r\n' % (NAME, NAME))
            clients.append(client)
        for client in clients:
            while not client.line().startswith(b"a "):
                pass
        proxy.stop()
        self.assertEqual(proxy.find(event="log-lines-dropped"), [])
        self.assertEqual(len(proxy.find(event="session", reason="shutdown")), CROWD)
        self.assertGreater(len(proxy.text), 1024 * 1024)


if __name__ == "__main__":
    harness.main()
