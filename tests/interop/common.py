# SPDX-License-Identifier: BSD-2-Clause
"""What the interop tests share: the servers behind, deepproxy, and clients that can come from any loopback address."""

import hashlib
import imaplib
import pathlib
import poplib
import random
import smtplib
import socket
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
import proxy  # noqa: E402

USER, PASSWORD, ADDRESS = backend_files.USER, backend_files.PASSWORD, backend_files.ADDRESS
WAIT_SECONDS = 20
MEGABYTES_10 = 10 * 1024 * 1024


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


class Raw:
    """A client that sends what it is told, to the octet. An end without close_notify is an error to it."""

    def __init__(self, port, context, source="127.0.0.1", name="localhost"):
        host = "::1" if ":" in source else "127.0.0.1"
        plain = socket.create_connection((host, port), WAIT_SECONDS, (source, 0))
        try:
            self.socket = context.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False)
        except OSError:
            plain.close()
            raise
        self.file = self.socket.makefile("rb")

    def send(self, octets):
        self.socket.sendall(octets)

    def line(self):
        return self.file.readline()

    def lines_to(self, *beginnings):
        """Lines up to the first that has one of these beginnings, that one with them."""
        lines = []
        while True:
            line = self.line()
            if not line:
                raise AssertionError(f"ended before {beginnings}; came: {lines}")
            lines.append(line)
            if line.startswith(beginnings):
                return lines

    def ask(self, octets, *beginnings):
        self.send(octets)
        return self.lines_to(*beginnings)

    def rest(self):
        return self.file.read()

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Imap(imaplib.IMAP4_SSL):
    def __init__(self, port, context, source):
        self._source = source
        super().__init__("localhost", port, ssl_context=context)

    def _create_socket(self, timeout):
        plain = socket.create_connection(("127.0.0.1", self.port), WAIT_SECONDS, (self._source, 0))
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host)


class Pop3(poplib.POP3_SSL):
    def __init__(self, port, context, source):
        self._source = source
        super().__init__("localhost", port, context=context)

    def _create_socket(self, timeout):
        plain = socket.create_connection(("127.0.0.1", self.port), WAIT_SECONDS, (self._source, 0))
        return self.context.wrap_socket(plain, server_hostname=self.host)


class Case(unittest.TestCase):
    """Servers, certificate and proxy for the tests of a class."""

    with_servers = True

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
        reason = backends.missing()
        if reason:
            raise unittest.SkipTest(reason)
        cls.servers = cls.enterClassContext(backends.Backends(cls.folder / "servers"))
        names = ("imap", "pop3", "submission")
        cls.addresses = {name: [f"127.0.0.1:{cls.servers.ports[name]}"] for name in names}
        cls.direct = {name: [f"127.0.0.1:{cls.servers.ports[name + '-direct']}"] for name in names}
        cls.proxy = cls.enterClassContext(cls.start_proxy(cls.addresses))

    @classmethod
    def write_configuration(cls, servers, **options):
        path = cls.folder / "deepproxy.conf"
        path.write_text(proxy.configuration("A test's", servers, **options))
        return path

    @classmethod
    def start_proxy(cls, servers, **options):
        started = proxy.Proxy(cls.write_configuration(servers, **options))
        cls.servers.watch(started.process.pid)
        return started

    def context(self, version=None):
        return tls_context(self.authority, version)

    def raw(self, service, source="127.0.0.1", version=None, at=None):
        client = Raw((at or self.proxy).ports[service], self.context(version), source)
        self.addCleanup(client.close)
        return client

    def imap(self, source="127.0.0.1", at=None):
        return Imap((at or self.proxy).ports["imap"], self.context(), source)

    def pop3(self, source="127.0.0.1", at=None):
        return Pop3((at or self.proxy).ports["pop3"], self.context(), source)

    def smtp(self, source="127.0.0.1", at=None):
        port = (at or self.proxy).ports["submission"]
        return smtplib.SMTP_SSL("localhost", port, "client.test", context=self.context(), timeout=WAIT_SECONDS,
                                source_address=(source, 0))

    def in_log(self, log, *signs):
        """The line of a backend's log with all these signs, as soon as it is there."""
        return until(f"a line with {signs} in {log}", lambda: next(
            (line for line in log.read_text(errors="replace").splitlines() if all(sign in line for sign in signs)),
            None))

    def session_of(self, source, service, at=None, **fields):
        """The line that the proxy wrote at the end of the session from this address."""
        def find():
            return next((line for line in list((at or self.proxy).lines)
                         if line.get("event") == "session" and line["client"].startswith(source + ":")
                         and line["service"] == service and fields.items() <= line.items()), None)
        return until(f"event=session of {source}", find)

    def find_message(self, subject):
        """The whole message with this subject, as IMAP has it, as soon as it is delivered."""
        with self.imap() as client:
            client.login(USER, PASSWORD)

            def found():
                client.select("INBOX", readonly=True)
                return client.uid("SEARCH", "HEADER", "Subject", f'"{subject}"')[1][0]
            uid = until(f"the message {subject}", found).split()[-1]
            return client.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1]


def run(*command, text=None):
    """A command's output, and what it said on standard error."""
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, timeout=WAIT_SECONDS * 3,
                          check=False, stdin=None if text is not None else subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")
