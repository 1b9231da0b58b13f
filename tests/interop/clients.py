# SPDX-License-Identifier: BSD-2-Clause
"""
Clients whose address and every octet the test decides, over either kind of listener: "tls", where the handshake comes
first, and "starttls", where the client asks for it in clear. The tests are the same for both.
"""

import imaplib
import poplib
import smtplib
import socket

WAIT_SECONDS = 60  # for what comes at once: only a failure waits so long
# What asks for TLS, and how its answer begins.
STARTTLS = {
    "imap": ((b"s STARTTLS\r\n", b"s OK"),),
    "pop3": ((b"STLS\r\n", b"+OK"),),
    "submission": ((b"EHLO client.test\r\n", b"250 "), (b"STARTTLS\r\n", b"220")),
}


def connect(port, source="127.0.0.1"):
    host = "::1" if ":" in source else "127.0.0.1"
    return socket.create_connection((host, port), WAIT_SECONDS, (source, 0))


class Plain:
    """A client that sends what it is told, to the octet, in clear: what the backend itself shows."""

    def __init__(self, plain):
        self.socket = plain
        self.file = plain.makefile("rb")
        self._greeting = None

    def send(self, octets):
        self.socket.sendall(octets)

    def line(self):
        line, self._greeting = self._greeting or self.file.readline(), None
        return line

    def lines_to(self, *beginnings):
        """Lines up to the first that has one of these beginnings, that one with them."""
        # Where "a OK" is awaited, nothing comes behind "a NO".
        final = tuple(beginning.split()[0] + b" " for beginning in beginnings if b" OK" in beginning)
        lines = []
        while True:
            line = self.line()
            if line.startswith(beginnings):
                return lines + [line]
            if not line or line.startswith(final):
                raise AssertionError(f"{line} instead of {beginnings}; before it: {lines}")
            lines.append(line)

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


class Raw(Plain):
    """
    The same over TLS. An end without close_notify is an error to it. Behind STARTTLS there is no second greeting:
    line() gives the one that came in clear, so that a test may always begin with it.
    """

    def __init__(self, port, context, source="127.0.0.1", name="localhost", service=None, listener="tls"):
        plain = connect(port, source)
        try:
            greeting = ask_for_tls(plain, service) if listener == "starttls" else None
            super().__init__(context.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False))
            self._greeting = greeting
        except BaseException:
            plain.close()
            raise


def ask_for_tls(plain, service):
    """The dialogue up to the handshake; gives the greeting."""
    with plain.makefile("rb") as file:
        greeting = file.readline()
        for question, answer in STARTTLS[service]:
            plain.sendall(question)
            while not (line := file.readline()).startswith(answer):
                if not line:
                    raise AssertionError(f"ended before the answer to {question}")
    return greeting


class Imap(imaplib.IMAP4):
    def __init__(self, port, context, source, listener="tls"):
        self._source, self._context, self._listener = source, context, listener
        super().__init__("localhost", port)
        if listener == "starttls":
            self.starttls(context)

    def _create_socket(self, timeout):
        plain = connect(self.port, self._source)
        return self._context.wrap_socket(plain, server_hostname=self.host) if self._listener == "tls" else plain


class Pop3(poplib.POP3):
    def __init__(self, port, context, source, listener="tls"):
        self._source, self._context, self._listener = source, context, listener
        super().__init__("localhost", port)
        if listener == "starttls":
            self.stls(context)

    def _create_socket(self, timeout):
        plain = connect(self.port, self._source)
        return self._context.wrap_socket(plain, server_hostname=self.host) if self._listener == "tls" else plain


def smtp(port, context, source, listener="tls"):
    options = {"local_hostname": "client.test", "timeout": WAIT_SECONDS, "source_address": (source, 0)}
    if listener == "tls":
        return smtplib.SMTP_SSL("localhost", port, context=context, **options)
    client = smtplib.SMTP("localhost", port, **options)
    client.starttls(context=context)
    return client
