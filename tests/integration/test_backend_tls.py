# SPDX-License-Identifier: BSD-2-Clause
"""TLS towards the backends: implicit and asked for, whom the proxy believes, and what it does when it does not."""

import contextlib
import functools
import hashlib
import itertools
import os
import random
import socket
import ssl
import threading
import unittest
import urllib.request
import warnings

import harness
import test_failover
from backend_tls_case import COMMANDS, DEBUG, ONE_WORKER, PROTOCOLS, Case
from harness import Events
from private_keys import openssl

SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
# So long a bad server is waited for: a good one, whose time is the same, needs no more of it on a busy machine.
SHORT = 'greeting = "3 s";'
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"


class Believed(Case):
    def test_each_protocol_and_mode(self):
        for mode in ("implicit", "starttls"):
            for protocol in PROTOCOLS:
                with self.subTest(mode=mode, protocol=protocol):
                    backend = self.tls_backend(harness.SCRIPTS[protocol], protocol if mode == "starttls" else None)
                    proxy = self.start({protocol: [backend]}, extra=DEBUG, pool=self.pool_tls(mode))
                    self.served(proxy, protocol)
                    self.assertEqual(proxy.session()["reason"], "logout")
                    self.assertEqual(proxy.find(event="backend-failed"), [])
                    self.assertEqual(proxy.wait_line(event="backend-tls")["tls"], "TLSv1.3")

    def test_nothing_said_in_the_clear_reaches_the_client(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                backend = self.tls_backend(harness.SCRIPTS[protocol], protocol)
                proxy = self.start({protocol: [backend]}, pool=self.pool_tls("starttls"))
                line = self.client(proxy, protocol).line()
                self.assertNotIn(b"clear", line)
                self.assertNotIn(b"<1.2@3>", line)
                self.assertNotIn(b"STARTTLS", line)
                self.assertIn(b"proxy.example.com", line)
                self.assertEqual(b"XSECURED" in line, protocol == "imap")

    def test_clients_with_starttls_before_servers_with_starttls(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol=protocol):
                backend = self.tls_backend(harness.SCRIPTS[protocol], protocol)
                proxy = self.start({protocol: [backend]}, pool=self.pool_tls("starttls"), keys='tls = "starttls";')
                client = self.client(proxy, protocol, before=harness.starttls(protocol))
                command, answer = COMMANDS[protocol]
                self.assertTrue(client.ask(command).startswith(answer))

    def test_versions(self):
        for version, name in [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]:
            backend = self.tls_backend(harness.pop3, context=self.context(minimum=version, maximum=version))
            proxy = self.start({"pop3": [backend]}, extra=DEBUG, pool=self.pool_tls())
            self.served(proxy, "pop3")
            self.assertEqual(proxy.wait_line(event="backend-tls")["tls"], name)

    def test_names_of_the_servers(self):
        """The name is sent and checked; an address is checked, and not sent."""
        asked = Events()
        context = self.context()
        context.sni_callback = lambda sock, name, _: asked.tell(name)
        for name, sent in [(None, None), ('"store.internal"', "store.internal"), ('"a.stores.internal"', "a.stores.internal")]:
            backend = self.tls_backend(harness.pop3, context=context)
            proxy = self.start({"pop3": [backend]}, pool=self.pool_tls(**({"name": name} if name else {})))
            self.served(proxy, "pop3")
            self.assertEqual(asked.wait(), sent)

    def test_alpn_is_offered_where_there_is_a_name(self):
        heard = Events()
        for protocol, chosen in [("imap", "imap"), ("pop3", "pop3"), ("submission", None)]:
            context = self.context()
            context.set_alpn_protocols([protocol])
            backend = self.tls_backend(harness.SCRIPTS[protocol], context=context,
                                       on_secured=lambda sock: heard.tell(sock.selected_alpn_protocol()))
            self.served(self.start({protocol: [backend]}, pool=self.pool_tls()), protocol)
            self.assertEqual(heard.wait(), chosen)

    def test_sessions_are_resumed(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for mode in ("implicit", "starttls"):
                with self.subTest(version=version, mode=mode):
                    heard = Events()
                    backend = self.tls_backend(harness.pop3, "pop3" if mode == "starttls" else None,
                                               self.context(minimum=version, maximum=version),
                                               on_secured=lambda sock: heard.tell(sock.session_reused))
                    proxy = self.start({"pop3": [backend]}, extra=DEBUG, pool=self.pool_tls(mode))
                    for _ in range(4):
                        self.served(proxy, "pop3")
                    self.assertEqual([heard.wait() for _ in range(4)], [False, True, True, True])
                    self.assertEqual([line["resumed"] for line in proxy.wait_lines(4, event="backend-tls")],
                                     ["no", "yes", "yes", "yes"])

    def test_a_session_of_one_server_is_not_offered_to_another(self):
        heard = Events()
        backends = [self.tls_backend(harness.pop3, on_secured=lambda sock: heard.tell(sock.session_reused))
                    for _ in range(2)]
        proxy = self.start({"pop3": backends}, extra=ONE_WORKER, pool=self.pool_tls())
        for _ in range(4):
            self.served(proxy, "pop3")
        self.assertEqual([heard.wait() for _ in range(4)], [False, False, True, True])

    def test_a_reload_reads_files_that_changed_and_forgets_their_sessions(self):
        """What was begun goes on; what begins then believes by the new file, and resumes nothing of the old one's."""
        heard = Events()
        authority = self.folder.path / "changing.pem"
        authority.write_bytes((self.folder.path / "store" / "ca.pem").read_bytes())
        backend = self.tls_backend(harness.pop3, on_secured=lambda sock: heard.tell(sock.session_reused))
        proxy = self.start({"pop3": [backend]}, extra=ONE_WORKER, pool=self.pool_tls(ca="changing.pem"))
        long = self.greeted(proxy, "pop3")
        self.served(proxy, "pop3")
        self.assertEqual(proxy.reload(), "done")
        self.served(proxy, "pop3")
        self.assertEqual([heard.wait() for _ in range(3)], [False, True, True])
        authority.write_bytes((self.folder.path / "store" / "ca.pem").read_bytes())
        self.assertEqual(proxy.reload(), "done")
        self.served(proxy, "pop3")
        self.served(proxy, "pop3")
        self.assertEqual([heard.wait() for _ in range(2)], [False, True])
        authority.write_bytes((self.folder.path / "elsewhere" / "ca.pem").read_bytes())
        self.assertEqual(proxy.reload(), "done")
        self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR [SYS/TEMP]"))
        authority.write_bytes(b"nothing")
        self.assertEqual(proxy.reload(), "done")
        self.assertIn("stays in use", proxy.find(event="configuration-problem")[-1]["problem"])
        self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR [SYS/TEMP]"))
        self.assertEqual(long.ask(b"STAT")[:3], b"+OK")

    def test_other_authorities_are_taken_up_by_themselves(self):
        """And the file that has none is not: those before stay in use."""
        authority = self.folder.path / "renewed.pem"

        def write(text):
            (self.folder.path / "next.pem").write_bytes(text)
            (self.folder.path / "next.pem").rename(authority)
        store, elsewhere = ((self.folder.path / name / "ca.pem").read_bytes() for name in ("store", "elsewhere"))
        write(elsewhere)
        proxy = self.start({"pop3": [self.tls_backend(harness.pop3)]}, pool=self.pool_tls(ca="renewed.pem"))
        self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR [SYS/TEMP]"))
        write(store)
        proxy.wait_line(event="reload", of="certificates", result="done")
        self.served(proxy, "pop3")
        write(b"nothing")
        self.assertIn("stays in use", proxy.wait_line(event="configuration-problem")["problem"])
        self.served(proxy, "pop3")

    def test_half_of_it_is_refused(self):
        """A pool's file is taken up beside a certificate that can't be, as it is the only one and none was there before."""
        store, elsewhere = ((self.folder.path / name / "ca.pem").read_bytes() for name in ("store", "elsewhere"))
        for name, text in (("pool.pem", elsewhere), ("promise.pem", (self.folder.path / "ca.pem").read_bytes())):
            (self.folder.path / name).write_bytes(text)
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], [self.tls_backend(harness.pop3)], "none")},
                                     pool=self.pool_tls(ca="pool.pem"), extra='admin = { listen = "127.0.0.1:0"; };',
                                     tls='certificate_dir = "more";')
        text = text.replace('tags = [ "tls11", "tls12" ];', 'tags = [ "tls-cert" ]; ca = "promise.pem";')
        (self.folder.path / "more").mkdir()
        proxy = harness.Proxy(self.folder.write("half.conf", text))
        self.addCleanup(proxy.stop)
        (self.folder.path / "more").rmdir()
        (self.folder.path / "pool.pem").write_bytes(store)
        line = proxy.wait_line(event="reload", of="certificates")
        self.assertTrue(line["result"].startswith("done in part"), line)
        self.served(proxy, "pop3")
        address = proxy.wait_line(event="admin-listening")["address"]
        with urllib.request.urlopen(f"http://{address}/metrics") as answer:
            self.assertIn(b"\ndeepproxy_certificates_last_reload_successful 0\n", answer.read())

    def test_a_client_certificate(self):
        versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        for mode, version, isolated in itertools.product(("implicit", "starttls"), versions, ("true", "false")):
            with self.subTest(mode=mode, version=version, isolated=isolated):
                heard = Events()
                context = self.context(minimum=version, maximum=version, clients=self.folder.path / "proxy" / "ca.pem")
                context.verify_flags &= ~ssl.VERIFY_X509_STRICT
                backend = self.tls_backend(harness.imap, "imap" if mode == "starttls" else None, context,
                                           on_secured=lambda sock: heard.tell(sock.getpeercert()))
                proxy = self.start({"imap": [backend]}, pool=self.pool_tls(
                    mode, certificate='"proxy-client/mail.pem"', key='"proxy-client/mail.key"'),
                    extra=f"key_isolation = {isolated};")
                self.served(proxy, "imap")
                self.assertEqual(heard.wait()["subjectAltName"], (("DNS", "proxy.internal"),))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.folder.path / "proxy-client"
        client.mkdir()
        harness.certificates.make(client, ("proxy.internal",), (), usage="clientAuth")
        (cls.folder.path / "proxy" / "ca.pem").write_bytes((client / "ca.pem").read_bytes())

    def test_unverified(self):
        """A certificate of nobody's, for another name."""
        backend = self.tls_backend(harness.pop3, context=self.context("elsewhere"))
        proxy = self.start({"pop3": [backend]}, pool=self.pool_tls(verify="false"))
        self.served(proxy, "pop3")
        checked = harness.run_program("check", "-c", proxy.path)
        self.assertEqual(checked.returncode, 0)
        self.assertIn("warning: verify = false: an attacker between the proxy and the servers of the pool",
                      checked.stderr)

    def test_the_header_goes_before_tls(self):
        for mode in ("implicit", "starttls"):
            for identity, ending in [("proxy-v2", None), ("proxy-v1", b"\r\n")]:
                with self.subTest(mode=mode, identity=identity):
                    headers = Events()

                    def script(connection, identity=identity, mode=mode, headers=headers):
                        if identity == "proxy-v2":
                            head = connection.exactly(16)
                            assert head[:12] == PROXY_V2, head
                            connection.exactly(int.from_bytes(head[14:16], "big"))
                        else:
                            assert connection.line().startswith(b"PROXY TCP4 127.0.0.1 ")
                        # What came behind it in the same segment is the handshake's.
                        headers.tell(connection.held[:1])
                        self.speak_tls(connection, "pop3" if mode == "starttls" else None)
                    proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(script)], identity)},
                                       pool=self.pool_tls(mode))
                    self.served(proxy, "pop3")
                    self.assertIn(headers.wait(), (b"", b"\x16"))

    def speak_tls(self, connection, protocol):
        """As over_tls, where octets of the handshake may have been read already: by memory, not by the socket."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context().wrap_bio(incoming, outgoing, server_side=True)
        if protocol:
            harness.speak_before_tls(connection, protocol)
        incoming.write(connection.held)

        def do(what):
            while True:
                with contextlib.suppress(ssl.SSLWantReadError):
                    result = what()
                    connection.send(outgoing.read())
                    return result
                connection.send(outgoing.read())
                data = connection.socket.recv(65536)
                incoming.write(data) if data else incoming.write_eof()
        do(tls.do_handshake)
        if protocol:
            self.assertEqual(do(lambda: tls.read(100)), b"CAPA\r\n")
            do(lambda: tls.write(b"-ERR none\r\n"))
        else:
            do(lambda: tls.write(b"+OK ready\r\n"))
        self.assertEqual(do(lambda: tls.read(100)), b"STAT\r\n")
        do(lambda: tls.write(b"+OK 0 0\r\n"))
        self.assertEqual(do(lambda: tls.read(100)), b"QUIT\r\n")
        do(lambda: tls.write(b"+OK bye\r\n"))


class NotBelieved(Case):
    """A server that is no good is passed over for the next; the client is none the wiser."""

    def takes_over(self, bad, error, pool, protocol="pop3", good=None, timeouts=""):
        good = good or self.tls_backend(harness.SCRIPTS[protocol])
        proxy = self.start({protocol: [bad, good]}, extra=ONE_WORKER, pool=pool, timeouts=timeouts)
        self.served(proxy, protocol)
        line = proxy.wait_line(event="backend-failed")
        self.assertEqual(line["backend"], getattr(bad, "address", bad))
        self.assertIn(error, line["error"])
        self.assertEqual(proxy.session()["reason"], "logout")
        return line

    def test_unknown_issuer(self):
        line = self.takes_over(self.tls_backend(harness.pop3, context=self.context("elsewhere")),
                               "issuer unknown: the server's certificate was issued by /CN=deepproxy test authority, which is "
                               "not in ", self.pool_tls())
        self.assertIn("store/ca.pem", line["error"])

    @unittest.skipUnless(os.access(SYSTEM_AUTHORITIES, os.R_OK), "the system has no authorities")
    def test_the_systems_authorities(self):
        backend = self.tls_backend(harness.pop3)
        proxy = self.start({"pop3": [backend]}, pool='tls = { mode = "implicit"; };')
        self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR [SYS/TEMP]"))
        self.assertIn(f"which is not in {SYSTEM_AUTHORITIES}", proxy.wait_line(event="backend-failed")["error"])

    def test_wrong_address(self):
        """Servers at 127.0.0.1, whose certificates are for 127.0.0.2 and for 127.0.0.1, both of authorities that are known."""
        both = self.folder.path / "both.pem"
        both.write_bytes(b"".join((self.folder.path / name / "ca.pem").read_bytes() for name in ("store", "elsewhere")))
        self.takes_over(self.tls_backend(harness.pop3, context=self.context("elsewhere")),
                        "the server's certificate is for elsewhere.internal, 127.0.0.2, not for 127.0.0.1",
                        self.pool_tls(ca="both.pem"))

    def test_wrong_name(self):
        both = self.folder.path / "both.pem"
        both.write_bytes(b"".join((self.folder.path / name / "ca.pem").read_bytes() for name in ("store", "elsewhere")))
        self.takes_over(self.tls_backend(harness.pop3, context=self.context("elsewhere")),
                        "the server's certificate is for elsewhere.internal, 127.0.0.2, not for store.internal",
                        self.pool_tls(ca="both.pem", name='"store.internal"'))

    def test_no_tls_at_all(self):
        self.takes_over(self.backend(harness.pop3), "the server does not speak TLS on this port, or expects STARTTLS first",
                        self.pool_tls())

    def test_old_tls(self):
        modern = self.tls_backend(harness.pop3, context=self.context(minimum=ssl.TLSVersion.TLSv1_3))
        old = self.context(minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.TLSv1_2)
        self.takes_over(self.tls_backend(harness.pop3, context=old), "the server has no TLS version in common",
                        self.pool_tls(min_version='"TLSv1.3"'), good=modern)

    def test_servers_that_nobody_can_update(self):
        """TLS 1.0 and 1.1 with the suites of those days, if the pool allows them, and not otherwise."""
        folder = self.folder.path / "ancient"
        folder.mkdir()
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "mail.key", "-out", folder / "mail.pem",
                "-days", "7", "-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1")
        for version, suite in ((ssl.TLSVersion.TLSv1, "AES128-SHA"), (ssl.TLSVersion.TLSv1, "ECDHE-RSA-AES256-SHA"),
                               (ssl.TLSVersion.TLSv1_1, "AES256-SHA")):
            with self.subTest(version=version, suite=suite):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    context = harness.server_context(folder, minimum=version, maximum=version)
                context.set_ciphers(suite + ":@SECLEVEL=0")
                seen = []
                backend = self.tls_backend(harness.pop3, context=context, on_secured=lambda sock: seen.append(sock.cipher()[0]))
                pool = self.pool_tls(ca="ancient/mail.pem", min_version='"TLSv1.0"')
                proxy = self.start({"pop3": [backend]}, pool=pool)
                self.served(proxy, "pop3")
                self.assertEqual(seen, [suite])
                self.assertIn('warning: min_version = "TLSv1.0": what the servers of the pool "pop3-pool" get', proxy.text)
                proxy.stop()
                proxy = self.start({"pop3": [backend]}, pool=self.pool_tls(ca="ancient/mail.pem"))
                self.client(proxy, "pop3").rest()
                self.assertIn("no TLS version in common; min_version of the pool may be lower",
                              proxy.wait_line(event="backend-failed")["error"])
                proxy.stop()

    def test_a_client_certificate_is_demanded(self):
        """With TLS 1.3 the server says so behind the handshake, and still before the client has seen anything."""
        for version, error in [(ssl.TLSVersion.TLSv1_3, "the server wants a client certificate"),
                               (ssl.TLSVersion.TLSv1_2, "client certificate")]:
            for mode in ("implicit", "starttls"):
                with self.subTest(version=version, mode=mode):
                    asked = "pop3" if mode == "starttls" else None
                    context = self.context(minimum=version, maximum=version, clients=self.folder.path / "proxy" / "ca.pem")
                    self.takes_over(self.tls_backend(harness.pop3, asked, context), error, self.pool_tls(mode),
                                    good=self.tls_backend(harness.pop3, asked))

    def test_another_protocol_by_alpn(self):
        """Some TLS library that turns away who offers no protocol of its own (RFC 7301 section 3.2)."""
        def script(connection):
            connection.exactly(5)
            connection.send(b"\x15\x03\x03\x00\x02\x02\x78")
            connection.rest()
        self.takes_over(self.backend(script), "the server speaks another protocol on this port (ALPN)", self.pool_tls())

    def test_close_notify_in_the_handshake(self):
        """It ends no session, as there is none: nothing is taken for said over TLS."""
        for mode in ("implicit", "starttls"):
            def script(connection, mode=mode):
                if mode == "starttls":
                    harness.speak_before_tls(connection, "pop3")
                connection.exactly(5)
                connection.send(b"\x15\x03\x03\x00\x02\x01\x00")
                connection.rest()
            self.takes_over(self.backend(script), "peer closed the connection in the handshake", self.pool_tls(mode),
                            good=self.tls_backend(harness.pop3, "pop3" if mode == "starttls" else None))

    def test_silence_and_ends_on_the_way(self):
        ends = {"": "closed the connection in the TLS handshake", "x": "closed the connection in the TLS handshake"}
        for words, error in ends.items():
            def script(connection, words=words):
                connection.exactly(5)
                if words:
                    connection.send(b"\x16\x03\x03")
            self.takes_over(self.backend(script), error, self.pool_tls())
        self.takes_over(self.backend(test_failover.silent), "timeout in the TLS handshake", self.pool_tls(),
                        timeouts=SHORT)
        self.takes_over(self.backend(test_failover.silent), "timeout while asking for TLS", self.pool_tls("starttls"),
                        timeouts=SHORT, good=self.tls_backend(harness.pop3, "pop3"))
        self.takes_over(self.backend(lambda connection: None), "closed the connection when asked for TLS",
                        self.pool_tls("starttls"), good=self.tls_backend(harness.pop3, "pop3"))
        self.takes_over(self.tls_backend(test_failover.silent), "timeout while waiting for its greeting",
                        self.pool_tls(), timeouts=SHORT)
        self.takes_over(self.tls_backend(lambda connection: None), "closed the connection before its greeting",
                        self.pool_tls())

    def starttls_fails(self, protocol, words, error):
        """`words`: what the server says, each but the last before it has read a line."""
        heard = Events()

        def script(connection):
            for part in words:
                connection.send(part)
                heard.tell(connection.line())
        self.takes_over(self.backend(script), error, self.pool_tls("starttls"), protocol,
                        self.tls_backend(harness.SCRIPTS[protocol], protocol))
        for _ in words[:-1]:
            heard.wait()
        # Behind its last words the server has heard nothing, and above all no command of the client's.
        self.assertIsNone(heard.wait())

    def test_refused(self):
        self.starttls_fails("imap", [b"* OK\r\n", b"s1 NO not here\r\n"], "the server refuses STARTTLS")
        self.starttls_fails("pop3", [b"+OK\r\n", b"-ERR what?\r\n"], "the server refuses STLS")
        self.starttls_fails("submission", [b"220 a\r\n", b"250 a\r\n"], "the server offers no STARTTLS")
        self.starttls_fails("submission", [b"220 a\r\n", b"250-a\r\n250 STARTTLS\r\n", b"454 4.7.0 later\r\n"],
                            "the server refuses STARTTLS")

    REFUSALS = (("imap", b"* BYE [ALERT] not from your network\r\n", b"* BYE [UNAVAILABLE] "),
                ("pop3", b"-ERR [SYS/PERM] not from your network\r\n", b"-ERR [SYS/TEMP] "),
                ("submission", b"554-msa.example.com\r\n554 5.7.1 not from your network\r\n", b"421 4.3.2 "),
                ("submission", b"421 4.7.0 msa.example.com too many connections\r\n", b"421 4.3.2 "))

    def refused_in_the_clear(self, protocol, words, verify):
        """What the client gets of a server whose greeting, before STARTTLS, refuses it; and the proxy."""
        backend = self.backend(lambda connection: (connection.send(words), connection.rest()))
        proxy = self.start({protocol: [backend]}, extra=ONE_WORKER, pool=self.pool_tls("starttls", verify=verify))
        return self.client(proxy, protocol).rest(), proxy

    def test_a_refusal_in_the_clear(self):
        for protocol, words, _ in self.REFUSALS:
            with self.subTest(words):
                got, proxy = self.refused_in_the_clear(protocol, words, "false")
                self.assertEqual(got, words)
                self.assertEqual(proxy.session()["detail"], "the server's own refusal")

    def test_a_refusal_in_the_clear_by_a_server_that_is_to_be_verified(self):
        """It may be anybody's: who is on the way makes no failure one for good, and shows no user what he likes."""
        for protocol, words, own in self.REFUSALS:
            with self.subTest(words):
                got, proxy = self.refused_in_the_clear(protocol, words, "true")
                self.assertTrue(got.startswith(own), got)
                self.assertNotIn(b"not from your network", got)
                self.assertIn("the server's greeting", proxy.wait_line(event="backend-failed")["error"])

    def test_one_that_refuses_one_client_in_the_clear_stays_in_the_round(self):
        for verify in ("false", "true"):
            good = harness.over_tls(harness.pop3, self.context(), "pop3")
            states = iter([lambda connection: connection.send(b"-ERR [SYS/PERM] you are not welcome\r\n")] + [good] * 10)
            picky = self.backend(lambda connection, states=states: next(states)(connection))
            proxy = self.start({"pop3": [picky, self.backend(good)]}, extra=ONE_WORKER,
                               pool=self.pool_tls("starttls", verify=verify))
            for _ in range(6):
                self.served(proxy, "pop3")
            # One that has failed is avoided for ten seconds: all further clients would be the other's.
            self.assertGreaterEqual(picky.count, 3)

    def test_preauth(self):
        self.starttls_fails("imap", [b"* PREAUTH welcome\r\n"], "the server greets with PREAUTH")

    def test_injection(self):
        """A reply in the clear behind the consent, which would be taken for the first one over TLS."""
        self.starttls_fails("imap", [b"* OK\r\n", b"s1 OK go\r\n* PREAUTH gotcha\r\n"], "somebody on the way injects them")
        self.starttls_fails("pop3", [b"+OK\r\n", b"+OK go\r\n+OK gotcha\r\n"], "somebody on the way injects them")
        self.starttls_fails("submission", [b"220 a\r\n", b"250-a\r\n250 STARTTLS\r\n", b"220 go\r\n250 gotcha\r\n"],
                            "somebody on the way injects them")

    def test_xclient_is_tried_where_no_greeting_could_offer_it(self):
        """A server that does not take it would take every client for the proxy, and gets none."""
        heard = Events()

        def distrusting(connection):
            connection.send(b"+OK\r\n")
            heard.tell(connection.line())
            connection.send(b"-ERR who are you?\r\n")
            heard.tell(connection.line())
        backends = [self.tls_backend(distrusting, "pop3"), self.tls_backend(harness.pop3, "pop3")]
        proxy = self.start({"pop3": ("pop3", ["127.0.0.1:0"], backends, "native")}, extra=ONE_WORKER,
                           pool=self.pool_tls("starttls"))
        self.served(proxy, "pop3")
        self.assertTrue(heard.wait().startswith(b"XCLIENT ADDR=127.0.0.1 "))
        self.assertIsNone(heard.wait())
        self.assertIn("the backend refuses XCLIENT", proxy.wait_line(event="backend-failed")["error"])

    def test_all_are_bad(self):
        for protocol, words in [("imap", b"* BYE [UNAVAILABLE]"), ("pop3", b"-ERR [SYS/TEMP]"), ("submission", b"421 4.3.2")]:
            backend = self.tls_backend(harness.SCRIPTS[protocol], context=self.context("elsewhere"))
            proxy = self.start({protocol: [backend]}, pool=self.pool_tls())
            self.assertTrue(self.client(proxy, protocol).rest().startswith(words))
            self.assertEqual(proxy.session()["reason"], "backend-unavailable")


