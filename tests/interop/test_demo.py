# SPDX-License-Identifier: BSD-2-Clause
"""The demo: its screen's commands show what the screen says, and nothing of it is left behind."""

import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

from common import SECURED, WAIT_SECONDS, until
import backends
import proxy

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "lib" / "demo.py"
LAST_LINE = "Ctrl-C ends"


class Screen:
    """A running demo, and what it has printed so far."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-B", PROGRAM, proxy.default_program()],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0)
        self.text = ""

    def read(self):
        while select.select([self.process.stdout], [], [], 0.1)[0]:
            piece = os.read(self.process.stdout.fileno(), 65536).decode()
            if not piece:
                break
            self.text += piece
        return self.text

    def wait_for(self, sign):
        try:
            until(f"{sign} on the screen", lambda: re.search(sign, self.read()))
        except AssertionError as failure:
            raise AssertionError(f"{failure}; its end is\n{self.text[-3000:]}") from None

    def end(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(WAIT_SECONDS)
            self.read()
            self.process.stdout.close()
        return self.process.returncode

    def directory(self):
        return pathlib.Path(re.search(r"\$ cd (\S+)", self.text)[1])

    def commands(self):
        """Each command of the screen, with the patterns of what it shows."""
        joined = self.text.replace("\\\n", "")
        for block in re.split(r"^ +\$ ", joined, flags=re.MULTILINE)[2:]:
            shows = [re.escape(line).replace(r"\.\.\.", ".*") for line in re.findall(r"^ +-> (.*)$", block, re.MULTILINE)]
            yield block.splitlines()[0], shows


def can_connect(port):
    with socket.socket() as plain:
        return plain.connect_ex(("127.0.0.1", port)) == 0


class Demo(unittest.TestCase):
    def setUp(self):
        reason = backends.missing()
        if reason:
            self.skipTest(reason)
        self.screen = Screen()
        self.addCleanup(self.screen.end)

    def test_screen_is_true(self):
        self.screen.wait_for(LAST_LINE)
        directory = self.screen.directory()
        for command, shows in self.screen.commands():
            with self.subTest(command=command):
                done = subprocess.run(["sh", "-c", command], cwd=directory, capture_output=True, text=True,
                                      timeout=WAIT_SECONDS, stdin=subprocess.DEVNULL, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                for pattern in shows:
                    self.assertRegex(done.stdout, "(?m)^" + pattern)
        self.screen.wait_for(rf"dovecot .*ID sent: .*tls=TLS_AES_\S+: .*rip=(?:127\.0\.0\.1|::1), .*{SECURED}")
        self.screen.wait_for(r"deepproxy .*event=session .*latch=tls12")
        self.screen.wait_for(r"postfix .*client=unknown\[(?:127\.0\.0\.1|::1)\].*sasl_username=demo")
        self.assertEqual(self.screen.end(), 0)
        self.assertFalse(directory.exists())

    def test_interrupted_while_it_starts(self):
        self.screen.wait_for("starting Dovecot")
        self.assertEqual(self.screen.end(), 0)
        self.assertNotIn(LAST_LINE, self.screen.text)

    def test_impatience_does_not_keep_it_from_cleaning_up(self):
        self.screen.wait_for(LAST_LINE)
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.screen.process.send_signal(number)
            time.sleep(0.1)
        self.assertEqual(self.screen.end(), 0)
        self.assertFalse(self.screen.directory().exists())

    def test_killed_demo_takes_its_servers_along(self):
        self.screen.wait_for(LAST_LINE)
        directory = self.screen.directory()
        self.addCleanup(shutil.rmtree, directory)
        self.screen.end(signal.SIGKILL)
        port = int(re.search(r"imap +localhost:(\d+)", self.screen.text)[1])
        until("the end of deepproxy", lambda: not can_connect(port))
        until("the end of the servers", lambda: not (directory / "backends").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
