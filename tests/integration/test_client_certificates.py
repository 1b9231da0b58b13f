# SPDX-License-Identifier: BSD-2-Clause
"""Client certificates (draft section 9.1.1): asked for or not, taken or not, and who learns of them."""

import ssl
import struct

import harness
from client_certificates import Authority
from harness import Events

V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
TLV_SSL, TLV_SSL_CN = 0x20, 0x22
QUIT = {"imap": b"z LOGOUT\r\n", "pop3": b"QUIT\r\n", "submission": b"QUIT\r\n"}


def tlvs(octets):
    found = {}
    while octets:
        kind, size = struct.unpack("!BH", octets[:3])
        found[kind], octets = octets[3:3 + size], octets[3 + size:]
    return found


def take_identity(connection):
    """What a PROXY header says of the client's certificate: flags, verify, and the name or None."""
    head = connection.exactly(16)
    inner = tlvs(connection.exactly(struct.unpack("!H", head[14:])[0])[12:])[TLV_SSL]
    flags, verify = struct.unpack("!BI", inner[:5])
    return flags, verify, tlvs(inner[5:]).get(TLV_SSL_CN)


def group(authority, more=""):
    return f'client_certificates = {{ ca = "{authority.certificate}"; {more} }};'


class Case(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.folder.path, "clients-ca")
        cls.other = Authority(cls.folder.path, "other-ca")
        cls.joe = cls.authority.certify("/O=Example/CN=joe", "joe@example.com")
        cls.stranger = cls.other.certify("/CN=joe", "joe@example.com")

    def context(self, version, identity=None):
        context = harness.client_context(version, version)
        return identity.show(context) if identity else context

    def telling(self, protocol):
        """A backend that tells what it reads in the header, and the events."""
        def script(connection):
            events.tell(take_identity(connection))
            harness.SCRIPTS[protocol](connection)
        events = Events()
        return self.backend(script), events

    def talk(self, client, protocol):
        client.send(QUIT[protocol])
        return client.rest()


