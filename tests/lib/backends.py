# SPDX-License-Identifier: BSD-2-Clause
"""A private Dovecot and Postfix, as an old mail server has them: cleartext, on loopback, all in one directory.

Backends is what the demo and the tests hold. The servers need root for their own separation of users, so they are
looked after by a process of their own (this file, run as a program; by sudo where need be): it says on one JSON line
which ports answer, and stops everything when its standard input ends, that is, however its parent ends. Nothing of the
machine's own Dovecot or Postfix is read, changed or signalled.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import backend_files

START_SECONDS = 30
STOP_SECONDS = 10
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
PROGRAMS = {"dovecot": "/usr/sbin/dovecot", "postfix": "/usr/lib/postfix/sbin/master"}


class BackendError(Exception):
    """The servers can't be started here; the text says why."""


class Backends:
    """Both servers while they run. Ports: imap, pop3, submission want PROXY v2; those with -direct behind do not."""

    def __init__(self, directory, postfix=True):
        self.directory = pathlib.Path(directory)
        self.dovecot_log = self.directory / "dovecot.log"
        self.postfix_log = self.directory / "postfix.log"
        command = [sys.executable, os.path.abspath(__file__), str(self.directory)] + ["--no-postfix"] * (not postfix)
        if os.geteuid() != 0:
            command = ["sudo"] + command
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


def missing(postfix=True):
    """What keeps the servers from being started here, as a sentence; None where nothing does."""
    for name, program in PROGRAMS.items():
        if (postfix or name != "postfix") and not os.access(program, os.X_OK):
            return f"{name} is not installed ({program})"
    if os.geteuid() != 0 and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode != 0:
        return "Dovecot and Postfix need root, and sudo would ask for a password"
    return None


def free_ports(count):
    """Ports of 127.0.0.1 that nobody uses now. They are all held until the last is known, so that they differ."""
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def spare_uid():
    """A user id without an account, so that the mail belongs to nobody else on this machine."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(59000, 60000) if uid not in taken)


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


def start_all(directory, ports, postfix, servers):
    uid = spare_uid()
    backend_files.write_dovecot(directory, ports, uid, postfix)
    servers.append(start([PROGRAMS["dovecot"], "-F", "-c", str(directory / "dovecot" / "dovecot.conf")]))
    if postfix:
        backend_files.write_postfix(directory, ports, uid)
        servers.append(start([PROGRAMS["postfix"], "-c", str(directory / "postfix"), "-s"]))
        wait_for_port(ports["submission-direct"], servers[-1], directory / "postfix.log")
    for service in ("imap", "pop3"):
        wait_for_port(ports[f"{service}-direct"], servers[0], directory / "dovecot.log")


def tell(answer):
    """To the parent; one that is gone already is noticed by the end of standard input."""
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), (json.dumps(answer) + "\n").encode())


def keep(directory, postfix):
    """The program: starts the servers, reports, and stops them when standard input ends or a server does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    names = ["imap", "pop3", "imap-direct", "pop3-direct"] + ["submission", "submission-direct"] * postfix
    ports = dict(zip(names, free_ports(len(names))))
    servers, watched = [], []
    adopt_orphans()
    existed = directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            start_all(directory, ports, postfix, servers)
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


if __name__ == "__main__":
    sys.exit(keep(pathlib.Path(sys.argv[1]).absolute(), "--no-postfix" not in sys.argv[2:]))
