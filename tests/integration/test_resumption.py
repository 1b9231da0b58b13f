# SPDX-License-Identifier: BSD-2-Clause
"""Resumption by tickets: across workers, across processes that share a file of keys, and while that file rotates."""

import os
import signal
import ssl
import stat
import subprocess
import unittest

import harness

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
KEYS = 3
LINE = 109  # octets of a key in the file
VISITS = 40  # of which all but one in 2**39 times some meet each of two workers


class Visits(harness.TestCase):
    """Clients that come back."""

    def setUp(self):
        self.pop3 = self.backend(harness.pop3)
        self.keys = self.folder.path / "tickets.key"
        self.keys.unlink(missing_ok=True)

    def replica(self, name, tls='ticket_keys = "tickets.key";', extra=""):
        """A proxy with a configuration of its own."""
        path = self.folder.write(f"{name}.conf", harness.configuration(
            {"pop3": ("pop3", ["127.0.0.1:0"], [self.pop3], "none")}, tls=tls, extra=extra))
        proxy = harness.Proxy(path)
        self.addCleanup(proxy.stop)
        return proxy

    def rotate(self, *taken_up_by):
        """Makes or rotates the file, and has it taken up."""
        result = harness.run_program("ticket-keys", self.keys)
        self.assertEqual(result.returncode, 0, result.stderr)
        for proxy in taken_up_by:
            self.take_up(proxy)

    def take_up(self, proxy, **fields):
        fields = fields or {"step": "in use"}
        before = len(proxy.find(event="ticket-keys", **fields))
        proxy.process.send_signal(signal.SIGHUP)
        return proxy.wait_lines(before + 1, event="ticket-keys", **fields)[-1]

    def visit(self, proxy, context, session=None, name="mail.example.com"):
        """Whether the session was resumed, and what there is to come back with."""
        client = self.client(proxy, "pop3", context=context, session=session, name=name)
        self.assertEqual(client.line(), b"+OK ready")
        client.send(b"QUIT\r\n")
        self.assertEqual(client.rest(), b"+OK bye\r\n")
        return client.tls.session_reused, client.tls.session

    def each_version(self):
        for name, version in VERSIONS.items():
            with self.subTest(name):
                yield harness.client_context(version, version)


class Shared(Visits):
    def test_another_replica_resumes(self):
        self.rotate()
        first, second = self.replica("first"), self.replica("second")
        # One key seals in both, and the log shows it.
        seals = [proxy.wait_line(event="ticket-keys", step="in use")["key"] for proxy in (first, second)]
        self.assertEqual(seals[0], seals[1])
        for context in self.each_version():
            resumed, session = self.visit(first, context)
            self.assertFalse(resumed)
            resumed, session = self.visit(second, context, session)
            self.assertTrue(resumed)
            resumed, _ = self.visit(first, context, session)
            self.assertTrue(resumed)
        self.assertEqual([line["resumed"] for line in second.wait_lines(2, event="session")], ["yes", "yes"])

    def test_replicas_with_other_keys_do_not_resume(self):
        self.rotate()
        first, second = self.replica("first"), self.replica("second", tls="")
        for context in self.each_version():
            _, session = self.visit(first, context)
            self.assertFalse(self.visit(second, context, session)[0])

    def test_rotation(self):
        """A ticket outlives the first rotation after it, and gets a successor; after the second its key is gone."""
        self.rotate()
        first, second = self.replica("first"), self.replica("second")
        for context in self.each_version():
            _, old = self.visit(first, context)
            self.rotate(first, second)
            resumed, renewed = self.visit(second, context, old)
            self.assertTrue(resumed)
            self.rotate(first, second)
            self.assertFalse(self.visit(second, context, old)[0])
            resumed, renewed = self.visit(second, context, renewed)
            self.assertTrue(resumed)
            for _ in range(3):
                self.rotate(first, second)
            self.assertFalse(self.visit(first, context, renewed)[0])

    def test_a_replica_that_is_late(self):
        """The key that begins to seal is one that all know already."""
        self.rotate()
        early, late = self.replica("early"), self.replica("late")
        self.rotate(early)
        for context in self.each_version():
            _, session = self.visit(early, context)
            self.assertTrue(self.visit(late, context, session)[0])
            _, session = self.visit(late, context)
            self.assertTrue(self.visit(early, context, session)[0])
        self.take_up(late)

    def test_a_broken_file_is_refused_while_the_old_keys_serve(self):
        self.rotate()
        proxy = self.replica("first")
        good = self.keys.read_text()
        for context in self.each_version():
            _, session = self.visit(proxy, context)
            self.keys.write_text(good.splitlines()[0] + "\nbroken\n")
            line = self.take_up(proxy, step="refused")
            self.assertEqual((line["level"], line["line"]), ("error", "2"))
            self.assertIn("no base64", line["reason"])
            self.assertTrue(self.visit(proxy, context, session)[0])
            self.keys.unlink()
            self.assertIn("No such file", self.take_up(proxy, step="refused")["reason"])
            self.assertTrue(self.visit(proxy, context, session)[0])
            self.rotate(proxy)
            self.assertFalse(self.visit(proxy, context, session)[0])

    def test_a_file_that_a_symbolic_link_brings(self):
        """As Kubernetes does it: a link to a folder is what changes."""
        for version in ("a", "b"):
            folder = self.folder.path / version
            folder.mkdir()
            self.assertEqual(harness.run_program("ticket-keys", folder / "tickets.key").returncode, 0)
        link = self.folder.path / "data"
        link.symlink_to("a")
        self.keys.symlink_to("data/tickets.key")
        proxy = self.replica("first")
        key = proxy.wait_line(event="ticket-keys")["key"]
        other = self.folder.path / "other"
        other.symlink_to("b")
        other.rename(link)
        self.assertNotEqual(self.take_up(proxy)["key"], key)

    @unittest.skipIf(os.geteuid() != 0, "only root can become another user")
    def test_a_file_that_the_user_cannot_read(self):
        """Root could, when it started: it is said at once, not when the first rotation gets lost."""
        self.rotate()
        self.folder.path.chmod(0o711)
        self.addCleanup(self.folder.path.chmod, 0o700)
        proxy = self.replica("first", extra='user = "nobody";')
        self.assertIn("Permission denied; the user that deepproxy becomes must be able to read",
                      proxy.wait_line(event="ticket-keys", step="refused")["reason"])
        for context in self.each_version():
            _, session = self.visit(proxy, context)
            self.assertTrue(self.visit(proxy, context, session)[0])
        self.rotate()
        self.take_up(proxy, step="refused")
        self.assertEqual(len(proxy.find(event="ticket-keys", step="refused")), 2)

    def test_no_secret_in_the_log(self):
        self.rotate()
        proxy = self.replica("first", extra='log_level = "debug";')
        for _ in range(KEYS):
            self.rotate(proxy)
        self.keys.write_text("broken" + self.keys.read_text())
        self.take_up(proxy, step="refused")
        for line in self.keys.read_text().splitlines():
            for start in range(24, len(line) - 16):  # behind the name, which is no secret
                self.assertNotIn(line[start:start + 16], proxy.text)