class Certificates(Case):
    """One proxy with a service for each protocol, begin of TLS, and mode."""

    def open(self, *protocols, more=""):
        services, keys, self.events = {}, {}, Events()

        def telling(protocol):
            def script(connection):
                self.events.tell(take_identity(connection))
                harness.SCRIPTS[protocol](connection)
            return script
        for protocol in protocols:
            backend = self.backend(telling(protocol))
            for tls in ("implicit", "starttls"):
                for mode in ("optional", "required"):
                    name = f"{protocol}-{tls}-{mode}"
                    services[name] = (protocol, ["127.0.0.1:0"], [backend], "proxy-v2")
                    keys[name] = f'tls = "{tls}"; ' + group(self.authority, f'mode = "{mode}"; {more}')
        return self.start(services, keys=keys), [(name, version) for name in services for version in (V1_2, V1_3)]

    def connect(self, proxy, name, context, **options):
        protocol, tls, _ = name.split("-")
        before = harness.starttls(protocol) if tls == "starttls" else None
        return self.client(proxy, name, context=context, before=before, **options)

    def served(self, proxy, name, context):
        """The session's line."""
        before = len(proxy.find(event="session", service=name))
        client = self.connect(proxy, name, context)
        client.send(QUIT[name.split("-")[0]])
        client.rest()
        return proxy.wait_lines(before + 1, event="session", service=name)[-1]

    def refused(self, proxy, name, context):
        """The alert by which a client is turned away, in its handshake or behind it, and the session's line."""
        before = len(proxy.find(event="session", service=name))
        client = self.connect(proxy, name, context, shake_hands=False)
        with self.assertRaises(ssl.SSLError) as caught:
            client.shake_hands()
            client.line()
        client.close()  # the proxy waits for it, a time
        line = proxy.wait_lines(before + 1, event="session", service=name)[-1]
        self.assertEqual(line["reason"], "handshake-failed")
        self.assertNotIn("client_cert", line)
        return caught.exception.reason, line["detail"]

    def test_a_good_one(self):
        proxy, cases = self.open(*harness.SCRIPTS)
        for name, version in cases:
            with self.subTest(service=name, version=version.name):
                line = self.served(proxy, name, self.context(version, self.joe))
                self.assertEqual(self.events.wait(), (0x07, 0, b"joe"))
                self.assertEqual(line["client_cert"], "CN=joe,O=Example")
                self.assertEqual(line["client_cert_serial"], self.joe.serial)
                self.assertEqual(line["client_cert_fingerprint"], self.joe.fingerprint())
                self.assertEqual(line["reason"], "logout")

    def test_none(self):
        proxy, cases = self.open(*harness.SCRIPTS)
        for name, version in cases:
            with self.subTest(service=name, version=version.name):
                if name.endswith("optional"):
                    line = self.served(proxy, name, self.context(version))
                    self.assertEqual(self.events.wait(), (0x01, 1, None))
                    self.assertNotIn("client_cert", line)
                else:
                    alert, detail = self.refused(proxy, name, self.context(version))
                    self.assertRegex(alert, "CERTIFICATE_REQUIRED" if version == V1_3 else "HANDSHAKE_FAILURE")
                    self.assertEqual(detail, "client shows no certificate")

    def test_one_of_somebody_else(self):
        """No certificate may be fine; a wrong one is not taken for none."""
        proxy, cases = self.open(*harness.SCRIPTS)
        for name, version in cases:
            with self.subTest(service=name, version=version.name):
                alert, detail = self.refused(proxy, name, self.context(version, self.stranger))
                self.assertRegex(alert, "UNKNOWN_CA")
                self.assertIn("not trusted", detail)

    def test_a_revoked_one(self):
        revoked = self.authority.certify("/CN=joe")
        proxy, cases = self.open("imap", more=f'crl = "{self.authority.revoke(revoked)}";')
        for name, version in cases:
            with self.subTest(service=name, version=version.name):
                self.served(proxy, name, self.context(version, self.joe))
                self.assertEqual(self.events.wait(), (0x07, 0, b"joe"))
                alert, detail = self.refused(proxy, name, self.context(version, revoked))
                self.assertRegex(alert, "REVOKED")
                self.assertIn("revoked", detail)

    def test_a_servers(self):
        proxy, cases = self.open("pop3")
        identity = self.authority.certify("/CN=joe", usage="serverAuth")
        for name, version in cases:
            with self.subTest(service=name, version=version.name):
                alert, detail = self.refused(proxy, name, self.context(version, identity))
                self.assertRegex(alert, "UNSUPPORTED_CERTIFICATE")
                self.assertIn("not meant for TLS clients", detail)

    def test_nobody_is_asked_without_the_group(self):
        """A client that has one is not even asked, so the server can't have been shown it."""
        backend, events = self.telling("imap")
        proxy = self.start({"imap": ("imap", ["127.0.0.1:0"], [backend], "proxy-v2")})
        self.talk(self.client(proxy, "imap", context=self.context(V1_3, self.joe)), "imap")
        self.assertEqual(events.wait(), (0x01, 1, None))
        self.assertNotIn("client_cert", proxy.session())

    def test_a_subject_that_would_break_the_log(self):
        identity = self.authority.certify('/O=a" reason=x\n/CN=J\u00f6rg')
        proxy, _ = self.open("imap")
        line = self.served(proxy, "imap-implicit-optional", self.context(V1_3, identity))
        self.assertEqual(self.events.wait(), (0x07, 0, "J\u00f6rg".encode()))
        self.assertEqual(line["client_cert"], 'CN=J\\C3\\B6rg,O=a\\" reason=x\\0A')
        self.assertEqual(line["reason"], "logout")
        self.assertEqual(len(proxy.find(event="session")), 1)


class Names(Case):
    def name_of(self, identity, more):
        backend, events = self.telling("imap")
        proxy = self.start({"imap": ("imap", ["127.0.0.1:0"], [backend], "proxy-v2")}, keys=group(self.authority, more))
        self.talk(self.client(proxy, "imap", context=self.context(V1_3, identity)), "imap")
        return events.wait()

    def test_the_header_has_the_name_that_is_asked_for(self):
        odd = self.authority.certify("/CN=joe d", "joe@example.com")
        self.assertEqual(self.name_of(odd, ""), (0x07, 0, b"joe d"))
        self.assertEqual(self.name_of(odd, 'login = "email";'), (0x07, 0, b"joe@example.com"))
        # No login, but still a good certificate.
        self.assertEqual(self.name_of(odd, 'login = "cn";'), (0x07, 0, None))
        two = self.authority.certify("/CN=joe/CN=root")
        self.assertEqual(self.name_of(two, ""), (0x07, 0, None))
        self.assertEqual(self.name_of(two, 'login = "email";'), (0x07, 0, None))


