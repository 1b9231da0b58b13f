# SPDX-License-Identifier: BSD-2-Clause
"""The key of a certificate that the proxy shows to its servers: in the key process, as those of its own are."""

import contextlib
import os
import pathlib
import signal
import ssl
import unittest
import unittest.mock
import urllib.request

import harness
import certificates
import client_certificates
from backend_tls_case import ONE_WORKER, Case
from client_certificates import Authority
from private_keys import openssl, secrets
from processes import finds, guard_of, signer_of

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Server:
    """A server's part of TLS, one step at a time."""

    def __init__(self, connection, context):
        self.connection, self.incoming, self.outgoing = connection, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def receive(self):
        if not self.connection.more():
            raise EOFError
        self.incoming.write(self.connection.held)
        self.connection.held = b""

    def flush(self):
        self.connection.send(self.outgoing.read())

    def ask_for_certificate(self):
        """Up to where it waits for the client's certificate."""
        while not self.outgoing.pending:
            self.receive()
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
        self.flush()

    def do(self, step):
        """A step of the handshake, or of what follows, with all that it awaits."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                self.receive()
            finally:
                self.flush()

    def serve(self):
        """The rest of the handshake, and a session in which each command is STAT."""
        self.do(self.tls.do_handshake)
        self.tls.write(b"+OK ready\r\n")
        with contextlib.suppress(EOFError, ssl.SSLZeroReturnError):
            while True:
                self.do(lambda: self.tls.read(1000))
                self.tls.write(b"+OK 1 0\r\n")


class PoolKeys(Case):
    """The key of a certificate that the proxy shows to its servers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.folder.path, "clients-authority")

    def certify(self):
        """A new certificate of the pool's, in place of the one before in one step."""
        identity = self.authority.certify("/CN=proxy.internal")
        folder = pathlib.Path(f"{identity.certificate}.d")
        folder.mkdir()
        identity.certificate.rename(folder / "mail.pem")
        identity.key.rename(folder / "mail.key")
        link = self.folder.path / "proxy-client-next"
        link.symlink_to(folder.name)
        link.rename(self.folder.path / "proxy-client")

    def start_with_certificate(self, first=None, version=None, servers=1, **options):
        """`first`: the script of the first connection to a server, given the context too, in place of one that serves."""
        self.certify()
        context = self.context(minimum=version, maximum=version) if version else self.context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.authority.certificate)
        shown, scripts = harness.Events(), [first] if first else []
        serve = harness.over_tls(harness.pop3, context, on_secured=lambda sock: shown.tell(sock.getpeercert(True)))

        def script(connection):
            if scripts:
                scripts.pop()(connection, context)
            else:
                serve(connection)
        pool = self.pool_tls(certificate='"proxy-client/mail.pem"', key='"proxy-client/mail.key"')
        proxy = self.start({"pop3": [self.backend(script) for _ in range(servers)]}, pool=pool,
                           **{"extra": ONE_WORKER, **options})
        return proxy, shown

    def start_frozen(self, patience=None, serves=False, **options):
        """
        One with a client whose session awaits a signature for the server's handshake, as the signer is frozen. `patience`:
        how long that server waits for it; `serves`: what it does then. Returns the proxy, the client, and the signer's
        process id.
        """
        asked = harness.Events()

        def ask_and_wait(connection, context):
            signer = signer_of(proxy)
            harness.freeze(signer)
            server = Server(connection, context)
            server.ask_for_certificate()
            asked.tell(signer)
            connection.socket.settimeout(patience or harness.PATIENCE)
            with contextlib.suppress(harness.Silence):
                server.serve() if serves else connection.rest()
        proxy, _ = self.start_with_certificate(ask_and_wait, **options)
        waiting = self.client(proxy, "pop3")
        signer = asked.wait()
        # The one worker has read what the server sent by the time that it has done with somebody who came later.
        with harness.connect(proxy.port("pop3")) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            harness.Connection(stranger).rest()
        return proxy, waiting, signer

    def leaf(self):
        return openssl("x509", "-in", self.folder.path / "proxy-client" / "mail.pem", "-outform", "DER")

    @unittest.skipIf(os.geteuid() != 0, "needs root, to read another process's memory")
    def test_no_key_in_memory(self):
        if harness.is_sanitized():
            self.skipTest("the shadow memory of a sanitizer has no end")
        for version in VERSIONS:
            proxy, shown = self.start_with_certificate(version=version)
            clients = [self.greeted(proxy, "pop3") for _ in range(3)]
            self.assertEqual(clients[0].ask(b"STAT"), b"+OK 1 0")
            self.assertEqual(shown.wait(), self.leaf())
            wanted = set(secrets(self.folder.path / "proxy-client" / "mail.key"))
            self.assertEqual(finds(proxy.pid, wanted), set())
            self.assertEqual(finds(guard_of(proxy), wanted), set())
            self.assertNotEqual(finds(signer_of(proxy), wanted), set())

    def test_signer_that_is_killed_while_it_is_awaited(self):
        """The next one signs. No server is to blame, and none is tried instead."""
        for version in VERSIONS:
            proxy, waiting, signer = self.start_frozen(version=version, servers=2, serves=True)
            os.kill(signer, signal.SIGKILL)
            proxy.wait_line(event="keys-restarted")
            self.assertEqual(waiting.line(), b"+OK ready")
            self.assertEqual(waiting.ask(b"STAT"), b"+OK 1 0")
            self.expect_served(proxy)

    def expect_no_signature(self, proxy, waiting):
        """The client is told that it may come again, and the log why. Returns the session's line."""
        self.assertTrue(waiting.rest().startswith(b"-ERR [SYS/TEMP]"))
        line = proxy.session(reason="backend-unavailable")
        self.assertEqual(line["detail"], "no signature was to be had from the key process")
        return line

    def expect_served(self, proxy):
        self.assertEqual(self.greeted(proxy, "pop3").ask(b"STAT"), b"+OK 1 0")
        self.assertEqual(proxy.find(event="backend-failed"), [])

    def test_signer_that_says_nothing(self):
        proxy, waiting, signer = self.start_frozen(timeouts='greeting = "3 s";')
        self.assert_lasted(self.expect_no_signature(proxy, waiting), 3)
        os.kill(signer, signal.SIGCONT)
        self.expect_served(proxy)

    def test_client_that_goes_while_a_signature_is_awaited(self):
        proxy, gone, signer = self.start_frozen()
        gone.finish()
        proxy.session(reason="client-closed")
        os.kill(signer, signal.SIGCONT)
        self.expect_served(proxy)

    def test_a_renewed_certificate(self):
        """It is taken up by itself; one that is broken is not, and the one before stays in use."""
        proxy, shown = self.start_with_certificate()
        long = self.greeted(proxy, "pop3")
        self.assertEqual(shown.wait(), self.leaf())
        self.certify()
        proxy.wait_line(event="reload", of="certificates", result="done")
        self.greeted(proxy, "pop3")
        second = self.leaf()
        self.assertEqual(shown.wait(), second)
        (self.folder.path / "proxy-client" / "mail.key").write_bytes((self.folder.path / "store" / "mail.key").read_bytes())
        self.assertIn("stays in use", proxy.wait_line(event="configuration-problem")["problem"])
        self.greeted(proxy, "pop3")
        self.assertEqual(shown.wait(), second)
        self.certify()
        proxy.wait_lines(2, event="reload", of="certificates", result="done")
        self.greeted(proxy, "pop3")
        self.assertEqual(shown.wait(), self.leaf())
        self.assertEqual(long.ask(b"STAT"), b"+OK 1 0")
        self.assertEqual(proxy.find(event="backend-failed"), [])

    def test_one_near_its_end(self):
        """It is warned of as those that clients are shown, and is a metric."""
        with unittest.mock.patch.object(client_certificates, "NEW_KEY", tuple(
                "10" if word == certificates.DAYS else word for word in client_certificates.NEW_KEY)):
            proxy, _ = self.start_with_certificate(extra='admin = { listen = "127.0.0.1:0"; };')
        line = proxy.wait_line(event="certificate-expires")
        self.assertTrue(line["certificate"].endswith("proxy-client/mail.pem"), line)
        self.assertIn(line["days"], ("9", "10"))  # 10 within the second in which it was made
        address = proxy.wait_line(event="admin-listening")["address"]
        with urllib.request.urlopen(f"http://{address}/metrics") as answer:
            text = answer.read().decode()
        self.assertIn("\ndeepproxy_certificates 2\n", text)
        self.assertIn("\ndeepproxy_certificates_expiring 1\n", text)
        self.assertIn("proxy-client/mail.pem", text)

    def test_a_key_that_could_not_be_loaded_again(self):
        """Away for the moment in which the signer is started again; once it is there it is taken up by itself."""
        proxy, shown = self.start_with_certificate()
        key = self.folder.path / "proxy-client" / "mail.key"
        aside = key.with_name("aside")
        key.rename(aside)
        self.addCleanup(lambda: aside.exists() and aside.rename(key))
        os.kill(signer_of(proxy), signal.SIGKILL)
        self.assertEqual(proxy.wait_line(event="key-lost")["key"], str(key))
        self.assertIn("stays in use", proxy.wait_line(event="configuration-problem")["problem"])
        waiting = self.client(proxy, "pop3")
        self.assertTrue(waiting.rest().startswith(b"-ERR [SYS/TEMP]"))
        aside.rename(key)
        proxy.wait_line(event="reload", of="certificates", result="done")
        self.greeted(proxy, "pop3")
        self.assertEqual(shown.wait(), self.leaf())
        self.assertEqual(proxy.find(event="reload", of="configuration"), [])

    def test_a_server_that_does_not_wait_for_a_late_signature(self):
        """It is not to blame either."""
        proxy, waiting, signer = self.start_frozen(patience=0.3, servers=2)
        self.expect_no_signature(proxy, waiting)
        os.kill(signer, signal.SIGCONT)
        self.expect_served(proxy)


if __name__ == "__main__":
    harness.main()
