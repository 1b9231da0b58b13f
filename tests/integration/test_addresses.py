# SPDX-License-Identifier: BSD-2-Clause
"""Addresses that cover each other: no client is shut out by an address that the file has beside a wildcard."""

import socket

import harness

NOBODYS = "198.51.100.7"  # RFC 5737


def greets_as(name):
    return lambda connection: harness.pop3(connection, b"+OK " + name)


def free_port():
    """Of both families."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        return listener.getsockname()[1]


class Addresses(harness.TestCase):
    def setUp(self):
        if not harness.can_bind_ipv6():
            self.skipTest("this machine has no IPv6")
        self.port = free_port()
        self.all, self.one = (self.backend(greets_as(name)) for name in (b"all", b"one"))

    def services(self, of_all, of_one=()):
        services = {"all": ("pop3", of_all, [self.all], "none"), "one": ("pop3", of_one, [self.one], "none")}
        return {name: (protocol, [place % self.port for place in places], *rest)
                for name, (protocol, places, *rest) in services.items() if places}

    def assert_served(self, **expected):
        """By whom a client is greeted, by the address that it connects to."""
        for host, name in expected.items():
            with self.subTest(host):
                client = harness.Client(self.port, host=host)
                self.addCleanup(client.close)
                self.assertEqual(client.line(), b"+OK " + name)

    def reload(self, proxy, *services):
        self.folder.write("deepproxy.conf", harness.configuration(self.services(*services)))
        return proxy.reload()

    def test_one_address_beside_all(self):
        for of_all in ("*:%d", "[::]:%d"):
            for of_one in ("127.0.0.2:%d", "[::ffff:127.0.0.2]:%d"):
                with self.subTest(all=of_all, one=of_one):
                    proxy = self.start(self.services([of_all], [of_one]), extra="workers = 2;")
                    for _ in range(4):  # whichever worker is chosen
                        self.assert_served(**{"127.0.0.1": b"all", "127.0.0.2": b"one", "127.0.0.3": b"all", "::1": b"all"})
                    self.assertIn(f"warning: clients that connect to {of_one % self.port} get the service \"one\", and all others",
                                  proxy.text)
                    proxy.stop()

    def test_one_service_with_both(self):
        proxy = self.start(self.services(["127.0.0.2:%d", "*:%d"]))
        self.assert_served(**{"127.0.0.1": b"all", "127.0.0.2": b"all", "::1": b"all"})
        self.assertNotIn("warning", proxy.text)

    def test_all_of_ipv4_beside_all(self):
        proxy = self.start(self.services(["*:%d"], ["0.0.0.0:%d"]))
        self.assert_served(**{"127.0.0.1": b"one", "::1": b"all"})
        self.assertIn("by IPv4", proxy.text)
        # And back: what was for IPv6 alone has IPv4 again.
        self.assertIn("done", self.reload(proxy, ["*:%d"]))
        self.assert_served(**{"127.0.0.1": b"all", "::1": b"all"})

    def test_a_reload_that_adds_one(self):
        proxy = self.start(self.services(["*:%d"]))
        self.assert_served(**{"127.0.0.2": b"all"})
        self.assertIn("done", self.reload(proxy, ["*:%d"], ["127.0.0.2:%d"]))
        self.assert_served(**{"127.0.0.1": b"all", "127.0.0.2": b"one", "::1": b"all"})
        self.assertIn("done", self.reload(proxy, ["*:%d"]))
        self.assert_served(**{"127.0.0.2": b"all"})

    def test_a_second_program_gets_no_part(self):
        self.start(self.services(["*:%d"], ["127.0.0.2:%d"]))
        for place in ("*:%d", "127.0.0.2:%d", "127.0.0.9:%d"):
            path = self.folder.write("second.conf", harness.configuration(self.services([place])))
            done = harness.run_program("run", "-c", path)
            self.assertEqual(done.returncode, 1, place)
            self.assertIn("another program listens there", done.stderr)

    def test_the_admin_endpoint(self):
        for places in (f'"*:{self.port}", "127.0.0.2:{self.port}"', f'"127.0.0.2:{self.port}", "[::]:{self.port}"'):
            with self.subTest(places):
                proxy = self.start({"pop3": [self.all]}, extra=f"admin = {{ listen = [ {places} ]; }};")
                for host in ("127.0.0.1", "127.0.0.2", "::1"):
                    with socket.create_connection((host, self.port), harness.PATIENCE) as sock:
                        sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                        self.assertIn(b"200", sock.recv(4096))
                proxy.stop()

    def test_an_address_that_is_not_here(self):
        text = harness.configuration({"pop3": ("pop3", [f"{NOBODYS}:{self.port}"], [self.all], "none")})
        done = harness.run_program("run", "-c", self.folder.write("later.conf", text))
        self.assertEqual(done.returncode, 1)
        self.assertIn("set freebind = true", done.stderr)
        text = harness.configuration({"pop3": ("pop3", [f"{NOBODYS}:{self.port}", f"[2001:db8::7]:{self.port}"], [self.all],
                                               "none")}, keys="freebind = true;",
                                     extra=f'admin = {{ listen = "198.51.100.8:{self.port}"; freebind = true; }};')
        proxy = harness.Proxy(self.folder.write("later.conf", text))
        self.addCleanup(proxy.stop)
        self.assertEqual(proxy.addresses[0], ("pop3", f"{NOBODYS}:{self.port}"))


if __name__ == "__main__":
    harness.main()