class Resumption(Case):
    def go_on(self, proxy, service, before):
        """Another session with the ticket of one, at that service or another."""
        client = self.client(proxy, service, context=before.context, session=before.tls.session)
        client.line()
        self.talk(client, "imap")
        return client

    def test_a_ticket_keeps_the_identity(self):
        backend, events = self.telling("imap")
        for version, mode in ((V1_2, "optional"), (V1_3, "optional"), (V1_2, "required"), (V1_3, "required")):
            with self.subTest(version=version.name, mode=mode):
                proxy = self.start({"imap": ("imap", ["127.0.0.1:0"], [backend], "proxy-v2")},
                                   keys=group(self.authority, f'mode = "{mode}";'))
                first = self.client(proxy, "imap", context=self.context(version, self.joe))
                first.line()
                self.assertEqual(events.wait(), (0x07, 0, b"joe"))
                second = self.go_on(proxy, "imap", first)
                self.assertTrue(second.tls.session_reused)
                self.assertEqual(events.wait(), (0x05, 0, b"joe"))
                line = proxy.session(resumed="yes")
                self.assertEqual((line["client_cert"], line["client_cert_fingerprint"]),
                                 ("CN=joe,O=Example", self.joe.fingerprint()))

    def test_a_ticket_of_another_service_is_worth_nothing(self):
        """The services have one set of ticket keys between them."""
        backend, events = self.telling("imap")
        services = {name: ("imap", ["127.0.0.1:0"], [backend], "proxy-v2") for name in ("open", "closed", "half")}
        proxy = self.start(services, keys={"closed": group(self.authority, 'mode = "required";'),
                                           "half": group(self.authority)})
        for version in (V1_2, V1_3):
            for source in ("open", "half"):
                with self.subTest(version=version.name, source=source):
                    first = self.client(proxy, source, context=self.context(version))
                    first.line()
                    self.assertEqual(events.wait(), (0x01, 1, None))
                    client = self.client(proxy, "closed", context=first.context, session=first.tls.session,
                                         shake_hands=False)
                    with self.assertRaisesRegex(ssl.SSLError, "(?i)certificate.required|handshake.failure"):
                        client.shake_hands()
                        client.line()
                    client.close()
        self.assertEqual({line["detail"] for line in proxy.wait_lines(4, reason="handshake-failed")},
                         {"client shows no certificate"})

    def test_nor_does_it_show_a_certificate_where_none_is_asked_for(self):
        backend, events = self.telling("imap")
        services = {name: ("imap", ["127.0.0.1:0"], [backend], "proxy-v2") for name in ("open", "closed")}
        proxy = self.start(services, keys={"closed": group(self.authority)})
        for version in (V1_2, V1_3):
            first = self.client(proxy, "closed", context=self.context(version, self.joe))
            first.line()
            self.assertEqual(events.wait(), (0x07, 0, b"joe"))
            second = self.go_on(proxy, "open", first)
            self.assertFalse(second.tls.session_reused)
            self.assertEqual(events.wait(), (0x01, 1, None))

    def test_what_was_revoked_since_is_not_taken(self):
        """SIGHUP reads the list anew; the ticket keys stay."""
        backend, events = self.telling("imap")
        leaver = self.authority.certify("/CN=leaver")
        proxy = self.start({"imap": ("imap", ["127.0.0.1:0"], [backend], "proxy-v2")},
                           keys=group(self.authority, f'crl = "{self.authority.revoke()}";'))
        sessions = []
        for version in (V1_2, V1_3):
            sessions.append(self.client(proxy, "imap", context=self.context(version, leaver)))
            sessions[-1].line()
            self.assertEqual(events.wait(), (0x07, 0, b"leaver"))
        self.authority.revoke(leaver)
        self.assertEqual(proxy.reload(), "done")
        for number, first in enumerate(sessions, 1):
            client = self.client(proxy, "imap", context=first.context, session=first.tls.session, shake_hands=False)
            with self.assertRaisesRegex(ssl.SSLError, "(?i)revoked"):
                client.shake_hands()
                client.line()
            client.close()
            self.assertIn("revoked", proxy.wait_lines(number, reason="handshake-failed")[-1]["detail"])
            # Who is in stays in.
            self.assertEqual(first.ask(b"a1 NOOP"), b"a1 OK NOOP done")


