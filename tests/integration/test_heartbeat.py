# SPDX-License-Identifier: BSD-2-Clause
"""A worker that hangs is seen: in /healthz, in the metrics and in the log."""

import urllib.error
import urllib.request

import harness
import processes

HANGS_AFTER = 10


class Heartbeat(harness.TestCase):
    def ask(self, proxy, path):
        url = f"http://127.0.0.1:{proxy.admin_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=harness.PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def hung(self, proxy):
        return next(line for line in self.ask(proxy, "/metrics")[1].splitlines()
                    if line.startswith("deepproxy_workers_hung "))

    def test_a_worker_that_hangs(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]},
                           extra='workers = 3; admin = { listen = [ "127.0.0.1:0" ]; };')
        self.assertEqual(self.ask(proxy, "/healthz"), (200, "ok\n"))
        tid = next(tid for _, tid, name in processes.threads(proxy.pid) if name == "worker-1")
        with processes.stopped_thread(tid):
            with self.takes(HANGS_AFTER - 2, HANGS_AFTER + harness.SOON):
                proxy.wait_line(event="worker-hung", level="error", worker="1")
            self.assertEqual(self.ask(proxy, "/healthz"), (503, "no sign of life for 10 s: worker 1\n"))
            self.assertEqual(self.hung(proxy), "deepproxy_workers_hung 1")
        proxy.wait_line(event="worker-back", worker="1")
        self.assertEqual(self.ask(proxy, "/healthz"), (200, "ok\n"))
        self.assertEqual(self.hung(proxy), "deepproxy_workers_hung 0")
        self.assertEqual(len(proxy.find(event="worker-hung")), 1)


if __name__ == "__main__":
    harness.main()
