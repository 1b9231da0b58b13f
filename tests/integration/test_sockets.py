# SPDX-License-Identifier: BSD-2-Clause
"""
The options of the proxy's sockets, read from these themselves: no waiting for acknowledgements, and questions to peers
that have been silent for long, on both sides.
"""

import ctypes
import errno
import os
import socket

import harness

PIDFD_GETFD = 438  # the same on all architectures
WANTED = {"nodelay": 1, "keepalive": 1, "idle": 120, "interval": 30, "count": 10, "user timeout": 0}


def sockets_of(pid):
    """Duplicates of a process's TCP sockets, which are to be closed."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                continue
            copy = libc.syscall(PIDFD_GETFD, process, int(name), 0)
            if copy < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            sock = socket.socket(fileno=copy)
            if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
                yield sock
            else:
                sock.close()
    finally:
        os.close(process)


class Options(harness.TestCase):
    def options(self, proxy, peer):
        """Of the connection to this address."""
        found = None
        for sock in sockets_of(proxy.pid):
            with sock:
                try:
                    if sock.getpeername()[:2] != peer:
                        continue
                except OSError:
                    continue  # a listener
                found = {"nodelay": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
                         "keepalive": sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                         "idle": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                         "interval": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                         "count": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
                         "user timeout": sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)}
        return found

    def test_of_both_sides(self):
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend]})
        client = self.client(proxy, "pop3")
        self.assertEqual(client.line(), b"+OK ready")
        try:
            self.assertEqual(self.options(proxy, client.local[:2]), WANTED)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOSYS):
                raise
            self.skipTest(f"the system does not let the test look at another process's sockets: {error}")
        self.assertEqual(self.options(proxy, ("127.0.0.1", backend.port)), WANTED)


if __name__ == "__main__":
    harness.main()