class Alone(Visits):
    def test_all_workers_resume(self):
        proxy = self.replica("alone", tls="", extra="workers = 2;")
        count = 0
        for context in self.each_version():
            _, session = self.visit(proxy, context)
            for _ in range(VISITS):
                self.assertTrue(self.visit(proxy, context, session)[0])
            count += 1 + VISITS
        lines = proxy.wait_lines(count, event="session")
        self.assertEqual(len({line["session"].rsplit("-", 1)[0] for line in lines}), 2)

    def test_another_name_is_not_resumed(self):
        proxy = self.replica("alone", tls="")
        for context in self.each_version():
            _, session = self.visit(proxy, context)
            self.assertFalse(self.visit(proxy, context, session, name="localhost")[0])
            self.assertTrue(self.visit(proxy, context, session)[0])

    def test_tickets_switched_off(self):
        self.rotate()
        proxy = self.replica("alone", tls='ticket_keys = "tickets.key"; session_tickets = false;')
        for context in self.each_version():
            _, session = self.visit(proxy, context)
            self.assertFalse(session is not None and session.has_ticket)
        self.assertEqual(proxy.find(event="ticket-keys"), [])


class Command(harness.TestCase):
    """deepproxy ticket-keys."""

    def setUp(self):
        self.keys = self.folder.path / f"{self.id()}.key"
        self.draft = self.keys.with_name(self.keys.name + ".new")

    def expect(self, status, path=None, words=""):
        result = harness.run_program("ticket-keys", path or self.keys)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        self.assertEqual((result.stdout == "", result.stderr == ""), (status != 0, status == 0))
        self.assertIn(words, result.stdout + result.stderr)
        self.assertFalse(self.draft.exists() and not self.draft.is_symlink() and self.draft.stat().st_size > 0)
        return result

    def lines(self):
        lines = self.keys.read_text().splitlines(keepends=True)
        self.assertEqual([len(line) for line in lines], KEYS * [LINE])
        return lines

    def test_makes_and_rotates(self):
        self.expect(0, words="made, with three keys")
        self.assertEqual(stat.S_IMODE(self.keys.stat().st_mode), 0o600)
        first = self.lines()
        self.assertEqual(len(set(first)), KEYS)
        result = self.expect(0, words="rotated")
        second = self.lines()
        self.assertEqual(second[:2], first[1:])
        self.assertNotIn(second[2], first)
        for line in first + second:
            self.assertNotIn(line[:16], result.stdout)

    def test_more_keys_than_three(self):
        self.expect(0)
        many = self.lines()
        self.expect(0)
        self.keys.write_text(many[0] + self.keys.read_text())
        before = self.keys.read_text().splitlines(keepends=True)
        self.assertEqual(len(before), KEYS + 1)
        self.expect(0)
        self.assertEqual(self.lines()[:2], before[2:])

    def test_owner_and_mode_stay(self):
        self.expect(0)
        self.keys.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(self.keys, 12345, 23456)
        before = self.keys.stat()
        self.expect(0)
        after = self.keys.stat()
        self.assertNotEqual(after.st_ino, before.st_ino)
        self.assertEqual((after.st_uid, after.st_gid, after.st_mode), (before.st_uid, before.st_gid, before.st_mode))

    def test_a_link_stays_a_link(self):
        self.expect(0)
        link = self.folder.path / f"{self.id()}.link"
        link.symlink_to(self.keys.name)
        before = self.lines()
        self.expect(0, link)
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.lines()[:2], before[1:])

    def test_what_is_broken_stays(self):
        self.keys.write_text("no sense\n")
        result = self.expect(1, words=f"{self.keys}:1: the line is no base64")
        self.assertIn("nothing was changed", result.stderr)
        self.assertEqual(self.keys.read_text(), "no sense\n")

    def test_places_where_no_file_can_be(self):
        self.expect(1, self.folder.path, words="Is a directory")
        self.expect(1, self.folder.path / "nowhere" / "tickets.key", words="No such file or directory")
        self.expect(1, self.folder.path / "mail.pem" / "tickets.key", words="Not a directory")
        self.expect(1, self.folder.path / ("x" * 300), words="File name too long")

    def test_two_at_once(self):
        self.expect(0)
        before = self.keys.read_text()
        self.draft.touch(0o600)
        with subprocess.Popen(["flock", self.draft, "-c", "echo locked; read line"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as holder:
            self.assertEqual(holder.stdout.readline(), b"locked\n")
            self.expect(1, words="another deepproxy ticket-keys is at work")
            holder.stdin.write(b"\n")
        self.assertEqual(self.keys.read_text(), before)

    def test_what_a_crash_has_left(self):
        self.expect(0)
        before = self.lines()
        self.draft.write_text("half a k")
        self.draft.chmod(0o644)
        self.expect(0)
        self.assertEqual(self.lines()[:2], before[1:])
        self.assertEqual(stat.S_IMODE(self.keys.stat().st_mode), 0o600)

    @unittest.skipIf(os.geteuid() != 0, "only root can give files away")
    def test_what_belongs_to_others(self):
        self.expect(0)
        self.draft.touch()
        os.chown(self.draft, 12345, 12345)
        self.expect(1, words="was not made by this user")
        os.chown(self.keys, 12345, 12345)
        self.expect(0)  # left behind by a run that was killed when it had given it to them
        self.assertEqual(self.keys.stat().st_uid, 12345)

    def test_a_trap_in_its_place(self):
        self.expect(0)
        before = self.keys.read_text()
        trap = self.folder.path / f"{self.id()}.trap"
        trap.touch()
        self.draft.symlink_to(trap)
        self.expect(1, words=str(self.draft))
        self.draft.unlink()
        self.draft.hardlink_to(trap)
        self.expect(1, words="was not made by this user")
        self.assertEqual(trap.read_text(), "")
        self.assertEqual(self.keys.read_text(), before)

    def test_usage(self):
        for arguments in [(), ("-c", "x"), ("a", "b"), ("-x",)]:
            result = harness.run_program("ticket-keys", *arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn("usage: deepproxy run", result.stderr)


class Checking(harness.TestCase):
    def check(self, name, status):
        path = self.folder.write("check.conf", harness.configuration(
            {"pop3": ("pop3", ["127.0.0.1:0"], ["127.0.0.1:1"], "none")}, tls=f'ticket_keys = "{name}";'))
        result = harness.run_program("check", "-c", path)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stderr

    def test_missing_file(self):
        self.assertRegex(self.check("nowhere.key", 1),
                         r"check\.conf:\d+: error: .*/nowhere\.key: can't read the ticket keys: No such file")

    def test_broken_file(self):
        self.folder.write("broken.key", "\n\nx\n")
        self.assertRegex(self.check("broken.key", 1), r"/broken\.key:3: error: the line is no base64")

    def test_file_that_all_can_read(self):
        harness.run_program("ticket-keys", self.folder.path / "open.key")
        self.assertEqual(self.check("open.key", 0), "")
        (self.folder.path / "open.key").chmod(0o644)
        self.assertRegex(self.check("open.key", 0), r"/open\.key: warning: everybody on this machine")

    def test_beside_an_error_of_the_file(self):
        path = self.folder.write("both.conf", harness.configuration(
            {"pop3": ("pop3", ["127.0.0.1:0"], ["127.0.0.1:1"], "none")}, tls='ticket_keys = "nowhere.key"; x = 1;'))
        text = harness.run_program("check", "-c", path).stderr
        self.assertIn("nowhere.key: can't read the ticket keys", text)
        self.assertRegex(text, r"deepproxy: .*: 2 errors\n$")


if __name__ == "__main__":
    harness.main()