def offers_session(sock):
    """Does the ClientHello that waits on the socket have a pre_shared_key, which is the last of its extensions?"""
    hello = sock.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL)
    hello = sock.recv(5 + int.from_bytes(hello[3:5], "big"), socket.MSG_PEEK | socket.MSG_WAITALL)
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at:at + 2], "big")
    at += 1 + hello[at] + 2
    while at < len(hello):
        kind, length = int.from_bytes(hello[at:at + 2], "big"), int.from_bytes(hello[at + 2:at + 4], "big")
        at += 4 + length
    return kind == 41


class Unresumed(Case):
    """Servers that end a handshake in which a session is to be resumed."""

    ALERT = b"\x15\x03\x03\x00\x02\x02\x50"  # internal_error

    def serve(self, ends, mode="implicit"):
        offered = Events()

        def begin(connection):
            offers = offers_session(connection.socket)
            offered.tell(offers)
            if offers:
                connection.exactly(5)
                connection.send(ends)
            return offers
        secured = harness.over_tls(harness.pop3, self.context())

        def script(connection):
            if mode == "starttls":
                harness.speak_before_tls(connection, "pop3")
            if begin(connection):
                connection.rest()
                return
            secured(connection)

        def closing(connection):
            if begin(connection):
                return
            secured(connection)
        backend = self.backend(script if ends else closing)
        return self.start({"pop3": [backend]}, extra=ONE_WORKER, pool=self.pool_tls(mode)), offered

    def test_no_session_is_lost(self):
        for ends in (self.ALERT, b""):
            with self.subTest(ends):
                proxy, offered = self.serve(ends)
                for _ in range(4):
                    self.served(proxy, "pop3")
                self.assertEqual([offered.wait() for _ in range(5)], [False, True, False, False, False])
                self.assertEqual(proxy.find(event="backend-failed"), [])
                self.assertEqual(len(proxy.find(event="backend-warning")), 1)
                self.assertIn("resumes a session", proxy.find(event="backend-warning")[0]["warning"])

    def test_what_the_client_has_said_goes_to_the_same_server(self):
        proxy, offered = self.serve(self.ALERT, "starttls")
        self.served(proxy, "pop3")
        client = self.client(proxy, "pop3")
        client.send(b"STAT\r\nQUIT\r\n")
        # Behind STLS the proxy greets, and the server's first command was the proxy's CAPA.
        self.assertEqual(client.rest(), b"+OK proxy.example.com ready\r\n+OK 2 0\r\n+OK bye\r\n")
        self.assertEqual([offered.wait() for _ in range(3)], [False, True, False])