class External(Case):
    GREETING = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=EXTERNAL] ready"

    def imap(self, identity, name="proxy-v2", more=""):
        def script(connection):
            if name == "proxy-v2":
                take_identity(connection)
            connection.send(self.GREETING + b"\r\n")
            events.tell(connection.line())
            connection.send(b"a1 NO no\r\n")
            connection.rest()
        events = Events()
        proxy = self.start({"imap": ("imap", ["127.0.0.1:0"], [self.backend(script)], name)},
                           keys=group(self.authority, more))
        return self.client(proxy, "imap", context=self.context(V1_3, identity)), events

    def test_it_passes_for_who_has_shown_a_certificate(self):
        client, events = self.imap(self.joe)
        self.assertIn(b" AUTH=EXTERNAL ", client.line())
        self.assertEqual(client.ask(b"a1 AUTHENTICATE EXTERNAL ="), b"a1 NO no")
        self.assertEqual(events.wait(), b"a1 AUTHENTICATE EXTERNAL =")

    def expect_refused(self, client, events):
        self.assertNotIn(b"EXTERNAL", client.line())
        self.assertTrue(client.ask(b"a1 AUTHENTICATE EXTERNAL =").startswith(b"a1 NO EXTERNAL is not available here"))
        client.send(b"a2 NOOP\r\n")
        self.assertEqual(events.wait(), b"a2 NOOP")

    def test_nor_for_anybody_else(self):
        self.expect_refused(*self.imap(None))

    def test_nor_where_the_server_is_told_no_name(self):
        self.expect_refused(*self.imap(self.authority.certify("/O=Example")))
        self.expect_refused(*self.imap(self.authority.certify("/CN=joe d"), more='login = "cn";'))

    def test_nor_where_it_is_told_nothing(self):
        self.expect_refused(*self.imap(self.joe, "none"))

    def test_nor_where_the_operator_says_so(self):
        self.expect_refused(*self.imap(self.joe, more="external = false;"))

    def submission(self, identity, more):
        def script(connection):
            connection.send(b"220 msa\r\n")
            connection.line()
            connection.send(b"250-msa\r\n250-AUTH PLAIN EXTERNAL\r\n250 XCLIENT ADDR LOGIN\r\n")
            events.tell(connection.line())
            connection.send(b"220 msa\r\n")
            connection.line()
            connection.send(b"250-msa\r\n250 AUTH PLAIN EXTERNAL\r\n")
            events.tell(connection.line())
            connection.send(b"250 ok\r\n")
            connection.rest()
        events = Events()
        proxy = self.start({"submission": ("submission", ["127.0.0.1:0"], [self.backend(script)], "native")},
                           keys=group(self.authority, more))
        client = self.client(proxy, "submission", context=self.context(V1_3, identity))
        client.line()
        client.send(b"EHLO c\r\n")
        self.assertEqual(client.line(), b"250-msa")
        return client, events

    def test_submission_learns_the_login_by_xclient(self):
        client, events = self.submission(self.joe, 'login = "email";')
        self.assertEqual(events.wait(), b"XCLIENT LOGIN=joe@example.com ADDR=127.0.0.1")
        self.assertEqual(client.line(), b"250-AUTH EXTERNAL")
        client.line()
        self.assertEqual(client.ask(b"AUTH EXTERNAL ="), b"235 2.7.0 Authentication successful")
        client.send(b"MAIL FROM:<>\r\n")
        self.assertEqual(events.wait(), b"MAIL FROM:<>")

    def test_and_no_login_where_there_is_none(self):
        for identity, more in ((None, 'login = "email";'), (self.joe, ""), (self.authority.certify("/CN=joe"),
                                                                         'login = "email";')):
            client, events = self.submission(identity, more)
            self.assertEqual(events.wait(), b"XCLIENT ADDR=127.0.0.1")
            self.assertEqual(client.line(), b"250-AUTH PLAIN")
            client.line()
            self.assertEqual(client.ask(b"AUTH EXTERNAL ="), b"504 5.5.4 Unrecognized authentication type")


class Operation(Case):
    def check(self, more, status, *words):
        text = harness.configuration({"imap": ("imap", ["127.0.0.1:0"], ["127.0.0.1:1"], "proxy-v2")}, keys=more)
        result = harness.run_program("check", "-c", self.folder.write("check.conf", text))
        self.assertEqual(result.returncode, status, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def test_check_reads_the_files(self):
        self.check(group(self.authority), 0)
        self.check('client_certificates = { ca = "nowhere.pem"; };', 1, "check.conf:", "nowhere.pem: No such file")
        self.check(f'client_certificates = {{ ca = "{self.joe.certificate}"; }};', 1, "is no authority's certificate")
        self.check(group(self.authority, f'crl = "{self.authority.certificate}";'), 1, "revocation lists")
        self.check(group(self.authority, f'crl = "{self.other.revoke()}";'), 0,
                   "has no revocation list of the authority")
        # With other errors in the file as well.
        self.check('client_certificates = { ca = "nowhere.pem"; }; color = 1;', 1, "nowhere.pem: No such file", "color")

    def test_probe_of_a_service_that_takes_certified_clients_alone(self):
        for tls in ("", 'max_version = "TLSv1.2";'):
            services = {"imap": ("imap", ["127.0.0.1:0"], [self.backend(harness.imap)], "none")}
            options = {"keys": group(self.authority, 'mode = "required";'), "tls": tls}
            proxy = self.start(services, **options)
            path = self.folder.write("probe.conf", harness.configuration(
                {"imap": ("imap", [f"127.0.0.1:{proxy.port('imap')}"], ["127.0.0.1:1"], "none")}, **options))
            result = harness.run_program("probe", "-c", path)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertIn("well as far as can be seen without a client certificate", result.stdout)


if __name__ == "__main__":
    harness.main()
