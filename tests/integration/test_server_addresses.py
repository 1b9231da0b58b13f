# SPDX-License-Identifier: BSD-2-Clause
"""How a session reaches its server: by a Unix socket, or from an address of the pool's choice."""

import os
import socket

import harness
import processes
from harness import Events

ONE_WORKER = "workers = 1;"  # each worker takes turns by itself


class UnixSockets(harness.TestCase):

    def path(self, name):
        """For a socket, which is no longer there after the test."""
        path = self.folder.path / name
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        return path

    def test_session(self):
        server = self.backend(harness.pop3, path=self.path("pop3"))
        proxy = self.start({"pop3": [server]})
        client = self.client(proxy, "pop3")
        self.assertEqual(client.line(), b"+OK ready")
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        self.assertEqual(client.ask(b"QUIT"), b"+OK bye")
        client.finish()
        line = proxy.session()
        self.assertEqual((line["backend"], line["server"], line["reason"]), (server.address, server.address, "logout"))

    def test_much_in_both_directions(self):
        """More than any buffer has."""
        message = b"".join(b"%07d\r\n" % number for number in range(1 << 20))
        server = self.backend(lambda connection: harness.pop3(connection, messages=[message]), path=self.path("pop3"))
        proxy = self.start({"pop3": [server]})
        client = self.client(proxy, "pop3")
        client.line()
        self.assertEqual(client.ask(b"RETR 0"), b"+OK")
        self.assertEqual(client.exactly(len(message)), message)
        self.assertEqual(client.line(), b".")
        client.send(b"NOOP\r\n" * 200000 + b"STAT\r\n")
        for _ in range(200000):
            self.assertEqual(client.line(), b"+OK NOOP")
        self.assertEqual(client.line(), b"+OK 200002 0")

    def test_proxy_header(self):
        """It has the addresses of the client's own connection, which are those that the server does not see."""
        heard = Events()

        def script(connection):
            heard.tell(connection.line())
            connection.send(b"+OK ready\r\n")
            connection.rest()
        server = self.backend(script, path=self.path("pop3"))
        proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0"], [server], "proxy-v1")})
        client = self.client(proxy, "pop3")
        client.line()
        port = client.socket.getsockname()[1]
        self.assertEqual(heard.wait(), b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d" % (port, proxy.port("pop3")))

    def test_proxy_header_v2(self):
        heard = Events()

        def script(connection):
            heard.tell(connection.exactly(28))
            connection.send(b"+OK ready\r\n")
            connection.rest()
        server = self.backend(script, path=self.path("pop3"))
        proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0"], [server], "proxy-v2")})
        client = self.client(proxy, "pop3")
        client.line()
        header = heard.wait()
        self.assertEqual(header[12:14], b"\x21\x11")  # PROXY, of TCP over IPv4
        self.assertEqual(header[16:24], socket.inet_aton("127.0.0.1") * 2)
        self.assertEqual(int.from_bytes(header[24:26]), client.socket.getsockname()[1])

    def test_missing(self):
        """Another server takes the session; and it serves as soon as it is there."""
        path = self.path("pop3")
        other = self.backend(harness.pop3)
        proxy = self.start({"pop3": [f"unix:{path}", other]}, extra=ONE_WORKER)
        for _ in range(2):
            self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")
        line = proxy.wait_line(event="backend-failed")
        self.assertEqual((line["backend"], line["error"]), (f"unix:{path}", "there is no such socket"))
        self.assertEqual(proxy.wait_line(event="server-state")["cause"], "connect-refused")
        server = self.backend(harness.pop3, path=path)
        self.wait_until(lambda: self.client(proxy, "pop3").line() == b"+OK ready" and server.count > 0)

    def test_nobody_listens(self):
        path = self.path("pop3")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
        proxy = self.start({"pop3": [f"unix:{path}"]})
        self.assertEqual(self.client(proxy, "pop3").line()[:4], b"-ERR")
        self.assertEqual(proxy.wait_line(event="backend-failed")["error"], "nobody listens at the socket")
        self.assertEqual(proxy.session()["reason"], "backend-unavailable")

    def test_too_many_wait(self):
        """The kernel lets nobody wait for a place in the queue of such a socket: the server is full."""
        path = self.path("pop3")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(0)
            waiting = []
            other = self.backend(harness.pop3)
            proxy = self.start({"pop3": [f"unix:{path}", other]}, extra=ONE_WORKER)
            while True:
                sock = socket.socket(socket.AF_UNIX)
                self.addCleanup(sock.close)
                sock.setblocking(False)
                try:
                    sock.connect(str(path))
                except BlockingIOError:
                    break
                waiting.append(sock)
            for _ in range(2):
                self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")
            line = proxy.wait_line(event="backend-failed")
            self.assertEqual((line["backend"], line["error"]), (f"unix:{path}", "too many connections wait at the socket"))

    def test_check_warns_of_a_closed_folder(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        self.folder.path.chmod(0o755)
        closed = self.folder.path / "closed"
        closed.mkdir(mode=0o700)
        self.addCleanup(closed.rmdir)
        server = self.backend(harness.pop3, path=closed / "pop3")
        self.addCleanup(lambda: (closed / "pop3").unlink())
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], [server], "none")}, extra='user = "nobody";')
        path = self.folder.write("closed.conf", text)
        done = harness.run_program("check", "-c", path)
        self.assertRegex(done.stdout + done.stderr,
                         rf'closed.conf:\d+: warning: user "nobody" can\'t connect to the server\'s socket {closed}/pop3: '
                         rf"no permission at {closed}; let that user pass through that folder \(setfacl -m u:nobody:x {closed}\)")
        closed.chmod(0o755)
        (closed / "pop3").chmod(0o755)
        done = harness.run_program("check", "-c", path)
        self.assertIn(f"no permission at {closed}/pop3; let that user write to it (setfacl -m u:nobody:rw {closed}/pop3)",
                      done.stdout + done.stderr)
        (closed / "pop3").chmod(0o777)
        done = harness.run_program("check", "-c", path)
        self.assertNotIn("connect to the server's socket", done.stdout + done.stderr)