class Ends(Case):
    def test_close_notify_both_ways(self):
        """Who ends first says so, and the other end as well."""
        heard = Events()

        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.line()
            connection.send(b"+OK bye\r\n")
            connection.socket.unwrap()  # fails where the proxy just ends the connection
            heard.tell("close_notify")
        proxy = self.start({"pop3": [self.tls_backend(script)]}, pool=self.pool_tls())
        client = self.greeted(proxy, "pop3")
        client.send(b"QUIT\r\n")
        self.assertEqual(client.rest(), b"+OK bye\r\n")
        self.assertEqual(heard.wait(), "close_notify")

    def test_the_client_goes_first(self):
        """close_notify and FIN to the server, whose last words still arrive."""
        heard = Events()

        def script(connection):
            connection.send(b"+OK ready\r\n")
            heard.tell(connection.rest())  # an SSLError where close_notify is missing
            connection.send(b"+OK 2 messages\r\n")
            heard.tell("sent")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(minimum=version, maximum=version)
            proxy = self.start({"pop3": [self.tls_backend(script, context=context)]}, pool=self.pool_tls())
            client = self.greeted(proxy, "pop3")
            client.send_close_notify(client.seal(b"STAT\r\n"))
            client.finish()
            self.assertEqual(heard.wait(), b"STAT\r\n")
            self.assertEqual(heard.wait(), "sent")
            self.assertEqual(client.rest(), b"+OK 2 messages\r\n")
            self.assertEqual(proxy.session()["reason"], "client-closed")

    def test_a_client_that_just_goes(self):
        heard = Events()

        def script(connection):
            connection.send(b"+OK ready\r\n")
            heard.tell(connection.rest())
        proxy = self.start({"pop3": [self.tls_backend(script)]}, pool=self.pool_tls())
        self.greeted(proxy, "pop3").close()
        self.assertEqual(heard.wait(), b"")
        self.assertEqual(proxy.session()["reason"], "client-closed")

    def cut_after(self, words):
        """A server whose connection ends by FIN alone behind these words."""
        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.line()
            connection.send(words)
            connection.socket.shutdown(socket.SHUT_WR)
        return self.tls_backend(script)

    def test_cut_without_close_notify(self):
        """Half a line is not passed on as a whole one, and the session has not ended well."""
        proxy = self.start({"pop3": [self.cut_after(b"+OK 1 2")]}, pool=self.pool_tls())
        client = self.greeted(proxy, "pop3")
        client.send(b"STAT\r\n")
        self.assertTrue(client.rest().startswith(b"-ERR [SYS/TEMP]"))
        line = proxy.session()
        self.assertEqual((line["reason"], line["detail"]), ("backend-closed", "without close_notify"))

    def test_cut_while_the_client_says_goodbye(self):
        proxy = self.start({"pop3": [self.cut_after(b"")]}, pool=self.pool_tls())
        client = self.greeted(proxy, "pop3")
        client.send(b"QUIT\r\n")
        client.rest()
        self.assertEqual(proxy.session()["reason"], "backend-closed")

    def test_last_word_without_close_notify(self):
        """So many servers end: nothing is missing."""
        proxy = self.start({"pop3": [self.cut_after(b"+OK bye\r\n")]}, pool=self.pool_tls())
        client = self.greeted(proxy, "pop3")
        client.send(b"QUIT\r\n")
        self.assertEqual(client.rest(), b"+OK bye\r\n")
        self.assertEqual(proxy.session()["reason"], "logout")

    def test_a_record_is_damaged_on_its_way(self):
        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.line()
            socket.socket.sendall(connection.socket, b"\x17\x03\x03\x00\x20" + b"x" * 32)
            with contextlib.suppress(OSError):
                connection.rest()
        proxy = self.start({"pop3": [self.tls_backend(script)]}, pool=self.pool_tls())
        client = self.greeted(proxy, "pop3")
        client.send(b"STAT\r\n")
        self.assertTrue(client.rest().startswith(b"-ERR [SYS/TEMP]"))
        self.assertEqual(proxy.wait_line(event="backend-failed")["error"], "a record was damaged or forged on its way")
        self.assertEqual(proxy.session()["reason"], "backend-error")


