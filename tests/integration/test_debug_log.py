# SPDX-License-Identifier: BSD-2-Clause
"""log_level = "debug": it shows what a session does and waits for, and never what it carries."""

import base64
import signal

import harness

DEBUG = 'workers = 1; log_level = "debug";'
TLS = 'tls = { mode = "starttls"; verify = false; };'
PASSWORD = b"open-Sesame-4711"
PLAIN = base64.b64encode(b"\0josephine\0" + PASSWORD)
CONTENT = b"Subject: for your eyes only\r\n\r\nThe treasure lies below the old oak.\r\n"
EVENTS = ("move", "timeout", "server-chosen")

WHOLE_SESSION = ["accepted", "cleartext", "handshaking", "connecting", "backend-starttls", "backend-handshake",
                 "greeting", "relaying", "lingering", "closed"]


class DebugLog(harness.TestCase):
    def over_tls(self, script, protocol="pop3"):
        return self.backend(harness.over_tls(script, harness.server_context(self.folder.path), protocol))

    def moves(self, proxy, session=None):
        """The states that the session has come through; each move must begin where the last one has ended."""
        lines = proxy.find(event="move", machine="session", **({"session": session} if session else {}))
        for before, line in zip(lines, lines[1:]):
            self.assertEqual(line["from"], before["to"])
        return [lines[0]["from"], *(line["to"] for line in lines)]

    def timeouts(self, proxy):
        return [line["class"] for line in proxy.find(event="timeout")]

    def talk(self, proxy, before=None):
        """A login and a message, by POP3."""
        client = self.client(proxy, "pop3", before=before)
        if not before:
            self.assertEqual(client.line(), b"+OK ready")
        for command in (b"USER josephine", b"PASS " + PASSWORD, b"RETR 0"):
            self.assertTrue(client.ask(command).startswith(b"+OK"))
        self.assertEqual(client.exactly(len(CONTENT)), CONTENT)
        client.send(b"QUIT\r\n")
        client.rest()
        return proxy.session()

    def pop3(self, connection):
        harness.pop3(connection, messages=[CONTENT])

    def has_no_content(self, proxy):
        for secret in (PASSWORD, PLAIN, b"treasure", b"josephine", b"RETR"):
            self.assertNotIn(secret.decode(), proxy.text)

    def test_a_whole_session(self):
        """STARTTLS on both sides: every state, every timeout, and the server."""
        backend = self.over_tls(self.pop3)
        proxy = self.start({"pop3": [backend]}, extra=DEBUG, pool=TLS, keys='tls = "starttls";',
                           timeouts='login = "97 s"; idle = "11 min";')
        end = self.talk(proxy, before=harness.starttls("pop3"))
        self.assertEqual(self.moves(proxy), WHOLE_SESSION)
        self.assertEqual(self.timeouts(proxy),
                         ["login", "handshake", "connect", "failover", "login", "idle", "closing"])
        self.assertEqual(proxy.find(event="timeout", **{"class": "login"})[0]["seconds"], "97.000")
        self.assertEqual(proxy.find(event="timeout", **{"class": "idle"})[0]["seconds"], "660.000")
        for machine in ("pop3-client", "pop3-backend"):
            self.assertTrue(proxy.find(event="move", machine=machine), machine)
        chosen = proxy.find(event="server-chosen")
        self.assertEqual([(line["backend"], line["attempt"]) for line in chosen], [(backend.address, "1")])
        for event in EVENTS:
            for line in proxy.find(event=event):
                self.assertEqual((line["level"], line["session"], line["service"], line["client"]),
                                 ("debug", end["session"], "pop3", end["client"]))
        self.has_no_content(proxy)

    def test_the_next_server(self):
        bad = harness.refusing_address()
        good = self.backend(self.pop3)
        proxy = self.start({"pop3": [bad, good]}, extra=DEBUG)
        self.talk(proxy)
        self.assertEqual(self.moves(proxy), ["accepted", "handshaking", "connecting", "connecting", "greeting",
                                             "relaying", "lingering", "closed"])
        self.assertEqual([(line["backend"], line["attempt"]) for line in proxy.find(event="server-chosen")],
                         [(bad, "1"), (good.address, "2")])

    def test_a_closing_reply_after_a_server_that_refused(self):
        """The second server has the time to close as well, though the first one has sent such a reply before it."""
        def refusing(connection):
            connection.send(b"421 4.3.2 not now\r\n")
            connection.rest()

        def closing(connection):
            connection.send(b"220 msa.example.com ESMTP\r\n")
            self.assertTrue(connection.line().startswith(b"EHLO"))
            connection.send(b"421 4.4.2 idle for too long\r\n")
            connection.rest()  # and does not close
        second = self.backend(closing)
        proxy = self.start({"submission": [self.backend(refusing), second]}, extra=DEBUG)
        client = self.client(proxy, "submission")
        self.assertTrue(client.line().startswith(b"220 "))
        self.assertTrue(client.ask(b"EHLO me").startswith(b"421 "))
        proxy.wait_line(event="timeout", backend=second.address, **{"class": "closing"})
        self.assertEqual(self.moves(proxy)[-1], "relaying")

    def test_a_client_that_half_closes(self):
        """Its server has the last word."""
        def script(connection):
            connection.send(b"+OK ready\r\n")
            self.assertEqual(connection.rest(), b"STAT\r\n")
            connection.send(b"+OK 1 1\r\n")
        proxy = self.start({"pop3": [self.backend(script)]}, extra=DEBUG)
        client = self.client(proxy, "pop3")
        self.assertEqual(client.line(), b"+OK ready")
        client.send(b"STAT\r\n")
        client.finish()
        self.assertEqual(client.rest(), b"+OK 1 1\r\n")
        proxy.session()
        self.assertEqual(self.moves(proxy)[3:], ["greeting", "relaying", "half-closed", "lingering", "closed"])
        self.assertIn("closing", self.timeouts(proxy))

    def test_no_content_of_any_protocol(self):
        login = {"imap": b"a LOGIN josephine " + PASSWORD, "pop3": b"PASS " + PASSWORD,
                 "submission": b"AUTH PLAIN " + PLAIN}
        for protocol, command in login.items():
            with self.subTest(protocol):
                proxy = self.start({protocol: [self.over_tls(harness.SCRIPTS[protocol], protocol)]}, extra=DEBUG,
                                   pool=TLS)
                client = self.client(proxy, protocol)
                client.line()
                client.ask(command)
                client.close()
                proxy.session()
                self.assertEqual(self.moves(proxy)[-1], "closed")
                self.has_no_content(proxy)

    def test_nothing_of_it_below_debug(self):
        proxy = self.start({"pop3": [self.backend(self.pop3)]})
        self.talk(proxy)
        for event in EVENTS:
            self.assertEqual(proxy.find(event=event), [])

    def test_a_reload_shows_sessions_that_were_there(self):
        services = {"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(self.pop3)], "none")}
        proxy = self.start(services)
        client = self.client(proxy, "pop3")
        client.line()
        self.folder.write("deepproxy.conf", harness.configuration(services, extra='log_level = "debug";'))
        proxy.process.send_signal(signal.SIGHUP)
        proxy.wait_line(event="reload")
        client.send(b"QUIT\r\n")
        client.rest()
        session = proxy.session()["session"]
        self.assertEqual(self.moves(proxy, session), ["relaying", "lingering", "closed"])


if __name__ == "__main__":
    harness.main()
