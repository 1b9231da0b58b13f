# SPDX-License-Identifier: BSD-2-Clause
"""The key process is gone, hangs, or does not have its keys yet: what handshakes, probes and the program's end do then."""

import contextlib
import os
import random
import re
import signal
import ssl
import threading
import time

import admin_case
import harness
from private_keys import openssl
from processes import guard_of, signer_of

PING_SECONDS, ANSWER_SECONDS, GUARD_SECONDS = 2, 8, 10  # as the source has them
CLIENTS = 4


class Outage(admin_case.Admin):
    def run_proxy(self, extra=admin_case.ADMIN, certificates=None, timeouts=""):
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")},
                                     extra=extra, timeouts=timeouts)
        if certificates:
            text = re.sub(r"certificates = \(.*?\);", lambda _: f"certificates = ( {certificates} );", text, count=1)
        proxy = harness.Proxy(self.folder.write("outage.conf", text))
        self.addCleanup(proxy.stop)
        return proxy

    def many_certificates(self, count):
        """
        For n0000.example.com and on, all of one key, each in files of its own. Only the first has a signature that is
        right, which nobody looks at.
        """
        path = self.folder.path
        first = openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        path / "n.key", "-days", "30", "-subj", "/CN=n0000.example.com", "-addext",
                        "subjectAltName=DNS:n0000.example.com", "-outform", "DER")
        key = (path / "n.key").read_text()
        for number in range(count):
            (path / f"{number}.pem").write_text(ssl.DER_cert_to_PEM_cert(first.replace(b"n0000", b"n%04d" % number)))
            (path / f"{number}.key").write_text(key)
        return ", ".join(f'{{ chain = "{number}.pem"; key = "{number}.key"; }}' for number in range(count))

    def shake_hands(self, proxy, name="mail.example.com"):
        client = self.client(proxy, "pop3", name=name)
        self.assertEqual(client.line(), b"+OK ready")
        return client

    def begin(self, proxy):
        """A handshake that waits for its signature."""
        client = self.client(proxy, "pop3", shake_hands=False)
        with contextlib.suppress(ssl.SSLWantReadError):
            client.tls.do_handshake()
        client.flush()
        return client

    def probe(self, proxy, path):
        status, _, body = self.get(proxy, path, timeout=harness.SOON)
        return status, body.decode().rstrip("\n")

    # ---- no handshake fails ----

    def keep_shaking_hands(self, proxy, count, outage):
        """
        Clients ask for all names in turns while `outage` runs. Returns when each of their handshakes began and ended. One
        that fails is a failure.
        """
        spans, failures, done = [], [], threading.Event()

        def run(seed):
            numbers = random.Random(seed)
            while not done.is_set():
                begun = time.monotonic()
                try:
                    client = harness.Client(proxy.port("pop3"), name=f"n{numbers.randrange(count):04d}.example.com")
                    with contextlib.closing(client):
                        greeting = client.line()
                    if greeting != b"+OK ready":
                        raise AssertionError(greeting)
                except (OSError, AssertionError) as error:
                    failures.append((time.monotonic() - begun, repr(error)))
                spans.append((begun, time.monotonic()))

        threads = [threading.Thread(target=run, args=(seed,)) for seed in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            outage()
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        return spans

    def kill_signer(self, proxy, times):
        """Returns when the signer was killed, and when all of its keys were there again."""
        os.kill(signer_of(proxy), signal.SIGKILL)
        begun = time.monotonic()
        proxy.wait_lines(times, event="keys-restarted")
        return begun, time.monotonic()

    def assert_none_failed(self, proxy, spans, gaps):
        for begun, ended in gaps:
            self.assertTrue([span for span in spans if span[0] < ended and span[1] > begun], "nobody came meanwhile")
        longest = max(ended - begun for begun, ended in spans)
        print(f"{len(spans)} handshakes, the longest {longest:.3f} s, gaps "
              f"{', '.join(f'{ended - begun:.3f} s' for begun, ended in gaps)}")
        self.assertLess(longest, 2 * harness.SOON + 5 * harness.is_sanitized())  # and not its whole time
        self.assertEqual(proxy.find(event="key-lost"), [])

    def test_signer_that_is_killed_under_load(self):
        count = 200 if harness.is_sanitized() else 1000
        proxy = self.run_proxy(certificates=self.many_certificates(count))
        gaps = []
        spans = self.keep_shaking_hands(proxy, count, lambda: gaps.extend(self.kill_signer(proxy, times)
                                                                          for times in range(1, 4)))
        self.assert_none_failed(proxy, spans, gaps)

    def test_signer_that_is_killed_in_reloads(self):
        count = 100 if harness.is_sanitized() else 400
        certificates = self.many_certificates(count)
        proxy = self.run_proxy(certificates=certificates)
        gaps = []

        def outage():
            for times in range(1, 4):
                for number in range(count):  # so that each is loaded anew
                    os.utime(self.folder.path / f"{number}.pem", (times, times))
                proxy.process.send_signal(signal.SIGHUP)
                gaps.append(self.kill_signer(proxy, times))
                proxy.wait_lines(times, event="reload", of="configuration")

        spans = self.keep_shaking_hands(proxy, count, outage)
        self.assert_none_failed(proxy, spans, gaps)
        self.shake_hands(proxy, "n0000.example.com")

    # ---- what it says of itself ----

    def test_signer_that_is_killed_again_and_again(self):
        proxy = self.run_proxy()
        for times in range(5):
            os.kill(signer_of(proxy), signal.SIGKILL)
            proxy.wait_lines(times + 1, event="keys-ended")
            if times == 4:  # it is away for more than a second, and for longer if its guard is held up
                guard = guard_of(proxy)
                os.kill(guard, signal.SIGSTOP)
                self.assertEqual(self.probe(proxy, "/readyz"), (503, "nobody can sign: the key process does not run"))
                self.assertEqual(self.probe(proxy, "/healthz"), (200, "ok"))
                self.assertEqual(self.value(proxy, "key_process_up"), 0)
                os.kill(guard, signal.SIGCONT)
            line = proxy.wait_lines(times + 1, event="keys-restarted")[-1]
            self.assertGreaterEqual(int(line["ms"]), 100 << times)
            self.assertEqual(line["keys"], "1")
        self.wait_until(lambda: self.probe(proxy, "/readyz")[0] == 200)
        self.assertEqual(self.value(proxy, "key_process_restarts_total"), 5)
        self.shake_hands(proxy)

    def test_signer_that_hangs(self):
        proxy = self.run_proxy()
        client = self.shake_hands(proxy)
        # The question that it does not answer may have been asked a moment before.
        with self.takes(ANSWER_SECONDS - 1, PING_SECONDS + ANSWER_SECONDS + harness.SOON):
            harness.freeze(signer_of(proxy))
            waiting = self.begin(proxy)
            proxy.wait_line(event="keys-hang")
        proxy.wait_line(event="keys-restarted")
        self.assertIn("killed by signal 9", proxy.wait_line(event="keys-ended")["error"])
        waiting.shake_hands()
        self.assertEqual(waiting.line(), b"+OK ready")
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")

    def test_guard_that_is_killed(self):
        """The parent is held up: it is not ready at once, and some seconds later not healthy either, until it goes on."""
        proxy = self.run_proxy()
        client = self.shake_hands(proxy)
        guard = guard_of(proxy)
        harness.freeze(proxy.main_pid)
        self.addCleanup(os.kill, proxy.main_pid, signal.SIGCONT)
        with self.takes(GUARD_SECONDS, GUARD_SECONDS + harness.SOON):
            os.kill(guard, signal.SIGKILL)
            self.assertIn("guard", proxy.wait_line(event="keys-ended")["error"])
            self.assertEqual(self.probe(proxy, "/readyz"), (503, "nobody can sign: the key process does not run"))
            self.assertEqual(self.probe(proxy, "/healthz"), (200, "ok"))
            waiting = self.begin(proxy)
            self.assertEqual(waiting.refusal(), "closed")
        self.assertIn("restart deepproxy", proxy.wait_line(event="keys-gone")["error"])
        self.assertEqual(self.probe(proxy, "/healthz"), (503, "nobody can sign: the key process is gone for good"))
        with self.takes(0, harness.SOON):
            self.assertEqual(self.begin(proxy).refusal(), "closed")
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        os.kill(proxy.main_pid, signal.SIGCONT)
        proxy.wait_line(event="keys-restarted")
        for page in ("/readyz", "/healthz"):
            self.wait_until(lambda: self.probe(proxy, page)[0] == 200)  # pylint: disable=cell-var-from-loop
        self.shake_hands(proxy)

    def test_guard_that_is_killed_in_a_reload(self):
        """The reload ends, the certificates of before stay, and sessions go on."""
        proxy = self.run_proxy()
        client = self.shake_hands(proxy)
        harness.freeze(signer_of(proxy))
        os.utime(self.folder.path / "mail.pem", (1, 1))
        proxy.process.send_signal(signal.SIGHUP)
        os.kill(guard_of(proxy), signal.SIGKILL)
        proxy.wait_line(event="keys-ended")
        with self.takes(0, GUARD_SECONDS + harness.SOON):
            proxy.wait_line(event="reload", of="configuration")
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")

    # ---- the end ----

    def test_end_while_the_key_process_hangs(self):
        for frozen in [signer_of, guard_of]:
            with self.subTest(frozen.__name__):
                proxy = self.run_proxy()
                harness.freeze(frozen(proxy))
                self.begin(proxy)
                proxy.terminate()
                proxy.wait_line(event="shutdown")
                proxy.terminate()
                with self.takes(0, harness.SOON):
                    proxy.wait()

    def test_end_while_keys_are_loaded(self):
        count = 200
        proxy = self.run_proxy(certificates=self.many_certificates(count))
        os.kill(signer_of(proxy), signal.SIGKILL)
        self.wait_until(lambda: self.value(proxy, "key_process_loading") == 1 or proxy.find(event="keys-restarted"))
        proxy.terminate()
        with self.takes(0, harness.SOON):
            proxy.wait()


if __name__ == "__main__":
    harness.main()
