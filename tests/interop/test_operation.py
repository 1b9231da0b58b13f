# SPDX-License-Identifier: BSD-2-Clause
"""Operation: backends that are down or mad, the end of the program, and what it says of what it can't start with."""

import contextlib
import pathlib
import socket
import threading
import time
import unittest

import common
import certificates
import proxy
from common import PASSWORD, USER, run

LOGIN = b"l LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode())


DEAD = "127.0.0.1:1"  # nobody listens there
AT_ONCE = 10  # seconds; the limits that a test does not set are 30


@contextlib.contextmanager
def babbler(octets):
    """A backend that says this to whoever comes, and hangs up; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with peer, contextlib.suppress(OSError):
                        peer.sendall(octets)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


class Backends(common.Case):
    def test_backend_down_is_said_by_the_protocol_over_tls(self):
        expected = {"imap": rb"^\* BYE .*UNAVAILABLE", "pop3": rb"^-ERR \[SYS/TEMP\]", "submission": rb"^421 4\.3\.2"}
        with self.start_proxy({name: [DEAD] for name in expected}) as own:
            for service, pattern in expected.items():
                with self.subTest(service=service):
                    with self.raw(service, "127.0.0.2", at=own) as client:
                        self.assertRegex(client.line(), pattern)
                        self.assertEqual(client.rest(), b"")
                    self.session_of("127.0.0.2", service, at=own, reason="backend-unavailable")

    def test_ipv6_client_before_ipv4_backends(self):
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        greetings = {"imap": b"* OK", "pop3": b"+OK", "submission": b"220 "}
        with self.start_proxy(self.addresses, listen={name: ["[::1]:0"] for name in greetings}) as own:
            for service, greeting in greetings.items():
                with self.raw(service, "::1", at=own) as client:
                    self.assertTrue(client.line().startswith(greeting), service)
            self.in_log(self.servers.postfix_log, "connect from unknown[::1]")

    def test_next_server_where_the_first_is_dead(self):
        servers = {"imap": [DEAD, self.addresses["imap"][0]]}
        with self.start_proxy(servers) as own:
            for _ in range(6):
                with self.imap(at=own) as client:
                    client.login(USER, PASSWORD)

    def test_round_robin(self):
        with babbler(b"* OK one\r\n") as one, babbler(b"* OK two\r\n") as two, self.start_proxy(
                {"imap": [one, two]}, identity="none", extra="workers = 1;\n") as own:
            heard = []
            for _ in range(6):
                with self.raw("imap", at=own) as client:
                    heard.append(client.line())
            self.assertIn(heard[:2], ([b"* OK one\r\n", b"* OK two\r\n"], [b"* OK two\r\n", b"* OK one\r\n"]))
            self.assertEqual(heard, heard[:2] * 3)

    def test_backends_that_talk_nonsense(self):
        for nonsense in (b"", b"\0\xff" * 40000, b"x" * 1000000, b"HTTP/1.1 400 Bad Request\r\n\r\n"):
            with babbler(nonsense) as address, self.start_proxy(
                    {"imap": [address], "pop3": [address], "submission": self.addresses["submission"]}) as own:
                for service, goodbye in (("imap", rb"^\* BYE \[UNAVAILABLE\] [^\r\n]+\r\n$"),
                                         ("pop3", rb"^-ERR \[SYS/TEMP\] [^\r\n]+\r\n$")):
                    with self.raw(service, at=own) as client:
                        self.assertRegex(client.rest(), goodbye)
                with self.smtp(at=own) as client:
                    client.login(USER, PASSWORD)


class Ending(common.Case):
    def open_session(self, at):
        client = self.raw("imap", at=at)
        client.line()
        client.ask(LOGIN, b"l OK")
        return client

    def assert_refuses(self, own):
        common.until("an end to accepting", lambda: not self.can_connect(own.ports["imap"]))

    @staticmethod
    def can_connect(port):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            return False
        except ConnectionResetError:
            pass  # the listener was closed with this connection in its queue: the next one tells
        return True

    def test_sigterm_lets_a_session_finish(self):
        own = self.start_proxy(self.addresses)
        client = self.open_session(own)
        own.terminate()
        self.assert_refuses(own)
        client.ask(b"a SELECT INBOX\r\n", b"a OK")
        client.ask(b"b LOGOUT\r\n", b"b OK")
        self.assertEqual(client.rest(), b"")
        client.close()
        own.wait(AT_ONCE)

    def test_sigterm_has_a_limit(self):
        own = self.start_proxy(self.addresses, extra="timeouts = { shutdown = 1; };\n")
        client = self.open_session(own)
        begun = time.monotonic()
        own.terminate()
        self.assertRegex(client.rest(), rb"^\* BYE ")
        self.assertGreaterEqual(time.monotonic() - begun, 1)
        client.close()
        own.wait(AT_ONCE)

    def test_second_sigterm_ends_at_once(self):
        own = self.start_proxy(self.addresses)
        client = self.open_session(own)
        own.terminate()
        self.assert_refuses(own)
        own.terminate()
        self.assertRegex(client.rest(), rb"^\* BYE ")
        client.close()
        own.wait(AT_ONCE)

    def test_idle_proxy_ends_at_once(self):
        own = self.start_proxy(self.addresses)
        own.terminate()
        own.wait(AT_ONCE)


class Refusals(common.Case):
    """What `run` and `check` say of what they can't work with."""

    with_servers = False

    def check(self, text, command="check"):
        path = self.folder / "refused.conf"
        path.write_text(text)
        status, out, error = run(proxy.default_program(), command, "-c", path)
        return status, out.decode() + error

    def good(self, **options):
        return proxy.configuration("Good", {"imap": ["127.0.0.1:143"]}, **options)

    def test_good_file(self):
        status, said = self.check(self.good())
        self.assertEqual(status, 0, said)

    def test_syntax_error_has_its_line(self):
        status, said = self.check('hostname = "a";\ntls = { certificates = ;\n')
        self.assertEqual(status, 1)
        self.assertRegex(said, r"refused\.conf:2: ")

    def test_misspelt_keys_are_all_named_with_the_nearest_known_one(self):
        text = self.good().replace("listen =", "lisen =").replace("identity", "identiy") + "hostnam = \"x\";\n"
        status, said = self.check(text)
        self.assertEqual(status, 1)
        for wrong, right in (("lisen", "listen"), ("identiy", "identity"), ("hostnam", "hostname")):
            self.assertRegex(said, rf"refused\.conf:\d+: .*{wrong}.*{right}")

    def test_missing_file(self):
        status, _, error = run(proxy.default_program(), "run", "-c", self.folder / "nowhere.conf")
        self.assertEqual(status, 1)
        self.assertRegex(error, r"nowhere\.conf.*No such file")

    def test_key_of_another_certificate(self):
        other = self.folder / "other"
        other.mkdir()
        certificates.make(other)
        text = self.good().replace('"mail.key"', '"other/mail.key"')
        for command in ("check", "run"):
            status, said = self.check(text, command)
            self.assertEqual(status, 1)
            self.assertRegex(said, r"refused\.conf:\d+: .*other/mail\.key does not belong")

    def test_missing_and_broken_key(self):
        (self.folder / "broken.key").write_text("no key\n")
        for name in ("nowhere.key", "broken.key"):
            status, said = self.check(self.good().replace('"mail.key"', f'"{name}"'), "run")
            self.assertEqual(status, 1)
            self.assertIn(name, said)

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            place = f"127.0.0.1:{taken.getsockname()[1]}"
            status, said = self.check(self.good(listen={"imap": [place]}), "run")
        self.assertEqual(status, 1)
        self.assertRegex(said, rf"{place}.*in use")

    def test_usage_and_version(self):
        self.assertEqual(run(proxy.default_program(), "nonsense")[0], 2)
        status, out, _ = run(proxy.default_program(), "version")
        self.assertEqual(status, 0)
        for name in (b"deepproxy", b"libuv", b"BoringSSL", b"libconfig", b"http-parser"):
            self.assertIn(name, out)

    def test_sample_configuration_is_accepted(self):
        """What is said of it is that the test's certificate can't keep one of its promises."""
        sample = pathlib.Path(__file__).resolve().parents[2] / "config" / "deepproxy.conf.sample"
        status, said = self.check(proxy.who_stays("") + sample.read_text())
        self.assertEqual(status, 0, said)
        first, *found = said.splitlines()
        self.assertEqual(first, f"{self.folder / 'refused.conf'}: no errors")
        self.assertIn("pool stores: round-robin, identity proxy-v2, in the clear to 10.0.0.11:143, 10.0.0.12:143", found)
        for warning in [line for line in found if ": warning: " in line]:
            self.assertRegex(warning, r'refused\.conf:\d+: warning: "tls-cert" is promised, and ')


if __name__ == "__main__":
    unittest.main(verbosity=2)
