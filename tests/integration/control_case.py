# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of control share: a proxy with a socket for it, requests to that, and `deepproxy ctl`."""

import contextlib
import http.client
import json
import socket

import harness
from admin_case import Admin


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=harness.PATIENCE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)  # a socket with a timeout would not wait if many others do
        self.sock.settimeout(self.timeout)


class Control(Admin):
    def setUp(self):
        super().setUp()
        self.path = self.folder.path / "admin.sock"
        self.admin = f'admin = {{ listen = "127.0.0.1:0"; socket = "{self.path}"; }};'

    def start_control(self, extra="", **options):
        return self.start_pop3(extra=self.admin + extra, **options)

    def ask(self, method, target, body=None):
        """Status, header fields, and the JSON of the answer."""
        with contextlib.closing(UnixConnection(self.path)) as connection:
            connection.request(method, target, body)
            answer = connection.getresponse()
            self.assertEqual(answer.headers["Content-Type"], "application/json")
            return answer.status, answer.headers, json.loads(answer.read())

    def get_json(self, target):
        status, _, value = self.ask("GET", target)
        self.assertEqual(status, 200, value)
        return value

    def ctl(self, *arguments, source=None):
        return harness.run_program("ctl", *(source or ["-s", self.path]), *arguments)

    def knock(self, data=b""):
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.connect(str(self.path))  # which waits if many others do
        sock.settimeout(harness.PATIENCE)
        sock.sendall(data)
        return sock

    def clients(self, proxy, count):
        clients = [self.client(proxy, "pop3") for _ in range(count)]
        for client in clients:
            self.assertEqual(client.line(), b"+OK ready")
        return clients
