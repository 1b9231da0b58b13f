# SPDX-License-Identifier: BSD-2-Clause
"""What the interop tests share: the servers behind, deepproxy, and messages that are hard to carry."""

import hashlib
import imaplib
import os
import pathlib
import random
import re
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import backend_files  # noqa: E402
import backends  # noqa: E402
import certificates  # noqa: E402
import clients  # noqa: E402
import proxy  # noqa: E402
from clients import WAIT_SECONDS, Raw  # noqa: E402, F401

SAYS = backend_files.DOVECOT_SAYS[backend_files.dovecot_dialect()]
LOGIN, SECURED = SAYS["login"], SAYS["secured"]
USER, PASSWORD, ADDRESS = backend_files.USER, backend_files.PASSWORD, backend_files.ADDRESS
MEGABYTES_2, MEGABYTES_10 = 2 << 20, 10 << 20


def until(what, condition):
    """The first true answer of condition(); it is asked for WAIT_SECONDS."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"did not come: {what}")


def digest(octets):
    return hashlib.sha256(octets).hexdigest()


def odd_octets(size, seed):
    """Lines of every octet but NUL, CR and LF, of dots, and of what looks like protocol; CRLF ends each."""
    chance = random.Random(seed)
    table = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")
    special = [b".", b"..", b".CAPA", b"* CAPABILITY IMAP4rev1 STARTTLS", b"a1 OK [CAPABILITY X] {5}", b"DEEP x",
               b"250-STARTTLS", b"* ID (\"tls\" \"none\")", b"BDAT 7 LAST", b"", b"+OK", b"{9999999+}"]
    lines, length = [], 0
    while length < size:
        line = chance.choice(special)
        if chance.random() < 0.9:
            line = chance.randbytes(chance.randrange(1, 900)).translate(None, b"\0\r\n") or table[:80]
        lines.append(line)
        length += len(line) + 2
    return b"\r\n".join(lines) + b"\r\n"


def message(subject, size=0, seed=0):
    head = f"From: {ADDRESS}\r\nTo: {ADDRESS}\r\nSubject: {subject}\r\n\r\n".encode()
    return head + (odd_octets(size, seed) if size else b"Hello.\r\n")


def tls_context(authority, version=None):
    context = ssl.create_default_context(cafile=authority)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


class Case(unittest.TestCase):
    """Servers, certificate and proxy for the tests of a class."""

    with_servers = True
    services = ("imap", "pop3", "submission")
    identity = "proxy-v2"
    listener = "tls"

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="deepproxy-test.", dir="/tmp")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.folder.chmod(0o755)
        certificates.make(cls.folder)
        cls.authority = cls.folder / "ca.pem"
        if not cls.with_servers:
            return
        cls.servers = cls.enterClassContext(cls.start_servers(cls.folder / "servers"))
        cls.addresses = {name: [f"127.0.0.1:{cls.servers.ports[name]}"] for name in cls.services}
        cls.direct = {name: [f"127.0.0.1:{cls.servers.ports[name + '-direct']}"] for name in cls.services}
        cls.proxy = cls.enterClassContext(cls.start_proxy(cls.addresses))

    @classmethod
    def start_servers(cls, directory):
        reason = backends.missing()
        if reason:
            raise unittest.SkipTest(reason)
        return backends.Backends(directory)

    @classmethod
    def write_configuration(cls, servers, pool="", **options):
        """Servers are checked if `pool` says how: otherwise their logs are of the clients' sessions alone."""
        if not re.search(r"\bcheck\b", pool):
            pool += "check = false; "
        path = cls.folder / "deepproxy.conf"
        path.write_text(proxy.configuration("A test's", servers, pool=pool, **{"identity": cls.identity, **options}))
        return path

    @classmethod
    def start_proxy(cls, servers, **options):
        started = proxy.Proxy(cls.write_configuration(servers, **options))
        cls.servers.watch(started.main_pid)
        return started

    def other_authority(self):
        """A certificate authority that the proxy's certificate is not from."""
        folder = self.folder / "other"
        if not folder.exists():
            folder.mkdir()
            certificates.make(folder)
        return folder / "ca.pem"

    def context(self, version=None):
        return tls_context(self.authority, version)

    def service(self, protocol):
        """What the configuration calls the service for this class's kind of listener."""
        return protocol + ("-starttls" if self.listener == "starttls" else "")

    def port(self, service, at=None):
        return (at or self.proxy).ports[self.service(service)]

    def raw(self, service, source="127.0.0.1", version=None, at=None):
        client = Raw(self.port(service, at), self.context(version), source, service=service, listener=self.listener)
        self.addCleanup(client.close)
        return client

    def in_clear(self, service):
        """The backend itself, without the proxy."""
        client = clients.Plain(clients.connect(self.servers.ports[f"{service}-direct"]))
        self.addCleanup(client.close)
        return client

    def imap(self, source="127.0.0.1", at=None):
        return clients.Imap(self.port("imap", at), self.context(), source, self.listener)

    def pop3(self, source="127.0.0.1", at=None):
        return clients.Pop3(self.port("pop3", at), self.context(), source, self.listener)

    def smtp(self, source="127.0.0.1", at=None):
        return clients.smtp(self.port("submission", at), self.context(), source, self.listener)

    def put(self, text, mailbox="INBOX", flags=None):
        """A message into the mailbox, without the proxy."""
        with imaplib.IMAP4("127.0.0.1", self.servers.ports["imap-direct"]) as client:
            client.login(USER, PASSWORD)
            client.create(mailbox)
            status, answer = client.append(mailbox, flags, None, text)
            self.assertEqual(status, "OK", answer)

    def in_log(self, log, *signs):
        """The line of a backend's log with all these signs, as soon as it is there."""
        return until(f"a line with {signs} in {log}", lambda: next(
            (line for line in log.read_text(errors="replace").splitlines() if all(sign in line for sign in signs)),
            None))

    def session_of(self, source, service, at=None, **fields):
        """The line that the proxy wrote at the end of the session from this address."""
        return (at or self.proxy).session(service=self.service(service), **fields,
                                          that=lambda line: line["client"].startswith(source + ":"))

    def find_message(self, subject):
        """The whole message with this subject, as IMAP has it, as soon as it is delivered."""
        with self.imap() as client:
            client.login(USER, PASSWORD)

            def found():
                client.select("INBOX", readonly=True)
                return client.uid("SEARCH", "HEADER", "Subject", f'"{subject}"')[1][0]
            uid = until(f"the message {subject}", found).split()[-1]
            return client.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1]


def run(*command, text=None, home=None):
    """A command's output, and what it said on standard error. `home`: where it looks for files of its user's."""
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, timeout=WAIT_SECONDS * 3,
                          check=False, stdin=None if text is not None else subprocess.DEVNULL,
                          env={**os.environ, **({"HOME": str(home)} if home else {})})
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")