class Much(Case):
    def test_ten_megabytes_each_way(self):
        body = random.Random(1).randbytes(10_000_000).replace(b"\r", b"x").replace(b"\n", b"y")
        body = b"\r\n".join(b"-" + body[i:i + 900] for i in range(0, len(body), 900)) + b"\r\n"
        digest = hashlib.sha256(body).digest()
        for mode in ("implicit", "starttls"):
            heard = Events()

            def message(connection, heard=heard):
                connection.send(b"220 ready\r\n")
                connection.line()
                connection.send(b"354 go\r\n")
                heard.tell(hashlib.sha256(connection.exactly(len(body))).digest())
                connection.send(b"250 " + connection.line() + b"\r\n")
                connection.line()
            asked = mode == "starttls"
            proxy = self.start({
                "pop3": [self.tls_backend(functools.partial(harness.pop3, messages=[body]), "pop3" if asked else None)],
                "submission": [self.tls_backend(message, "submission" if asked else None)]}, pool=self.pool_tls(mode))
            client = self.greeted(proxy, "pop3")
            client.send(b"RETR 0\r\n")
            self.assertEqual(client.line()[:3], b"+OK")
            self.assertEqual(hashlib.sha256(client.exactly(len(body))).digest(), digest)
            self.assertEqual(client.line(), b".")
            sender = self.greeted(proxy, "submission")
            self.assertEqual(sender.ask(b"DATA"), b"354 go")
            sender.send(body)
            self.assertEqual(sender.ask(b"."), b"250 .")
            self.assertEqual(heard.wait(), digest)

    def test_many_at_once(self):
        """Both endpoints of all sessions use one buffer."""
        body = b"".join(b"%d " % number * 100 + b"\r\n" for number in range(2000))
        backend = self.tls_backend(functools.partial(harness.pop3, messages=[body]))
        proxy = self.start({"pop3": [backend]}, extra=ONE_WORKER, pool=self.pool_tls())
        failures = []

        def run():
            try:
                client = self.greeted(proxy, "pop3")
                for _ in range(5):
                    client.send(b"RETR 0\r\n")
                    self.assertEqual(client.line()[:3], b"+OK")
                    self.assertEqual(client.exactly(len(body) + 3), body + b".\r\n")
            except BaseException as error:
                failures.append(error)
        threads = [threading.Thread(target=run) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


# ---- files ----

class Files(Case):
    def problems(self, **keys):
        proxy_services = {"pop3": ("pop3", ["127.0.0.1:0"], ["127.0.0.1:1"], "none")}
        path = self.folder.write("check.conf", harness.configuration(proxy_services, pool="\n" + self.pool_tls(**keys)))
        return harness.run_program("check", "-c", path)

    def fails(self, words, **keys):
        checked = self.problems(**keys)
        self.assertEqual(checked.returncode, 1)
        self.assertRegex(checked.stderr, r"check\.conf:\d+: error: " + words)

    def test_what_check_says_of_them(self):
        self.assertEqual(self.problems().returncode, 0)
        self.fails(r"can't open the authorities' certificates in .*/nowhere.pem: No such file", ca="nowhere.pem")
        self.fails(r".*/store/mail.key has no certificate in PEM form", ca="store/mail.key")
        os.mkfifo(self.folder.path / "fifo")
        self.fails(r"can't open the authorities' certificates in .*/fifo: Operation not supported", ca="fifo")
        self.fails(r"can't open the authorities' certificates in .*/store: Is a directory", ca="store")
        self.fails(r'"certificate" has no "key" with it', certificate='"proxy/mail.pem"')
        self.fails(r'"key" has no "certificate" with it', key='"proxy/mail.key"')
        self.fails(r"the private key .*/store/mail.key does not belong to the first certificate in .*/proxy/mail.pem",
                   certificate='"proxy/mail.pem"', key='"store/mail.key"')
        self.fails(r"the private key .*/nowhere.key can't be opened: No such file", certificate='"proxy/mail.pem"',
                   key='"nowhere.key"')

    def test_beside_other_errors(self):
        """A configuration with an error of its own does not hide those of the files."""
        checked = self.problems(ca="nowhere.pem", moed='"x"')
        self.assertEqual(checked.returncode, 1)
        self.assertIn('did you mean "mode"?', checked.stderr)
        self.assertIn("can't open the authorities' certificates", checked.stderr)


if __name__ == "__main__":
    harness.main()
