# SPDX-License-Identifier: BSD-2-Clause
"""The admin endpoint: metrics and health by HTTP."""

import contextlib
import datetime
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import subprocess
import time
import unittest.mock
import urllib.error
import urllib.request

import harness
from harness import SOON, certificates
from admin_case import ADMIN, Admin
from processes import guard_of, signer_of

ADMIN_VISIT_SECONDS = 10
ADMIN_PAUSE_SECONDS = 1


def ends(path):
    """When a certificate does, in seconds since 1970."""
    text = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-enddate"], capture_output=True, text=True,
                          check=True).stdout
    return ssl.cert_time_to_seconds(text.strip().partition("=")[2])


def seconds_of(text):
    """A time of the log's, since 1970."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Metrics(Admin):
    def test_what_there_is_at_first(self):
        now = time.time()
        proxy = self.start_pop3(extra=ADMIN + "workers = 3;")
        samples = self.scrape(proxy)
        version = harness.run_program("version").stdout.split()[1]
        chain = self.folder.path / "mail.pem"
        self.assertEqual(samples["deepproxy_build_info", (("version", version),)], 1)
        for name, value in {"workers": 3, "certificates": 1, "certificates_expiring": 0, "certificates_expired": 0,
                            "config_last_reload_successful": 1, "certificates_last_reload_successful": 1,
                            "key_process_up": 1, "key_process_restarts_total": 0}.items():
            self.assertEqual(samples["deepproxy_" + name, ()], value, name)
        for name in ("config", "certificates"):
            self.assertAlmostEqual(samples[f"deepproxy_{name}_last_reload_success_timestamp_seconds", ()], now, delta=60)
        self.assertEqual(samples["deepproxy_certificate_not_after_timestamp_seconds",
                                 (("chain", str(chain)), ("name", "localhost"))], ends(chain))
        for name in ("sessions", "sessions_total", "handshakes_total", "silent_connections_total"):
            self.assertEqual(samples["deepproxy_" + name, (("service", "pop3"),)], 0, name)

    def test_sessions_and_handshakes(self):
        proxy = self.start_pop3()
        clients = [self.client(proxy, "pop3") for _ in range(3)]
        for client in clients:
            client.line()
        self.assertEqual(self.value(proxy, "sessions", service="pop3"), 3)
        self.assertEqual(self.value(proxy, "handshakes_total", service="pop3"), 3)
        clients[0].send(b"QUIT\r\n")
        clients[0].rest()
        with harness.connect(proxy.port("pop3")) as stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while stranger.recv(4096):
                pass
        self.wait_until(lambda: self.value(proxy, "sessions", service="pop3") == 2)
        self.assertEqual(self.value(proxy, "sessions_total", service="pop3"), 4)
        self.assertEqual(self.value(proxy, "handshakes_total", service="pop3"), 3)
        self.assertEqual(self.value(proxy, "handshakes_failed_total", service="pop3", reason="http"), 1)

    def test_counts_go_on_over_a_reload(self):
        proxy = self.start_pop3()
        self.client(proxy, "pop3").line()
        self.write()
        self.reload(proxy)
        self.client(proxy, "pop3").line()
        self.assertEqual(self.value(proxy, "sessions_total", service="pop3"), 2)
        self.assertEqual(self.value(proxy, "sessions", service="pop3"), 2)

    def test_overload(self):
        proxy = self.start_pop3(extra=ADMIN + "limits = { connections_per_address = 1; };")
        held = self.client(proxy, "pop3")
        held.line()
        for _ in range(3):
            with harness.connect(proxy.port("pop3")) as sock:
                self.assertEqual(sock.recv(1), b"")
        self.assertEqual(self.value(proxy, "overload_total", service="pop3", limit="limits.connections_per_address"), 3)
        self.assertEqual(self.value(proxy, "overload_total", service="pop3", limit="max_connections"), 0)
        # They got no further than that.
        self.assertEqual(self.value(proxy, "handshakes_failed_total", service="pop3", reason="closed"), 0)

    def test_reports(self):
        proxy = self.start({"imap": [self.backend(harness.imap)]}, extra=ADMIN)
        for latch in [b"tls11 tls12", b"tls12", b"made-up invented"]:
            client = self.client(proxy, "imap")
            client.line()
            client.send(b'a1 ID ("latch" "%s" "latch-fail" "tls-cert")\r\na2 LOGOUT\r\n' % latch)
            client.rest()
        proxy.wait_lines(3, event="session")
        samples = self.scrape(proxy)
        for tag, kind, count in [("tls11", "latch", 1), ("tls12", "latch", 2), ("other", "latch", 1),
                                 ("tls-cert", "latch_fail", 3), ("tls12", "security_tags", 0)]:
            labels = ("kind", kind), ("service", "imap"), ("tag", tag)
            self.assertEqual(samples["deepproxy_reports_total", labels], count, labels)
        self.assertEqual(samples["deepproxy_reporting_sessions_total", (("service", "imap"),)], 3)

    def test_the_key_process(self):
        proxy = self.start_pop3()
        signer = signer_of(proxy)
        for pid in (guard_of(proxy), signer):
            fds = pathlib.Path(f"/proc/{pid}/fd")
            inodes = {os.readlink(fd) for fd in fds.iterdir()}
            text = pathlib.Path("/proc/net/tcp").read_text()
            listening = next(line.split()[9] for line in text.splitlines()[1:]
                             if line.split()[1].endswith(":%04X" % proxy.admin_port) and line.split()[3] == "0A")
            self.assertNotIn(f"socket:[{listening}]", inodes)
        os.kill(signer, signal.SIGKILL)
        proxy.wait_line(event="keys-restarted")
        self.assertEqual(self.value(proxy, "key_process_restarts_total"), 1)
        self.assertEqual(self.value(proxy, "key_process_up"), 1)

    def test_keys_in_the_same_process(self):
        proxy = self.start_pop3(extra=ADMIN + "key_isolation = false;")
        self.assertNotIn(("deepproxy_key_process_up", ()), self.scrape(proxy))


class Certificates(Admin):
    def replace(self, proxy, days, result="done"):
        """A certificate of so many days takes the place of the first."""
        new = self.folder.path / f"new-{days}"
        new.mkdir()
        count = len(proxy.find(event="reload", of="certificates")) + 1
        with unittest.mock.patch.object(certificates, "DAYS", str(days)):
            certificates.make(new, names=("renewed.example.com", "mail.example.com"))
        for name in ("mail.key", "mail.pem"):
            os.replace(new / name, self.folder.path / name)
        self.assertEqual(proxy.wait_lines(count, event="reload", of="certificates")[-1]["result"], result)

    def test_a_renewed_one(self):
        proxy = self.start_pop3()
        chain = self.folder.path / "mail.pem"
        self.scrape(proxy)
        self.replace(proxy, 60)
        samples = self.scrape(proxy)
        of_certificates = {labels: value for (name, labels), value in samples.items()
                           if name == "deepproxy_certificate_not_after_timestamp_seconds"}
        self.assertEqual(of_certificates, {(("chain", str(chain)), ("name", "renewed.example.com")): ends(chain)})
        self.assertGreater(samples["deepproxy_certificates_last_reload_success_timestamp_seconds", ()],
                           samples["deepproxy_config_last_reload_success_timestamp_seconds", ()])

    def test_one_near_its_end(self):
        proxy = self.start_pop3()
        self.replace(proxy, 20)
        self.assertEqual(self.value(proxy, "certificates_expiring"), 1)
        self.replace(proxy, 22)
        self.assertEqual(self.value(proxy, "certificates_expiring"), 0)

    def test_one_that_can_not_be_used_any_more(self):
        proxy = self.start_pop3()
        good = (self.folder.path / "mail.pem").read_text()
        self.assertEqual(self.value(proxy, "certificates_stale"), 0)
        self.folder.write("mail.pem", "half a certificate")
        proxy.wait_line(event="configuration-problem")
        self.assertEqual(self.value(proxy, "certificates_stale"), 1)
        self.assertEqual(self.value(proxy, "certificates"), 1)
        self.folder.write("mail.pem", good)
        self.wait_until(lambda: self.value(proxy, "certificates_stale") == 0)

    def test_one_that_breaks_a_promise(self):
        """tls-cert, and what takes the certificate's place is of another authority."""
        os.link(self.folder.path / "ca.pem", self.folder.path / "trusted.pem")
        path = self.folder.path / "deepproxy.conf"
        self.server = self.backend(harness.pop3)
        self.write()
        path.write_text(path.read_text().replace('"tls12" ]', '"tls12", "tls-cert" ]; ca = "trusted.pem"'))
        proxy = harness.Proxy(path)
        self.addCleanup(proxy.stop)
        self.assertEqual(self.value(proxy, "certificates_last_reload_successful"), 1)
        good = ends(self.folder.path / "mail.pem")
        new = self.folder.path / "new"
        new.mkdir()
        certificates.make(new, names=("mail.example.com",))
        for name in ("mail.key", "mail.pem"):
            os.replace(new / name, self.folder.path / name)
        self.wait_until(lambda: self.value(proxy, "certificates_stale") == 1)
        self.assertIn(good, self.scrape(proxy).values())
        self.assertEqual(self.value(proxy, "config_last_reload_successful"), 1)

    def test_names_that_need_care(self):
        """What a file may be called, and what the format has no way to say."""
        folder = os.fsencode(self.folder.path / "odd")
        os.mkdir(folder)
        for name in (b'quote " backslash \\ line \n', b"latin-\xe9 utf-8-\xc3\xa9 surrogate-\xed\xa0\x80 bell-\x07"):
            for kind in (b".pem", b".key"):
                os.link(self.folder.path / ("mail" + kind.decode()), os.path.join(folder, name + kind))
        proxy = self.start_pop3(tls='certificate_dir = "odd";')
        chains = {dict(labels)["chain"] for name, labels in self.scrape(proxy)
                  if name == "deepproxy_certificate_not_after_timestamp_seconds"}
        here = self.folder.path
        self.assertEqual(chains, {f"{here}/mail.pem", f'{here}/odd/quote " backslash \\ line \n.pem',
                                  f"{here}/odd/latin-\\xE9 utf-8-\u00e9 surrogate-\\xED\\xA0\\x80 bell-\\x07.pem"})

    def test_the_list_and_a_folder_with_the_same_one(self):
        proxy = self.start_pop3(tls=f'certificate_dir = "{self.folder.path}";')
        self.assertEqual(self.value(proxy, "certificates"), 1)


