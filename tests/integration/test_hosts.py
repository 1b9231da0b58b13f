# SPDX-License-Identifier: BSD-2-Clause
"""What a client gets by the name that it asks for (SNI): a pool and a DEEP status; and what it gets before it has asked."""

import signal

import harness


def names_itself(name):
    return lambda connection: harness.pop3(connection, b"+OK " + name)


class Hosts(harness.TestCase):
    def start_hosts(self, **options):
        base, exact, wild = (self.backend(names_itself(name)) for name in (b"base", b"exact", b"wild"))
        # The pools of the hosts are those of services that nobody asks.
        services = {"pop3": ("pop3", ["127.0.0.1:0"], [base], "none"),
                    "exact": ("pop3", ["127.0.0.1:0"], [exact], "none"),
                    "wild": ("pop3", ["127.0.0.1:0"], [wild], "none")}
        hosts = """hosts = ( { names = "mail.example.org"; backends = { pop3 = "exact-pool"; };
                               deep = { tags = [ "x-exact" ]; }; },
                             { names = [ "other.example", "*.example.org" ]; backends = { pop3 = "wild-pool"; }; },
                             { names = "deep.example"; deep = { tags = [ "x-deep" ]; }; } );"""
        return self.start(services, extra=hosts, **options)

    def ask(self, proxy, name, **options):
        """The greeting, and the status in the answer to CAPA."""
        client = self.client(proxy, "pop3", name=name, **options)
        greeting = None if "before" in options else client.line()
        client.send(b"CAPA\r\n")
        lines = []
        while not lines or lines[-1] != b".":
            lines.append(client.line())
        client.send(b"QUIT\r\n")
        client.line()
        client.rest()
        return greeting, next(line for line in lines if line.startswith(b"DEEP"))

    def test_pool_and_status_by_name(self):
        proxy = self.start_hosts()
        default = b"DEEP tls11 tls12 <https://www.example.com/security>"
        for name, expected in {None: (b"+OK base", default),
                               "unknown.example": (b"+OK base", default),
                               "mail.example.org": (b"+OK exact", b"DEEP x-exact"),
                               "MAIL.example.ORG": (b"+OK exact", b"DEEP x-exact"),
                               "pop.example.org": (b"+OK wild", default),
                               "a.b.example.org": (b"+OK base", default),
                               "other.example": (b"+OK wild", default),
                               "deep.example": (b"+OK base", b"DEEP x-deep")}.items():
            with self.subTest(name=name):
                self.assertEqual(self.ask(proxy, name), expected)

    def test_starttls(self):
        """The name comes with the handshake: what stands before it is the service's."""
        proxy = self.start_hosts(keys='tls = "starttls";')
        seen = []

        def before(connection):
            connection.line()
            connection.send(b"CAPA\r\n")
            while (line := connection.line()) != b".":
                seen.append(line)
            connection.send(b"STLS\r\n")
            self.assertTrue(connection.line().startswith(b"+OK"))

        self.assertEqual(self.ask(proxy, "mail.example.org", before=before), (None, b"DEEP x-exact"))
        self.assertIn(b"DEEP tls11 tls12 <https://www.example.com/security>", seen)

    def test_resumed_sessions(self):
        proxy = self.start_hosts()
        context = harness.client_context()
        client = self.client(proxy, "pop3", name="mail.example.org", context=context)
        self.assertEqual(client.line(), b"+OK exact")
        again = self.client(proxy, "pop3", name="mail.example.org", context=context, session=client.tls.session)
        self.assertEqual(again.line(), b"+OK exact")
        self.assertTrue(again.tls.session_reused)

    def test_reports_count_for_the_service(self):
        """Whatever pool and status the client's name has chosen."""
        pools = {name: ("imap", ["127.0.0.1:0"], [self.backend(harness.imap)], "none") for name in ("imap", "other")}
        proxy = self.start(pools, extra='hosts = ( { names = "mail.example.org"; backends = { imap = "other-pool"; }; '
                                        'deep = { tags = [ "x-exact" ]; }; } );')
        client = self.client(proxy, "imap", name="mail.example.org")
        client.line()
        client.send(b'a ID ("latch" "x-exact tls12")\r\nb LOGOUT\r\n')
        client.rest()
        self.assertEqual(proxy.session(sni="mail.example.org")["service"], "imap")
        proxy.process.send_signal(signal.SIGUSR1)
        proxy.wait_line(event="reports", service="other")  # the last of them
        counts = {(line["service"], line.get("tag")): (line["sessions"], line.get("latch"))
                  for line in proxy.wait_lines(1, event="reports")}
        self.assertEqual(counts, {("imap", None): ("1", None), ("imap", "x-exact"): ("1", "1"),
                                  ("imap", "tls12"): ("1", "1"), ("other", None): ("0", None)})


if __name__ == "__main__":
    harness.main()