class Sources(harness.TestCase):

    def peers(self, heard, proxy, count):
        """The addresses from which so many sessions, one after the other, come to the server."""
        peers = []
        for _ in range(count):
            self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")
            peers.append(heard.wait())
        return peers

    def telling(self):
        heard = Events()

        def script(connection):
            heard.tell(connection.socket.getpeername()[0])
            harness.pop3(connection)
        return heard, script

    def test_in_turn(self):
        heard, script = self.telling()
        proxy = self.start({"pop3": [self.backend(script)]}, extra=ONE_WORKER,
                           pool='source = [ "127.0.0.2", "fd00::5", "127.0.0.3" ];')
        self.assertEqual(set(self.peers(heard, proxy, 6)), {"127.0.0.2", "127.0.0.3"})

    def test_other_family(self):
        heard, script = self.telling()
        proxy = self.start({"pop3": [self.backend(script)]}, pool='source = [ "fd00::5" ];')
        self.assertEqual(self.peers(heard, proxy, 2), ["127.0.0.1"] * 2)

    def test_one_is_missing(self):
        """The machine's others serve."""
        heard, script = self.telling()
        proxy = self.start({"pop3": [self.backend(script)]}, extra=ONE_WORKER, pool='source = [ "192.0.2.77", "127.0.0.3" ];')
        self.assertEqual(self.peers(heard, proxy, 4), ["127.0.0.3"] * 4)

    def test_all_are_missing(self):
        """That is no server's fault: none is suspected, and the log says whose it is."""
        first, second = self.backend(harness.pop3), self.backend(harness.pop3)
        proxy = self.start({"pop3": [first, second]}, extra=ONE_WORKER, pool='source = [ "192.0.2.77" ];')
        self.assertEqual(self.client(proxy, "pop3").line()[:4], b"-ERR")
        words = 'this machine has none of the pool\'s "source" addresses'
        line = proxy.wait_line(event="local-failure")
        self.assertEqual((line["level"], line["error"]), ("warning", words))
        line = proxy.session()
        self.assertEqual((line["reason"], line["detail"]), ("no-resources", words))
        self.assertEqual(proxy.find(event="backend-failed") + proxy.find(event="server-state"), [])
        self.assertEqual((first.count, second.count), (0, 0))

    def test_each_server_has_all_ports(self):
        """A source takes no port before it connects."""
        try:
            self.addCleanup(processes.enter_own_network())
        except OSError as error:
            self.skipTest(f"this process may not have a network of its own: {error}")
        heard, script = self.telling()
        proxy = self.start({"pop3": [self.backend(script) for _ in range(3)]}, extra=ONE_WORKER,
                           pool='source = [ "127.0.0.2" ];')
        clients = [self.client(proxy, "pop3", shake_hands=False) for _ in range(6)]
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as ports:
            ports.write("61000 61001")
        for client in clients:
            client.shake_hands()
            self.assertEqual(client.line(), b"+OK ready")
            self.assertEqual(heard.wait(), "127.0.0.2")

    def test_check_warns(self):
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], ["127.0.0.1:1"], "none")},
                                     pool='source = [ "127.0.0.2",\n "192.0.2.77" ];')
        path = self.folder.write("sources.conf", text)
        line = next(number for number, words in enumerate(text.splitlines(), 1) if "192.0.2.77" in words)
        done = harness.run_program("check", "-c", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout + done.stderr, rf"sources.conf:{line}: warning: this machine has no address 192\.0\.2\.77")
        self.assertNotIn("127.0.0.2", done.stdout + done.stderr)


if __name__ == "__main__":
    harness.main()
