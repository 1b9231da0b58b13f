# SPDX-License-Identifier: BSD-2-Clause
"""Other processes as /proc shows them: who is whose child, what state they are in, and what is in their memory."""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import threading
import time

from proxy import PATIENCE, children

CHUNK = 1 << 20
CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP = 0x40000000, 0x8914, 1
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
OVERLAP = 256  # of the pieces of memory(); no shorter than what is looked for


def freeze(pid):
    """Stops a process, and returns when all of its threads have stopped: the signal alone is only on its way."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + PATIENCE
    tasks = pathlib.Path(f"/proc/{pid}/task")
    while not all("State:\tT" in (task / "status").read_text() for task in tasks.iterdir()):
        if time.monotonic() > end:
            raise AssertionError(f"process {pid} does not stop")
        time.sleep(0.001)


def enter_own_network():
    """
    Gives the calling thread, and what it starts from now on, a network with nothing but loopback. Returns what undoes
    it; an OSError if the system does not let this process do so.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def check(result):
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    before = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)

    def leave():
        check(libc.setns(before, CLONE_NEWNET))
        os.close(before)

    try:
        check(libc.unshare(CLONE_NEWNET))
    except OSError:
        os.close(before)
        raise
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    return leave


def guards_of(proxy):
    """The key processes' parents, of which there is one at most while all is well."""
    return [pid for pid in children(proxy.main_pid) if pid != proxy.pid]


def threads(pid):
    """The threads of a process and of those that it has started: process, thread and name."""
    for process in [pid, *children(pid)]:
        for task in pathlib.Path(f"/proc/{process}/task").iterdir():
            yield process, int(task.name), (task / "comm").read_text().strip()


@contextlib.contextmanager
def stopped_thread(tid):
    """Stops one thread alone while in this context: no signal can do that, so it is traced, by the calling thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long

    def trace(request):
        if libc.ptrace(request, tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    trace(PTRACE_SEIZE)
    trace(PTRACE_INTERRUPT)
    os.waitpid(tid, WALL)
    try:
        yield
    finally:
        trace(PTRACE_DETACH)


def guard_of(proxy):
    """The parent of the key process; it has no keys."""
    return guards_of(proxy)[0]


def signer_of(proxy):
    """The process that has the keys."""
    return children(guard_of(proxy))[0]


def status_of(pid):
    return dict(re.findall(r"^(\w+):[ \t]*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))


def allow_core_dumps(test):
    """To what the test starts: that a program forbids them to itself is to be seen."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, PermissionError):
        if before[1] == 0:
            test.skipTest("core dumps are forbidden here already")
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    test.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, (before[0], hard))


def memory(pid):
    """All that can be read of a process's memory, piece by piece, the pieces overlapping a little."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as image:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            begin, end = (int(place, 16) for place in line.split()[0].split("-"))
            if "r" not in line.split()[1] or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            for at in range(begin, end, CHUNK):
                with contextlib.suppress(OSError):
                    image.seek(at)
                    yield image.read(min(CHUNK + OVERLAP, end - at))


def finds(pid, wanted):
    """Which of these octets are somewhere in the process's memory. Needs root, and no sanitizer in the process."""
    return {secret for piece in memory(pid) for secret in wanted if secret in piece}
