# SPDX-License-Identifier: BSD-2-Clause
"""A TLS client whose every octet the test decides."""

import contextlib
import select
import socket
import ssl

from connections import Connection, Ended, receive, reset
from proxy import PATIENCE


class Client:
    """
    A TLS client on a socket, with the ciphertext in its own hands: it can half-close, go without a word, or send what
    is no TLS at all.
    """

    def __init__(self, port, host="127.0.0.1", name="mail.example.com", context=None, session=None, shake_hands=True,
                 before=None, source=None):
        """
        `before`: speaks in the clear with what goes before the handshake, a Connection. `source`: the address to come
        from; all of 127.0.0.0/8 are this machine's.
        """
        self.socket = socket.create_connection((host, port), PATIENCE, source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local = self.socket.getsockname()
        self.context = context or client_context()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)
        self.held = b""
        self.ended = None  # "close_notify", or "eof" for a connection that just ended
        try:
            if before:
                before(Connection(self.socket))
            if shake_hands:
                self.shake_hands()
        except BaseException:
            self.socket.close()
            raise

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.socket.sendall(data)

    def fill(self):
        """More ciphertext; False at the end."""
        data = receive(self.socket)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        return data != b""

    def shake_hands(self):
        while True:
            try:
                self.tls.do_handshake()
                self.cipher = self.tls.cipher()
                return self.flush()
            except ssl.SSLWantReadError:
                self.flush()
                if not self.fill():
                    raise Ended("closed in the handshake") from None

    def refusal(self):
        """
        How the other side ends the handshake: the name of its alert, or "closed". One that succeeds is a failure, and so
        is silence.
        """
        try:
            self.shake_hands()
        except ssl.SSLError as error:
            return error.reason
        except (Ended, ConnectionResetError):
            return "closed"
        raise AssertionError("the handshake succeeded")

    def seal(self, data):
        """Ciphertext for the data, not sent yet."""
        self.tls.write(data)
        return self.outgoing.read()

    def send(self, data):
        self.socket.sendall(self.seal(data))

    def send_and_receive(self, sealed):
        """
        Sends ciphertext and takes in what comes meanwhile, to be read later, until all is out or the other side has
        ended. Nothing is flushed in between: it would land in the middle of a record.
        """
        left = memoryview(sealed)
        with contextlib.suppress(OSError):
            while left:
                readable, writable, _ = select.select([self.socket], [self.socket], [], PATIENCE)
                if readable and not self.fill():
                    return
                if writable:
                    left = left[self.socket.send(left[:65536]):]

    def more(self):
        """Reads on; False if the input has ended."""
        while self.ended is None:
            try:
                data = self.tls.read(65536)
                if data:
                    self.held += data
                    return True
                self.ended = "close_notify"
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()
            except ssl.SSLZeroReturnError:
                self.ended = "close_notify"
            except (ssl.SSLEOFError, ConnectionResetError):
                self.ended = "eof"
        return False

    def line(self):
        while b"\r\n" not in self.held:
            if not self.more():
                raise Ended(f"the end ({self.ended}) in place of a line; there was {self.held!r}")
        line, self.held = self.held.split(b"\r\n", 1)
        return line

    def exactly(self, count):
        parts, size = [self.held], len(self.held)
        while size < count:
            self.held = b""
            if not self.more():
                raise Ended(f"{size} octets of {count}, then the end ({self.ended})")
            parts.append(self.held)
            size += len(self.held)
        data = b"".join(parts)
        self.held = data[count:]
        return data[:count]

    def ask(self, line):
        self.send(line + b"\r\n")
        return self.line()

    def rest(self):
        """All that comes before the end, which must be by close_notify (draft section 4.4); then closes as well."""
        while self.more():
            pass
        self.close()
        if self.ended != "close_notify":
            raise AssertionError(f"closed without close_notify, after {self.held!r}")
        data, self.held = self.held, b""
        return data

    def last_flight(self):
        """Shakes hands as far as its own last flight, which is returned in place of being sent."""
        while True:
            try:
                self.tls.do_handshake()
                return self.outgoing.read()
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()

    def send_close_notify(self, before=b""):
        """Says that nothing more comes, in one write with the ciphertext before it; reading goes on."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.socket.sendall(before + self.outgoing.read())

    def finish(self):
        """FIN."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        reset(self.socket)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def client_context(minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.TLSv1_3, authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version, context.maximum_version = minimum, maximum
    if authority:
        context.load_verify_locations(authority)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


STARTTLS = {"imap": (b"a STARTTLS", b"a OK"), "pop3": (b"STLS", b"+OK"), "submission": (b"STARTTLS", b"220")}


def starttls(protocol, behind=b""):
    """For Client: asks for TLS, with octets in the same segment that an attacker might have put there."""
    def speak(connection):
        command, answer = STARTTLS[protocol]
        connection.line()
        connection.send(command + b"\r\n" + behind)
        line = connection.line()
        assert line is not None and line.startswith(answer), line
    return speak
