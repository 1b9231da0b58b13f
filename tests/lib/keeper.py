# SPDX-License-Identifier: BSD-2-Clause
"""
Servers that need root, kept by a process of their own (by sudo where need be): it says on one JSON line which ports
answer, and stops everything when its standard input ends, that is, however its parent ends.

Kept is what a demo or a test holds; keep() is that process.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

START_SECONDS = 30
STOP_SECONDS = 10
PORTS = range(12000, 32000)
PORTS_A_PROCESS = 20
given = set()  # by free_ports()
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class BackendError(Exception):
    """The servers can't be started here; the text says why."""


class Kept:
    """Servers while they run, started by a Python program that calls keep()."""

    def __init__(self, *command):
        command = ["sudo"] * (os.geteuid() != 0) + [sys.executable, "-B", *map(str, command)]
        self._keeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            answer = json.loads(self._keeper.stdout.readline() or '{"error": "the servers\' keeper ended at once"}')
        except BaseException:
            self.stop()
            raise
        if "error" in answer:
            self.stop()
            raise BackendError(answer["error"])
        self.ports = answer

    def watch(self, pid):
        """A process that is to end with the servers, should this one be killed."""
        self._keeper.stdin.write(f"{pid}\n")
        self._keeper.stdin.flush()

    def failed(self):
        """Whether a server ended by itself."""
        return self._keeper.poll() is not None

    def stop(self):
        self._keeper.stdin.close()
        self._keeper.stdout.close()
        self._keeper.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def free_ports(count):
    """
    Ports of 127.0.0.1 that nobody uses now, and that the system gives to nobody until they are used: below those that it
    gives by itself, in a part of that range by process id, since tests run beside each other.
    """
    ports, first = [], PORTS.start + os.getpid() * PORTS_A_PROCESS % len(PORTS)
    for port in (*range(first, PORTS.stop), *PORTS):
        if port in given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.append(port)
            given.add(port)
        if len(ports) == count:
            return ports
    raise BackendError(f"no {count} free ports in {PORTS}")


def start(command):
    """Each server leads a session of its own: a Ctrl-C at the terminal is not for it."""
    with open("/dev/null", "rb") as nothing:
        return subprocess.Popen(command, stdin=nothing, stdout=sys.stderr, stderr=sys.stderr, start_new_session=True)


def wait_for_port(port, server, log):
    """Until the port takes connections; a server that ends before that has said why in its log."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    text = log.read_text(errors="replace").strip() if log.exists() else ""
    raise BackendError(f"{log.stem} did not start: {text or 'it left no word in its log'}")


def adopt_orphans():
    """What the servers start becomes our child when they end, so that stop() can wait for the last of it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(seconds):
    """Waits for children, ours and adopted ones; whether none is left."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.02)
        except ChildProcessError:
            return True
    return False


def stop(servers):
    """Asks the servers, then all that they started: a Dovecot that ends leaves its imap processes to their clients."""
    for server in servers:
        if server.poll() is None:
            server.terminate()
    for seconds, number in ((1, signal.SIGTERM), (STOP_SECONDS, signal.SIGKILL), (STOP_SECONDS, None)):
        if reap(seconds) or number is None:
            return
        for server in servers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, number)


def tell(answer):
    """To the parent; one that is gone already is noticed by the end of standard input."""
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), (json.dumps(answer) + "\n").encode())


def keep(directory, start_all):
    """
    The program. start_all(servers) starts them, adds each to the list as soon as it runs, and gives the ports by name.
    Ends when standard input does or a server does, and everything with it; a directory that was not there goes again.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    servers, watched = [], []
    adopt_orphans()
    existed = directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            ports = start_all(servers)
        except (BackendError, OSError, KeyError) as error:
            tell({"error": str(error)})
            return 1
        tell(ports)
        while all(server.poll() is None for server in servers):
            if select.select([sys.stdin], [], [], 0.5)[0]:
                told = os.read(sys.stdin.fileno(), 64)
                if not told:
                    return 0
                watched += [os.pidfd_open(int(pid)) for pid in told.split()]
        print("a server ended by itself; its log is in", directory, file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for process in watched:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGTERM)
        stop(servers)
        if not existed:
            shutil.rmtree(directory, ignore_errors=True)
