# SPDX-License-Identifier: BSD-2-Clause
"""
What old sessions keep of the configurations that they began with: what has not changed since is in memory once.
tests/bench/reloads.py has the figures of larger ones.
"""

import os
import pathlib
import re
import resource

import harness
from connections import Connection

RELOADS = 12
HOSTS = 1000
POOLS = 10
AUTHORITIES = 60
KB = 1024


def private_memory(proxy):
    """Octets that the process alone has."""
    text = pathlib.Path(f"/proc/{proxy.pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"Private_(?:Clean|Dirty):\s+(\d+) kB", text)) * KB


class ReloadMemory(harness.TestCase):
    def setUp(self):
        if harness.is_sanitized():
            self.skipTest("a sanitizer's memory is no measure")
        # Threads that read a configuration would each keep what they have freed of it, and take turns at random.
        before = os.environ.get("MALLOC_ARENA_MAX")
        os.environ["MALLOC_ARENA_MAX"] = "1"
        self.addCleanup(lambda: os.environ.pop("MALLOC_ARENA_MAX") if before is None
                        else os.environ.update(MALLOC_ARENA_MAX=before))

    def hosts(self, count=HOSTS):
        one = '{{ names = [ "mail.host-{0}.example", "pop.host-{0}.example" ]; backends = {{ pop3 = "pool-{1}"; }}; }}'
        return "hosts = ( " + ",\n".join(one.format(i, i % POOLS) for i in range(count)) + " );"

    def pools(self, ca):
        one = (' {{ name = "pool-{0}"; servers = ( {{ address = "127.0.0.1:{1}"; }} ); '
               'check = false; tls = {{ mode = "implicit"; ca = "{2}"; name = "localhost"; }}; }}')
        return ",\n".join(one.format(i, 20000 + i, ca) for i in range(POOLS))

    def write(self, ca, hosts=HOSTS):
        """A service whose clients begin in the clear: a session is there with its greeting, and needs no server."""
        services = {"pop3": ("pop3", ["127.0.0.1:0"], ["127.0.0.1:20000"], "none")}
        text = harness.configuration(services, extra="workers = 1;\n" + self.hosts(hosts), keys='tls = "starttls";',
                                     timeouts='login = "1 h"; handshake = "1 h";')
        text = text.replace("backends = (", f"backends = ( {self.pools(ca)}, ")
        return self.folder.write("large.conf", text)

    def start_with(self, ca):
        proxy = harness.Proxy(self.write(ca))
        self.addCleanup(proxy.stop)
        return proxy

    def begin_session(self, proxy):
        session = Connection(harness.connect(proxy.port("pop3")))
        self.addCleanup(session.socket.close)
        self.assertTrue(session.line().startswith(b"+OK"))
        return session

    def grow(self, ca):
        """Octets by which the process grows with each reload and the session that began before it."""
        proxy = self.start_with(ca)
        for _ in range(3):  # what is allocated once
            self.assertEqual(proxy.reload(), "done")
        begun = private_memory(proxy)
        sessions = []
        for _ in range(RELOADS):
            sessions.append(self.begin_session(proxy))
            self.assertEqual(proxy.reload(), "done")
        grown = (private_memory(proxy) - begun) / RELOADS
        for session in sessions:  # they live on
            session.send(b"NOOP\r\n")
            self.assertTrue(session.line().startswith(b"+OK"))
        return grown

    def test_hosts_and_pools(self):
        # Anew for each generation the hosts take 1,000 KB.
        self.assertLess(self.grow(self.folder.path / "ca.pem"), 300 * KB)

    def test_a_large_file_of_authorities(self):
        # Anew for each pool it takes 300 KB, and so 3,000 KB for all of them.
        bundle = self.folder.path / "bundle.pem"
        one = self.folder.path / "one"
        one.mkdir()
        for _ in range(AUTHORITIES):
            harness.certificates.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                                         "-days", "30", "-keyout", one / "key", "-out", one / "pem", "-subj",
                                         f"/CN=authority {os.urandom(8).hex()}")
            with bundle.open("ab") as file:
                file.write((one / "pem").read_bytes())
        self.assertLess(self.grow(bundle), 300 * KB)


    def test_without_memory_a_reload_is_refused(self):
        """What runs goes on, and the next reload is as good as ever."""
        proxy = self.start_with(self.folder.path / "ca.pem")
        self.assertEqual(proxy.reload(), "done")
        session = self.begin_session(proxy)
        before = resource.prlimit(proxy.pid, resource.RLIMIT_AS)
        size = int(re.search(r"VmSize:\s+(\d+) kB", pathlib.Path(f"/proc/{proxy.pid}/status").read_text())[1])
        self.write(self.folder.path / "ca.pem", 10 * HOSTS)
        resource.prlimit(proxy.pid, resource.RLIMIT_AS, ((size + 1024) * KB, before[1]))
        self.assertTrue(proxy.reload().startswith("refused"))
        self.assertIn("out of memory", proxy.wait_line(event="configuration-problem")["problem"])
        resource.prlimit(proxy.pid, resource.RLIMIT_AS, before)
        self.assertEqual(proxy.reload(), "done")
        for one in (session, self.begin_session(proxy)):
            one.send(b"NOOP\r\n")
            self.assertTrue(one.line().startswith(b"+OK"))


if __name__ == "__main__":
    harness.main()
