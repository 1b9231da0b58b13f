# SPDX-License-Identifier: BSD-2-Clause
"""Connections in plain, to the octet, with nothing between a test and its socket; and what ends a wait."""

import os
import select
import socket
import struct

from proxy import PATIENCE


class Silence(Exception):
    """
    The other side has neither said anything nor ended the connection for PATIENCE. It is neither an OSError nor an
    AssertionError: who expects the connection to end must not take a hang for that.
    """


class Ended(AssertionError):
    """The connection ended in place of what was awaited."""


def receive(sock):
    """What has come; nothing at the end of input."""
    try:
        return sock.recv(65536)
    except TimeoutError:
        raise Silence(f"no octet from the other side for {sock.gettimeout()} s") from None


class Connection:
    """A backend's end of a connection, in plain."""

    def __init__(self, sock):
        self.socket = sock
        self.held = b""
        sock.settimeout(PATIENCE)

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        data = receive(self.socket)
        self.held += data
        return data != b""

    def line(self):
        """The next line without its end; None at the end of input."""
        while b"\r\n" not in self.held:
            if not self.more():
                return None
        line, self.held = self.held.split(b"\r\n", 1)
        return line

    def exactly(self, count):
        while len(self.held) < count:
            if not self.more():
                raise Ended(f"{len(self.held)} octets of {count}, then the end")
        data, self.held = self.held[:count], self.held[count:]
        return data

    def rest(self):
        """All that comes before the end of input."""
        while self.more():
            pass
        data, self.held = self.held, b""
        return data

    def finish(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        reset(self.socket)


def reset(sock):
    """Ends a connection by RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def can_read(sock, seconds):
    return bool(select.select([sock], [], [], seconds)[0])


def can_write(sock, seconds):
    return bool(select.select([], [sock], [], seconds)[1])


def connect(port, source="127.0.0.1"):
    """A socket that does not wait for ever."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))


def own_host():
    """
    An address of loopback that no other test on this machine uses: where this one does not listen nobody does, and what
    is free there stays so.
    """
    pid = os.getpid()
    return f"127.{64 + (pid >> 16 & 63)}.{pid >> 8 & 255}.{pid & 255}"


def refusing_address():
    """An address where nobody listens."""
    return f"{own_host()}:1"


def free_address():
    """One to listen on, with a port that a configuration can name."""
    with socket.create_server((own_host(), 0)) as listener:
        return "%s:%d" % listener.getsockname()


def can_bind_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
