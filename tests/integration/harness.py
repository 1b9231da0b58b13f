# SPDX-License-Identifier: BSD-2-Clause
"""
What the integration tests stand on: the built program as a child process (proxy.py in tests/lib), scripted backends
(scripted_backends.py) and TLS clients (tls_client.py) in the test itself, what these are made of (connections.py), and
other processes (processes.py). A test needs this module alone for most of it.

Tests run beside each other: sockets are on loopback, on ports that the system gives, and files in folders of the test's
own. Nothing of the machine's is changed.
"""

import contextlib
import functools
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import certificates  # noqa: E402
from connections import (Connection, Ended, Silence, can_bind_ipv6, can_read, can_write, connect,  # noqa: E402
                         free_address, refusing_address, reset)
from processes import freeze  # noqa: E402
from proxy import PATIENCE, SANITIZERS, Proxy, ProxyError, parse_line, who_stays  # noqa: E402
from scripted_backends import (SCRIPTS, Backend, imap, over_tls, pop3, server_context,  # noqa: E402
                               speak_before_tls, submission)
from tls_client import Client, client_context, starttls  # noqa: E402

__all__ = ["PATIENCE", "PROGRAM", "SCRIPTS", "SOON", "Backend", "Client", "Connection", "Ended", "Events", "Folder",
           "Proxy", "ProxyError", "Silence", "TestCase", "can_bind_ipv6", "can_read", "can_write", "certificates",
           "client_context", "configuration", "connect", "free_address", "freeze", "imap", "is_sanitized", "main",
           "over_tls", "parse_line", "pop3", "refusing_address", "reset", "run_program", "server_context", "speak_before_tls",
           "starttls", "submission"]
PROGRAM = None
# What happens at once is over in so many seconds, on a machine that is busy with other tests: upper bounds begin with it.
SOON = 5
SANITIZER_SECONDS = 10  # on top of them


def main():
    """Runs the tests of a file; its first argument is the program to test."""
    global PROGRAM
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} PATH-OF-DEEPPROXY [TEST...]")
    PROGRAM = os.environ["DEEPPROXY"] = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)


@functools.cache
def is_sanitized():
    """Memory and time are no measure in a program that a sanitizer watches."""
    with open(PROGRAM, "rb") as file:
        return re.search(rb"__(asan|tsan)_init", file.read()) is not None


# ---- files ----

class Folder:
    """A temporary folder with a certificate and its key, shared by the tests of a file."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="deepproxy-"))
        certificates.make(self.path, names=("localhost", "mail.example.com"))

    def write(self, name, text):
        path = self.path / name
        path.write_text(text)
        return path

    def remove(self):
        shutil.rmtree(self.path)


def configuration(services, extra="", timeouts="", tls="", keys="", pool="", server=""):
    """
    The text of a file. `services`: by name, (protocol, listening addresses, servers, identity); a backend of the test
    stands for its address. `keys`: further keys of every service, or by name; `pool`: of every pool; `server`: of every
    server, or a function of its number. Servers are not checked unless `pool` has a `check`: what a scripted backend
    hears is the clients' own.
    """
    if not re.search(r"\bcheck\b", pool):
        pool += " check = false;"
    parts, pools = [], []
    for name, (protocol, listen, servers, identity) in services.items():
        places = ", ".join(f'"{place}"' for place in listen)
        entries = ", ".join(f'{{ address = "{getattr(place, "address", place)}"; {server(number) if callable(server) else server} }}'
                            for number, place in enumerate(servers))
        parts.append(f'{{ name = "{name}"; protocol = "{protocol}"; listen = [ {places} ]; backend = "{name}-pool"; '
                     f"{keys if isinstance(keys, str) else keys.get(name, '')} }}")
        pools.append(f'{{ name = "{name}-pool"; identity = "{identity}"; servers = ( {entries} ); {pool} }}')
    return (f'hostname = "proxy.example.com"; {who_stays(extra)}\n{extra}\n'
            f'tls = {{ certificates = ( {{ chain = "mail.pem"; key = "mail.key"; }} ); {tls} }};\n'
            f'deep = {{ tags = [ "tls11", "tls12" ]; url = "https://www.example.com/security"; }};\n'
            f"services = ( {', '.join(parts)} );\nbackends = ( {', '.join(pools)} );\n"
            f"timeouts = {{ {timeouts} }};\n")


# ---- processes ----

def run_program(*arguments, stdin=subprocess.DEVNULL):
    """A command that ends by itself."""
    return subprocess.run([PROGRAM, *map(str, arguments)], stdin=stdin, capture_output=True, text=True,
                          timeout=PATIENCE, env={**os.environ, **SANITIZERS})


# ---- tests ----

class TestCase(unittest.TestCase):
    """A folder for the file's tests; what a test starts is ended with it, the proxy first, all of it checked."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()

    @classmethod
    def tearDownClass(cls):
        cls.folder.remove()

    def backend(self, script, **options):
        backend = Backend(script, **options)
        self.addCleanup(backend.close)
        return backend

    def start(self, services, **options):
        """A proxy with services as in configuration(); given as {name: servers} they are of the protocol so named."""
        full = {}
        for name, service in services.items():
            full[name] = service if isinstance(service, tuple) else (name, ["127.0.0.1:0"], service, "none")
        path = self.folder.write("deepproxy.conf", configuration(full, **options))
        proxy = Proxy(path)
        self.addCleanup(proxy.stop)
        return proxy

    def client(self, proxy, service, **options):
        client = Client(proxy.port(service), **options)
        self.addCleanup(client.close)
        return client

    @contextlib.contextmanager
    def takes(self, least, most):
        """What is done in this context takes so many seconds, at least and at most."""
        begun = time.monotonic()
        yield
        self.assert_between(time.monotonic() - begun, least, most)

    def assert_between(self, seconds, least, most):
        self.assertGreaterEqual(seconds, least - 0.01)  # timers count whole milliseconds
        self.assertLessEqual(seconds, most + SANITIZER_SECONDS * is_sanitized())

    def assert_lasted(self, line, least, most=None):
        """A session's line says that it has lasted so many seconds, at least and at most (by default, and SOON)."""
        self.assert_between(float(line["duration"]), least, least + SOON if most is None else most)

    def wait_until(self, condition):
        """For the few things that nobody tells about."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, "what was waited for did not come")
            time.sleep(0.01)


class Events:
    """What a script tells its test."""

    def __init__(self):
        self.queue = queue.Queue()

    def tell(self, event):
        self.queue.put(event)

    def wait(self):
        return self.queue.get(timeout=PATIENCE)