class Reload(Admin):
    def test_its_outcome(self):
        proxy = self.start_pop3()
        self.write(extra=ADMIN + "wrokers = 3;")
        self.reload(proxy, "refused")
        samples = self.scrape(proxy)
        self.assertEqual(samples["deepproxy_config_last_reload_successful", ()], 0)
        since = samples["deepproxy_config_last_reload_success_timestamp_seconds", ()]
        self.write()
        self.reload(proxy)
        samples = self.scrape(proxy)
        self.assertEqual(samples["deepproxy_config_last_reload_successful", ()], 1)
        self.assertGreaterEqual(samples["deepproxy_config_last_reload_success_timestamp_seconds", ()], since)

    def test_an_address_that_stays_is_not_closed(self):
        proxy = self.start_pop3()
        port = proxy.admin_port
        half = self.connect(proxy, b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        self.write()
        self.reload(proxy)
        self.assertEqual(len(proxy.find(event="admin-listening")), 1)
        self.assertEqual(self.get(proxy, "/healthz", port=port)[0], 200)
        half.sendall(b"\r\n")
        self.assertIn(b"200 OK", half.recv(4096))

    def test_it_moves(self):
        proxy = self.start_pop3()
        before = proxy.admin_port
        descriptors = proxy.descriptors()
        half = self.connect(proxy, b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        self.write(extra='admin = { listen = [ "127.0.0.2:0", "127.0.0.1:0" ]; };')
        self.reload(proxy)
        addresses = [line["address"].rsplit(":", 1) for line in proxy.find(event="admin-listening")]
        self.assertEqual([host for host, _ in addresses], ["127.0.0.1", "127.0.0.2"])  # the second one was there
        self.assertEqual(self.get(proxy, "/healthz", port=before)[0], 200)
        self.write(extra='admin = { listen = [ "127.0.0.2:0" ]; };')
        self.reload(proxy)
        self.assertTrue(self.is_refused(before))
        request = urllib.request.urlopen(f"http://127.0.0.2:{addresses[1][1]}/healthz", timeout=harness.PATIENCE)
        with request as answer:
            self.assertEqual(answer.read(), b"ok\n")
        # A request that had begun has its answer.
        half.sendall(b"\r\n")
        self.assertIn(b"200 OK", half.recv(4096))
        half.close()
        self.write(extra="")
        self.reload(proxy)
        with socket.socket() as sock:
            self.assertNotEqual(sock.connect_ex(("127.0.0.2", int(addresses[1][1]))), 0)
        self.wait_until(lambda: proxy.descriptors() <= descriptors + 8)  # the pool's threads come once

    def test_it_comes_later(self):
        proxy = self.start_pop3(extra="")
        self.assertEqual(proxy.find(event="admin-listening"), [])
        self.write()
        self.reload(proxy)
        self.assertEqual(self.get(proxy, "/readyz")[0], 200)

    @staticmethod
    def is_refused(port):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) != 0

    def test_a_busy_port_refuses_all_of_it(self):
        proxy = self.start_pop3()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.write(extra=f'admin = {{ listen = [ "127.0.0.2:0", "{address}" ]; }};', timeouts='login = "1 s";')
            before = proxy.descriptors()
            self.reload(proxy, "refused")
            problem = proxy.wait_line(event="configuration-problem", level="error")
            self.assertEqual(problem["place"], f"{self.folder.path / 'deepproxy.conf'}:2")
            self.assertIn(f"can't listen on {address}: Address already in use; another program", problem["problem"])
            self.assertEqual(self.get(proxy, "/healthz")[0], 200)
            self.wait_until(lambda: proxy.descriptors() <= before + 2)
            # At the start too.
            result = harness.run_program("run", "-c", self.folder.path / "deepproxy.conf")
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, rf"deepproxy\.conf:2: error: can't listen on {re.escape(address)}: Address already")
            # What binds nothing is content.
            self.assertEqual(harness.run_program("check", "-c", self.folder.path / "deepproxy.conf").returncode, 0)

    def test_an_endpoint_open_to_all_is_warned_about(self):
        self.start_pop3()
        path = self.folder.path / "deepproxy.conf"
        path.write_text(path.read_text().replace(ADMIN, 'admin = { listen = "0.0.0.0:9993"; };'))
        self.assertRegex(harness.run_program("check", "-c", path).stderr,
                         r'deepproxy\.conf:2: warning: "admin" answers whoever reaches "0\.0\.0\.0:9993"')


