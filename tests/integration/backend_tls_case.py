# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of TLS towards the backends share: the servers' certificates, pools with TLS, whole sessions."""

import harness

ONE_WORKER = "workers = 1;"
DEBUG = 'workers = 1; log_level = "debug";'
PROTOCOLS = ("imap", "pop3", "submission")
GREETINGS = {"imap": b"* OK", "pop3": b"+OK", "submission": b"220 "}
COMMANDS = {"imap": (b"a NOOP", b"a OK"), "pop3": (b"STAT", b"+OK"), "submission": (b"EHLO me", b"250-")}


class Case(harness.TestCase):
    """Folders with authorities of their own: servers' ("store", for store.internal and 127.0.0.1), and others'."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, names, addresses in [("store", ("store.internal", "*.stores.internal"), ("127.0.0.1",)),
                                       ("elsewhere", ("elsewhere.internal",), ("127.0.0.2",)),
                                       ("proxy", ("proxy.internal",), ())]:
            (cls.folder.path / name).mkdir()
            harness.certificates.make(cls.folder.path / name, names, addresses)

    def context(self, name="store", **options):
        return harness.server_context(self.folder.path / name, **options)

    def pool_tls(self, mode="implicit", ca="store/ca.pem", **keys):
        keys = "".join(f" {key} = {value};" for key, value in keys.items())
        return f'tls = {{ mode = "{mode}"; ca = "{ca}";{keys} }};'

    def tls_backend(self, script, protocol=None, context=None, **options):
        """`protocol`: TLS is asked for in it."""
        return self.backend(harness.over_tls(script, context or self.context(), protocol, **options))

    def greeted(self, proxy, protocol, **options):
        client = self.client(proxy, protocol, **options)
        line = client.line()
        self.assertTrue(line.startswith(GREETINGS[protocol]), line)
        return client

    def served(self, proxy, protocol):
        """A whole session."""
        client = self.greeted(proxy, protocol)
        command, answer = COMMANDS[protocol]
        line = client.ask(command)
        while line[3:4] == b"-":  # EHLO's reply
            line = client.line()
        self.assertTrue(line.startswith(answer[:3]), line)
        client.send(b"z LOGOUT\r\n" if protocol == "imap" else b"QUIT\r\n")
        return client.rest()


class OverTls(Case):
    """Turns the backends of other tests into such with TLS."""

    def backend(self, script, **options):
        return super().backend(harness.over_tls(script, self.context()), **options)

    def start(self, services, **options):
        return super().start(services, pool=self.pool_tls(), **options)
