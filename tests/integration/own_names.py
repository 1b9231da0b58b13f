# SPDX-License-Identifier: BSD-2-Clause
"""
A name service of the test's own: the test's process gets a network with nothing but loopback, and files of the resolver
that lead to a DNS server in the test itself. Nothing of the machine's is asked or changed.
"""

import os
import pathlib
import shlex
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from proxy import PATIENCE

INSIDE = "DEEPPROXY_OWN_NAMES"
# A question is asked once, and an answer waited for for a second.
FILES = {"/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
         "/etc/nsswitch.conf": "hosts: files dns\npasswd: files\ngroup: files\n"}
A, AAAA = 1, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def enter():
    """Runs the program that calls it once more, in name spaces of its own, if it may have them."""
    if os.environ.get(INSIDE):
        return
    spaces = ["unshare", "--net", "--mount"] + ["--map-root-user"] * (os.geteuid() != 0)
    if subprocess.run([*spaces, "true"], capture_output=True, check=False).returncode != 0:
        return
    folder = pathlib.Path(tempfile.mkdtemp(prefix="deepproxy-names-"))
    steps = ["ip link set lo up"]
    for path, text in FILES.items():
        source = folder / pathlib.Path(path).name
        source.write_text(text)
        steps.append(f"mount --bind {source} {path}")
    steps.append(f"rm -r {folder}")  # what is bound stays
    words = " ".join(shlex.quote(word) for word in [sys.executable, "-B", *sys.argv])
    os.execvpe(spaces[0], [*spaces, "sh", "-ec", "; ".join([*steps, f"exec {words}"])], {**os.environ, INSIDE: "1"})


def is_inside():
    return bool(os.environ.get(INSIDE))


class NameServer:
    """
    Answers for names as it is told: `zone` has, by name, a list of addresses, or a word: "wrong" (there is no such name),
    "broken" (the server has failed), "silent". A name that it does not have is wrong.
    """

    def __init__(self):
        self.zone = {}
        self.counts = {}
        self.changed = threading.Condition()
        self.is_closed = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def set(self, name, what):
        with self.changed:
            self.zone[name] = what

    def count(self, name):
        """How many questions for its IPv4 addresses there were."""
        with self.changed:
            return self.counts.get(name, 0)

    def wait_questions(self, name, count):
        """Until so many more have been asked."""
        with self.changed:
            wanted = self.counts.get(name, 0) + count
            assert self.changed.wait_for(lambda: self.counts.get(name, 0) >= wanted, PATIENCE), f"nobody asks for {name}"

    def _serve(self):
        self.socket.settimeout(0.1)
        while not self.is_closed:
            try:
                question, client = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            answer = self._answer(question)
            if answer:
                self.socket.sendto(answer, client)

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name, kind = ".".join(labels).lower(), struct.unpack(">H", question[at + 1:at + 3])[0]
        with self.changed:
            what = self.zone.get(name, "wrong")
            if kind == A:
                self.counts[name] = self.counts.get(name, 0) + 1
                self.changed.notify_all()
        if what == "silent":
            return None
        code = {"wrong": NXDOMAIN, "broken": SERVFAIL}.get(what, NOERROR) if isinstance(what, str) else NOERROR
        records = []
        for address in what if code == NOERROR else []:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if kind == (AAAA if family == socket.AF_INET6 else A):
                data = socket.inet_pton(family, address)
                records.append(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(data)) + data)
        return question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0) + question[12:at + 5] + b"".join(records)

    def close(self):
        self.is_closed = True
        self.thread.join(PATIENCE)
        self.socket.close()