class Http(Admin):
    def test_methods_and_paths(self):
        proxy = self.start_pop3()
        for path, body in [("/healthz", b"ok\n"), ("/readyz", b"ok\n"), ("/healthz?verbose", b"ok\n")]:
            self.assertEqual(self.get(proxy, path)[::2], (200, body))
        status, headers, body = self.get(proxy, "/metrics", method="HEAD")
        self.assertEqual((status, body), (200, b""))
        self.assertGreater(int(headers["Content-Length"]), 1000)
        for path in ("/", "/metrics/", "/metrics/x", "/Metrics", "//metrics", "/healthz/../metrics"):
            self.assertEqual(self.get(proxy, path)[0], 404, path)
        for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "get"):
            status, headers, _ = self.get(proxy, "/metrics", method=method)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"), method)
        self.assertEqual(self.get(proxy, "/metrics", method="POST", data=b"x" * 1000)[0], 405)
        self.assertEqual(self.get(proxy, "/elsewhere", method="POST", data=b"x")[0], 404)

    def send_all_and_end(self, proxy, octets):
        sock = self.connect(proxy)
        with contextlib.suppress(OSError):  # it may hang up at once: reset, or not connected any more
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
        return sock

    def test_what_is_no_http(self):
        proxy = self.start_pop3()
        proxy.catch_up()
        said = len(proxy.lines)
        wrong = (b"\0" * 4096, b"EHLO there\r\n", b"GET /metrics\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
                 b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4000, b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                 b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n")
        with self.takes(0, ADMIN_VISIT_SECONDS + SOON):
            for sock in [self.send_all_and_end(proxy, octets) for octets in wrong]:
                with contextlib.suppress(ConnectionError):
                    while sock.recv(65536):
                        pass
        self.assertEqual(self.get(proxy, "/healthz")[0], 200)
        # Nothing of it is worth a word: the next is what is asked for afterwards.
        proxy.catch_up()
        self.assertEqual({line["event"] for line in proxy.lines[said:]}, {"reports"})

    def test_a_body_is_not_waited_for(self):
        proxy = self.start_pop3()
        sock = self.connect(proxy, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        self.assertIn(b"405", sock.recv(4096))

    def test_a_connection_is_over_after_a_while(self):
        """Whether it is silent or sends a header field each second; for who does not read see Crowd."""
        proxy = self.start_pop3()
        began = time.monotonic()
        silent = self.connect(proxy)
        slow = self.connect(proxy, b"GET /metrics HTTP/1.1\r\n")
        limit = began + ADMIN_VISIT_SECONDS + SOON
        ended = None
        try:
            while time.monotonic() < limit:
                slow.sendall(b"X: y\r\n")
                if harness.can_read(slow, 1) and not slow.recv(4096):
                    break
        except ConnectionError:
            pass
        ended = time.monotonic()
        self.assertLess(ended, limit)
        self.assertGreater(ended - began, ADMIN_VISIT_SECONDS - 1)
        silent.settimeout(SOON)
        with contextlib.suppress(ConnectionError):
            self.assertEqual(silent.recv(1), b"")


class Descriptors(Admin):
    def test_none_is_left(self):
        """It says so and tries again after a second, not all the time; who waits is answered as soon as there is one."""
        proxy = self.start_pop3()
        pid = proxy.pid
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        free = next(number for number in range(soft) if number not in used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, hard))
        waiting = self.connect(proxy, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        line = proxy.wait_line(event="admin-accept-failed")
        self.assertEqual((line["level"], line["error"]), ("warning", "too many open files"))
        times = [seconds_of(line["time"]) for line in proxy.wait_lines(3, event="admin-accept-failed")]
        for before, after in zip(times, times[1:]):
            self.assert_between(after - before, ADMIN_PAUSE_SECONDS - 0.1, ADMIN_PAUSE_SECONDS + SOON)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        with self.takes(0, ADMIN_PAUSE_SECONDS + SOON):
            self.assertIn(b"200 OK", waiting.recv(4096))
        times = [seconds_of(line["time"]) for line in proxy.find(event="admin-accept-failed")]
        for before, after in zip(times, times[1:]):
            self.assertGreaterEqual(after - before, ADMIN_PAUSE_SECONDS - 0.1)


class Draining(Admin):
    def test_not_ready_while_new_clients_are_served(self):
        proxy = self.start_pop3(timeouts='grace = "1 h";')
        self.assertEqual(self.get(proxy, "/readyz")[0], 200)
        proxy.terminate()
        proxy.wait_line(event="shutdown")
        self.assertEqual(self.get(proxy, "/readyz")[::2], (503, b"no new sessions\n"))
        self.assertEqual(self.get(proxy, "/healthz")[0], 200)
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")
        self.assertEqual(self.value(proxy, "sessions", service="pop3"), 1)
        proxy.terminate()
        proxy.wait_lines(2, event="shutdown")

    def test_not_ready_but_healthy(self):
        proxy = self.start_pop3()
        client = self.client(proxy, "pop3")
        client.line()
        self.assertEqual(self.get(proxy, "/readyz")[0], 200)
        proxy.terminate()
        proxy.wait_line(event="shutdown")
        self.assertEqual(self.get(proxy, "/readyz")[::2], (503, b"no new sessions\n"))
        self.assertEqual(self.get(proxy, "/healthz")[0], 200)
        self.assertEqual(self.value(proxy, "sessions", service="pop3"), 1)
        idle = self.connect(proxy, b"GET /metrics HTTP/1.1\r\n")
        client.send(b"QUIT\r\n")
        client.rest()
        proxy.wait()
        with self.assertRaises(urllib.error.URLError) as refused:
            self.get(proxy, "/readyz")
        self.assertIsInstance(refused.exception.reason, ConnectionRefusedError)
        with contextlib.suppress(ConnectionResetError):  # of what it had said and nobody had read
            self.assertEqual(idle.recv(1), b"")


if __name__ == "__main__":
    harness.main()
