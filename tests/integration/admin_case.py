# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the admin endpoint share: a proxy that has one, and requests to it."""

import urllib.error
import urllib.request

import harness
import exposition  # of tests/lib, which the harness has found

ADMIN = 'admin = { listen = "127.0.0.1:0"; };'


class Admin(harness.TestCase):
    def setUp(self):
        """A folder of its own for each: they change it."""
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)

    def start_pop3(self, extra=ADMIN, **options):
        self.server = self.backend(harness.pop3)
        return self.start({"pop3": [self.server]}, extra=extra, **options)

    def write(self, extra=ADMIN, **options):
        services = {"pop3": ("pop3", ["127.0.0.1:0"], [self.server], "none")}
        self.folder.write("deepproxy.conf", harness.configuration(services, extra=extra, **options))

    def reload(self, proxy, result="done"):
        said = proxy.reload()
        self.assertTrue(said.startswith(result), said)

    def get(self, proxy, path, method="GET", port=None, timeout=harness.PATIENCE, data=None):
        """Status, header fields, body."""
        request = urllib.request.Request(f"http://127.0.0.1:{port or proxy.admin_port}{path}", method=method, data=data)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, answer.read()

    def scrape(self, proxy, **options):
        status, headers, body = self.get(proxy, "/metrics", **options)
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        return exposition.parse(body)

    def value(self, proxy, name, **labels):
        return self.scrape(proxy)["deepproxy_" + name, tuple(sorted(labels.items()))]

    def connect(self, proxy, data=b""):
        sock = harness.connect(proxy.admin_port)
        self.addCleanup(sock.close)
        sock.sendall(data)
        return sock
