# SPDX-License-Identifier: BSD-2-Clause
"""The admin endpoint and many clients at once, of which some do not read: nothing else suffers, and memory does not grow."""

import os
import socket
import threading
import time

import harness
import exposition  # of tests/lib, which the harness has found
from admin_case import Admin
from harness import SOON

ADMIN_CONNECTIONS_MAX = 32


class Crowd(Admin):
    def test_two_hundred_that_sit_there(self):
        """Sessions, scrapes and a reload go on, and memory does not grow."""
        proxy = self.start_pop3()
        self.scrape(proxy)
        descriptors = proxy.descriptors()
        crowd = [self.connect(proxy, b"GET /metrics HTTP/1.1\r\nX: " + b"y" * (i % 7000)) for i in range(200)]
        client = self.client(proxy, "pop3")
        client.line()
        for i in range(20):
            began = time.monotonic()
            self.scrape(proxy, timeout=SOON)
            self.assertLess(time.monotonic() - began, SOON)
            self.assertEqual(client.ask(b"STAT"), b"+OK %d 0" % (i + 1))
        self.write()
        self.reload(proxy)
        self.assertEqual(self.get(proxy, "/readyz", timeout=SOON)[0], 200)
        self.assertLessEqual(proxy.descriptors(), descriptors + ADMIN_CONNECTIONS_MAX + 12)
        for sock in crowd:
            sock.close()
        self.scrape(proxy)

    def make_many(self, count):
        """Chains in a folder, with names that are long: hard links to one, as names are what counts here."""
        many = self.folder.path / "many"
        many.mkdir()
        for i in range(count):
            folder = many / ("a-customer-with-a-rather-long-name-%05d.example.com" % i)
            folder.mkdir()
            os.link(self.folder.path / "mail.pem", folder / "fullchain.pem")
            os.link(self.folder.path / "mail.key", folder / "privkey.pem")

    def test_many_certificates_and_clients_that_do_not_read(self):
        count = 2000 if harness.is_sanitized() else 4000
        self.make_many(count)
        proxy = self.start_pop3(tls='certificate_dir = "many";')
        body = self.get(proxy, "/metrics")[2]
        self.assertEqual(exposition.parse(body)["deepproxy_certificates", ()], count + 1)
        memory, descriptors = proxy.rss(), proxy.descriptors()
        deaf = []
        for _ in range(3 * ADMIN_CONNECTIONS_MAX):
            sock = socket.socket()
            self.addCleanup(sock.close)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", proxy.admin_port))
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            deaf.append(sock)
        self.wait_until(lambda: harness.can_read(deaf[-1], 0))
        # They have their places, and neither the program nor the kernel keeps a text for each.
        self.assertGreaterEqual(proxy.descriptors(), descriptors + ADMIN_CONNECTIONS_MAX - 1)
        if not harness.is_sanitized():
            self.assertLess(proxy.rss() - memory, 2 * 1024 * 1024)
        self.assertEqual(self.get(proxy, "/metrics", timeout=SOON)[2].count(b"\n"), body.count(b"\n"))
        self.wait_until(lambda: proxy.descriptors() <= descriptors)

    def test_scrapes_from_many_at_once(self):
        proxy = self.start_pop3()
        errors, done = [], threading.Event()

        def work():
            try:
                while not done.is_set():
                    self.scrape(proxy)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            self.write()
            self.reload(proxy)
            self.client(proxy, "pop3").line()
        done.set()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])


if __name__ == "__main__":
    harness.main()
