# SPDX-License-Identifier: BSD-2-Clause
"""Who the program becomes: never root by default, and what that user must be able to do is tested before."""

import os
import pathlib
import pwd
import shutil
import subprocess
import unittest

import harness
from processes import status_of

CREATE = "`useradd --system --user-group --no-create-home --shell /usr/sbin/nologin "
NO_ACCOUNT = 4294967291


def has_default():
    try:
        return pwd.getpwnam("deepproxy") is not None
    except KeyError:
        return False


def can_mount():
    """A name space of its own, in which the machine's list of users may be another."""
    return shutil.which("unshare") and subprocess.run(
        ["unshare", "-m", "mount", "--bind", "/etc/hostname", "/etc/hostname"], capture_output=True, check=False).returncode == 0


@unittest.skipIf(os.geteuid() != 0, "needs root, whose privileges are given up")
class Users(harness.TestCase):
    def setUp(self):
        self.folder.path.chmod(0o711)

    def text(self, extra, **options):
        """As it is: no user but that of `extra`."""
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], ["127.0.0.1:1"], "none")}, extra=extra, **options)
        return text if "user" in extra else text.replace('user = "root"; ', "")

    def run_proxy(self, extra, program=None):
        proxy = harness.Proxy(self.folder.write("users.conf", self.text(extra)), program)
        self.addCleanup(proxy.stop)
        return proxy

    def ids(self, proxy):
        status = status_of(proxy.pid)
        return status["Uid"].split(), status["Gid"].split(), status["Groups"].split()

    def check(self, extra, status=1, command="check", **options):
        done = harness.run_program(command, "-c", self.folder.write("check.conf", self.text(extra, **options)))
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr

    # ---- who it is ----

    def test_root_stays_root_if_it_is_told_to(self):
        for word in ('"root"', "0", '"0"'):
            with self.subTest(word):
                proxy = self.run_proxy(f"user = {word};")
                self.assertEqual(self.ids(proxy)[0], ["0"] * 4)
                self.assertNotIn("as root", proxy.text)

    def test_numbers(self):
        account = pwd.getpwnam("nobody")
        proxy = self.run_proxy(f"user = {account.pw_uid};")
        self.assertEqual(self.ids(proxy)[:2], ([str(account.pw_uid)] * 4, [str(account.pw_gid)] * 4))
        proxy = self.run_proxy(f'user = "{NO_ACCOUNT}"; group = 4711; key_user = {pwd.getpwnam("daemon").pw_uid};')
        self.assertEqual(self.ids(proxy), ([str(NO_ACCOUNT)] * 4, ["4711"] * 4, ["4711"]))

    def test_a_number_without_a_group(self):
        for command in ("check", "run"):
            said = self.check(f"user = {NO_ACCOUNT};", command=command)
            self.assertIn(f":2: error: the user {NO_ACCOUNT} has no account, and so no group of its own: give its group", said)

    @unittest.skipIf(has_default(), "this machine has the user")
    def test_the_default_that_there_is_not(self):
        for command in ("check", "run"):
            said = self.check("", command=command)
            self.assertIn(f'create it with {CREATE}deepproxy`, name another one as "user", or set user = "root"', said)
            self.assertEqual(said.count("error:"), 1, said)

    def test_the_default(self):
        if not can_mount():
            self.skipTest("no name space for mounts")
        users = self.folder.write("passwd", pathlib.Path("/etc/passwd").read_text() +
                                  "deepproxy:x:4713:4714::/nonexistent:/usr/sbin/nologin\n")
        program = self.folder.write("deepproxy.sh", f'#!/bin/sh\nexec unshare -m sh -c \'mount --bind {users} /etc/passwd; '
                                                    f'exec {harness.PROGRAM} "$@"\' sh "$@"\n')
        program.chmod(0o755)
        proxy = self.run_proxy("", program)
        self.assertEqual(self.ids(proxy)[:2], (["4713"] * 4, ["4714"] * 4))

    def test_unknown_ones(self):
        """All at once, each at its line, beside what else is wrong."""
        extra = 'user = "nobody-a";\ngroup = "nobody-b";\nkey_user = "nobody-c";\nworkers = -1;'
        for command in ("check", "run"):
            said = self.check(extra, command=command)
            for line, words in ((2, f'there is no user "nobody-a": create it with {CREATE}nobody-a`'),
                                (3, 'there is no group "nobody-b": create it with `groupadd --system nobody-b`'),
                                (4, f'there is no user "nobody-c": create it with {CREATE}nobody-c`'),
                                (5, '"workers" is out of range')):
                self.assertIn(f":{line}: error: {words}", said)

    def test_unknown_ones_of_nobody(self):
        """Who is not root becomes nobody else: it is said, and is no error."""
        path = self.folder.write("warned.conf", self.text('user = "nobody-a";'))
        for name in ("mail.pem", "mail.key", "warned.conf"):
            (self.folder.path / name).chmod(0o644)
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                               harness.PROGRAM, "check", "-c", path], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r':2: warning: there is no user "nobody-a": .* \(it counts only if the program is')

    def test_a_reload_that_could_not_be_started(self):
        proxy = self.run_proxy('user = "nobody";')
        self.folder.write("users.conf", self.text('user = "nobody-a";'))
        self.assertIn("refused", proxy.reload())
        self.assertIn(CREATE, proxy.wait_line(event="configuration-problem")["problem"])

    # ---- what it may do ----

    def test_ticket_keys(self):
        keys = self.folder.path / "private" / "tickets.key"
        keys.parent.mkdir(mode=0o700)
        harness.run_program("ticket-keys", keys)
        keys.chmod(0o600)
        options = {"tls": 'ticket_keys = "private/tickets.key";'}
        words = 'error: the user "nobody", who the program becomes, can\'t read the ticket keys: no permission at '
        self.assertIn(f"{words}{keys.parent}; let that user pass through", self.check('user = "nobody";', **options))
        keys.parent.chmod(0o711)
        self.assertIn(f"{words}{keys}; let that user read the file", self.check('user = "nobody";', **options))
        self.check('user = "root";', 0, **options)
        shutil.chown(keys, "nobody")
        self.check('user = "nobody";', 0, **options)

    def test_state_file(self):
        state = self.folder.path / "state"
        state.mkdir(mode=0o755)
        extra = 'user = "nobody"; state_file = "state/promises";'
        self.assertIn(f"can't write the state file, which remembers what is promised: no permission at {state}; let that user "
                      "write into that folder", self.check(extra))
        shutil.chown(state, "nobody")
        self.check(extra, 0)


if __name__ == "__main__":
    harness.main()
