# SPDX-License-Identifier: BSD-2-Clause
"""The proxy with its key process: who has the keys, and what happens when that process ends."""

import base64
import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import ssl
import subprocess
import unittest

import harness
from private_keys import openssl, secrets
from processes import allow_core_dumps, finds, guard_of, guards_of, signer_of, status_of

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def send_hello(client):
    with contextlib.suppress(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.flush()


class Isolation(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = cls.folder.path
        for name, options in [("ec", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]), ("rsa", ["rsa:2048"]),
                              ("p384", ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"])]:
            openssl("req", "-x509", "-newkey", *options, "-nodes", "-keyout", path / f"{name}.key", "-out",
                    path / f"{name}.pem", "-days", "7", "-subj", f"/CN={name}.example.com", "-addext",
                    f"subjectAltName=DNS:{name}.example.com")
        cls.names = ["ec", "rsa", "p384"]

    def run_proxy(self, names=None, extra="", entries=None, timeouts=""):
        entries = entries or ", ".join(f'{{ chain = "{name}.pem"; key = "{name}.key"; }}'
                                       for name in names or self.names)
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")},
                                     extra=extra, timeouts=timeouts)
        text = re.sub(r"certificates = \(.*?\);", lambda _: f"certificates = ( {entries} );", text, count=1)
        proxy = harness.Proxy(self.folder.write("isolation.conf", text))
        self.addCleanup(proxy.stop)
        return proxy

    def shake_hands(self, proxy, name="ec", version=ssl.TLSVersion.TLSv1_3):
        context = harness.client_context(version, version)
        client = self.client(proxy, "pop3", context=context, name=f"{name}.example.com")
        self.assertEqual(client.line(), b"+OK ready")
        leaf = openssl("x509", "-in", self.folder.path / f"{name}.pem", "-outform", "DER")
        self.assertEqual(client.tls.getpeercert(True), leaf)
        return client

    def assert_not_signed(self, proxy, name):
        """A handshake for which no signature is to be had ends at once."""
        client = self.client(proxy, "pop3", shake_hands=False, name=f"{name}.example.com")
        with self.takes(0, harness.SOON):
            self.assertEqual(client.refusal(), "closed")

    def check(self, entries, extra=""):
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], ["127.0.0.1:1"], "none")}, extra=extra)
        text = re.sub(r"certificates = \(.*?\);", lambda _: f"certificates = ( {entries} );", text, count=1)
        return harness.run_program("check", "-c", self.folder.write("check.conf", text))

    def test_handshakes_with_each_key_and_version(self):
        for extra in ["", "key_isolation = false;"]:
            proxy = self.run_proxy(extra=extra)
            self.assertEqual(len(guards_of(proxy)), 0 if extra else 1)
            for name in self.names:
                for version in VERSIONS:
                    with self.subTest(name=name, version=version, extra=extra):
                        self.assertEqual(self.shake_hands(proxy, name, version).ask(b"STAT"), b"+OK 1 0")

    def test_many_handshakes_at_once(self):
        proxy = self.run_proxy(timeouts="handshake = 120;")
        clients = [self.client(proxy, "pop3", shake_hands=False, name=f"{self.names[i % 3]}.example.com")
                   for i in range(120)]
        for client in clients:
            client.shake_hands()
        for client in clients:
            self.assertEqual(client.line(), b"+OK ready")

    @unittest.skipIf(os.geteuid() != 0, "needs root, to read another process's memory")
    def test_no_key_in_memory(self):
        if harness.is_sanitized():
            self.skipTest("the shadow memory of a sanitizer has no end")
        wanted = {secret for name in self.names for secret in secrets(self.folder.path / f"{name}.key")}
        proxy = self.run_proxy()
        processes = {"proxy": proxy.pid, "guard": guard_of(proxy)}
        self.assertEqual(finds(proxy.pid, wanted), set())
        clients = []
        for name in self.names:
            for version in VERSIONS:
                waiting = self.client(proxy, "pop3", shake_hands=False, name=f"{name}.example.com")
                clients += [waiting, self.shake_hands(proxy, name, version)]
        for name, pid in processes.items():
            self.assertEqual(finds(pid, wanted), set(), name)
        # They are somewhere, and would have been found.
        self.assertNotEqual(finds(signer_of(proxy), wanted), set())

    @unittest.skipIf(os.geteuid() != 0, "needs root, to read another process's memory")
    def test_a_key_in_memory_is_found(self):
        if harness.is_sanitized():
            self.skipTest("the shadow memory of a sanitizer has no end")
        for name in self.names:
            with self.subTest(name):
                proxy = self.run_proxy([name], extra="key_isolation = false;")
                self.shake_hands(proxy, name)
                found = finds(proxy.pid, set(secrets(self.folder.path / f"{name}.key")))
                self.assertNotEqual(found, set())

    @unittest.skipIf(os.geteuid() != 0, "needs root, to read another process's memory")
    def test_no_key_of_a_file_with_its_chain(self):
        if harness.is_sanitized():
            self.skipTest("the shadow memory of a sanitizer has no end")
        path = self.folder.path
        folder = path / "certificates"
        folder.mkdir()
        for name in self.names:
            (folder / f"{name}.pem").write_bytes((path / f"{name}.key").read_bytes() +
                                                 (path / f"{name}.pem").read_bytes())
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], [self.backend(harness.pop3)], "none")})
        text = re.sub(r"certificates = \(.*?\);", lambda _: 'certificate_dir = "certificates";', text, count=1)
        proxy = harness.Proxy(self.folder.write("directory.conf", text))
        self.addCleanup(proxy.stop)
        for name in self.names:
            self.shake_hands(proxy, name)
        wanted = {secret for name in self.names for secret in secrets(path / f"{name}.key")}
        self.assertEqual(finds(proxy.pid, wanted), set())

    def test_signer_that_is_killed(self):
        proxy = self.run_proxy()
        client = self.shake_hands(proxy)
        for times in range(1, 3):
            os.kill(signer_of(proxy), signal.SIGKILL)
            self.assertIn("killed by signal 9", proxy.wait_lines(times, event="keys-ended")[-1]["error"])
            self.assertEqual(client.ask(b"STAT"), b"+OK %d 0" % times)
            proxy.wait_lines(times, event="keys-restarted")
            for name in self.names:
                self.shake_hands(proxy, name)

    def test_handshakes_wait_while_nobody_signs(self):
        proxy = self.run_proxy(extra="workers = 1;")
        client = self.shake_hands(proxy)
        harness.freeze(signer_of(proxy))
        waiting = self.client(proxy, "pop3", shake_hands=False, name="ec.example.com")
        send_hello(waiting)
        gone = self.client(proxy, "pop3", shake_hands=False, name="ec.example.com")
        send_hello(gone)
        gone.finish()
        proxy.session(reason="client-closed")
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        os.kill(signer_of(proxy), signal.SIGKILL)
        waiting.shake_hands()
        self.assertEqual(waiting.line(), b"+OK ready")
        self.shake_hands(proxy)

    def test_key_that_could_not_be_loaded_again(self):
        """Away for the moment in which the signer is started again; it is there again at the next reload."""
        proxy = self.run_proxy()
        self.shake_hands(proxy, "ec")
        key, aside = self.folder.path / "ec.key", self.folder.path / "aside"
        key.rename(aside)
        self.addCleanup(lambda: aside.exists() and aside.rename(key))
        os.kill(signer_of(proxy), signal.SIGKILL)
        self.assertEqual(proxy.wait_line(event="key-lost")["key"], str(key))
        proxy.wait_line(event="keys-restarted")
        aside.rename(key)
        self.assertEqual(proxy.reload(), "done")
        self.shake_hands(proxy, "ec")

    def test_key_with_a_public_half_of_another(self):
        """It would pass for the other certificate's."""
        path = self.folder.path

        def sec1(name):
            return subprocess.run(["openssl", "ec", "-in", path / name, "-outform", "DER"], check=True,
                                  capture_output=True).stdout

        harness.certificates.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                                     "-out", path / "other.key")
        whole, other = sec1("ec.key"), sec1("other.key")
        self.assertEqual(len(whole), len(other))
        mixed = base64.encodebytes(other[:-65] + whole[-65:]).decode()
        (path / "mixed.key").write_text(f"-----BEGIN EC PRIVATE KEY-----\n{mixed}-----END EC PRIVATE KEY-----\n")
        self.run_proxy()
        text = (path / "isolation.conf").read_text()
        conf = self.folder.write("mixed.conf", text.replace("ec.key", "mixed.key"))
        result = harness.run_program("check", "-c", conf)
        self.assertEqual(result.returncode, 1)
        self.assertIn("mixed.key is damaged: its public half is not that of its private half", result.stderr)

    def test_end_while_a_reload_waits_for_keys(self):
        proxy = self.run_proxy()
        harness.freeze(signer_of(proxy))
        os.utime(self.folder.path / "ec.pem")
        proxy.process.send_signal(signal.SIGHUP)
        proxy.terminate()
        proxy.wait_line(event="shutdown")
        proxy.terminate()
        proxy.wait()

    def test_client_that_talks_while_nobody_signs(self):
        """More than may be kept for it ends its session; the signature that comes then is nobody's."""
        proxy = self.run_proxy()
        signer = signer_of(proxy)
        harness.freeze(signer)
        noisy = self.client(proxy, "pop3", shake_hands=False, name="ec.example.com")
        send_hello(noisy)
        noisy.socket.sendall(b"\x17\x03\x03\x40\x00" + bytes(30000))
        self.assertEqual(noisy.refusal(), "closed")
        noisy.finish()
        self.assertIn("too much before the end of the handshake", proxy.session(reason="handshake-failed")["detail"])
        os.kill(signer, signal.SIGCONT)
        for name in self.names:
            self.shake_hands(proxy, name)

    def test_late_signatures(self):
        """Answers for sessions that have ended meanwhile go to nobody."""
        proxy = self.run_proxy()
        signer = signer_of(proxy)
        harness.freeze(signer)
        for name in self.names:
            gone = self.client(proxy, "pop3", shake_hands=False, name=f"{name}.example.com")
            send_hello(gone)
            gone.finish()
        proxy.wait_lines(3, event="session", reason="client-closed")
        waiting = self.client(proxy, "pop3", shake_hands=False, name="ec.example.com")
        send_hello(waiting)
        os.kill(signer, signal.SIGCONT)
        waiting.shake_hands()
        self.assertEqual(waiting.line(), b"+OK ready")

    def test_ends_that_come_with_many_others(self):
        """Handshakes that had to wait for their turn, and then wait for a signature: their clients' ends are noticed."""
        proxy = self.run_proxy()
        signer = signer_of(proxy)
        clients = [self.client(proxy, "pop3", shake_hands=False, name="ec.example.com") for _ in range(100)]
        harness.freeze(signer)
        harness.freeze(proxy.pid)
        try:
            for gone in clients:
                send_hello(gone)
        finally:
            os.kill(proxy.pid, signal.SIGCONT)
        waiting = self.client(proxy, "pop3", shake_hands=False, name="ec.example.com")
        send_hello(waiting)
        for gone in clients:
            gone.finish()
        proxy.wait_lines(len(clients), event="session", reason="client-closed")
        os.kill(signer, signal.SIGCONT)
        waiting.shake_hands()
        self.assertEqual(waiting.line(), b"+OK ready")

    def test_handshake_timeout_while_nobody_signs(self):
        proxy = self.run_proxy(timeouts='handshake = "3 s";')
        signer = signer_of(proxy)
        harness.freeze(signer)
        waiting = self.client(proxy, "pop3", shake_hands=False, name="ec.example.com")
        send_hello(waiting)
        self.assert_lasted(proxy.session(reason="handshake-timeout"), 3)
        os.kill(signer, signal.SIGCONT)
        self.shake_hands(proxy)

    def test_key_file_that_has_become_another(self):
        path = self.folder.path
        for suffix in ["pem", "key"]:
            shutil.copy(path / f"ec.{suffix}", path / f"old.{suffix}")
        proxy = self.run_proxy(["old", "rsa"])
        shutil.copy(path / "p384.key", path / "old.key")
        os.kill(signer_of(proxy), signal.SIGKILL)
        self.assertIn("another key", proxy.wait_line(event="key-lost")["error"])
        proxy.wait_line(event="keys-restarted")
        self.assert_not_signed(proxy, "ec")
        self.shake_hands(proxy, "rsa")

    def make_pair(self, kind, name):
        path = self.folder.path
        openssl("req", "-x509", "-newkey", *kind, "-nodes", "-keyout", path / f"{name}.new", "-out",
                path / f"{name}.chain", "-days", "7", "-subj", f"/CN={name}.example.com", "-addext",
                f"subjectAltName=DNS:{name}.example.com")
        os.replace(path / f"{name}.new", path / f"{name}.key")
        os.replace(path / f"{name}.chain", path / f"{name}.pem")

    @unittest.skipIf(os.geteuid() != 0, "needs root, to read another process's memory")
    def test_renewed_keys_replace_the_old(self):
        """The new ones sign, at once; the old ones are in no memory any more when the last session has let go of them."""
        kinds = {"one": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "two": ["rsa:2048"]}
        for name, kind in kinds.items():
            self.make_pair(kind, name)
        old = {secret for name in kinds for secret in secrets(self.folder.path / f"{name}.key")}
        proxy = self.run_proxy(list(kinds))
        for name in kinds:
            self.shake_hands(proxy, name)
        if not harness.is_sanitized():
            self.assertNotEqual(finds(signer_of(proxy), old), set())
        for name, kind in kinds.items():
            self.make_pair(kind, name)
        self.assertEqual(proxy.reload(), "done")
        for name in kinds:
            self.shake_hands(proxy, name)
        if not harness.is_sanitized():
            self.wait_until(lambda: not finds(signer_of(proxy), old))
            self.assertEqual(finds(proxy.pid, old), set())

    def test_encrypted_key(self):
        path = self.folder.path
        openssl("pkcs8", "-topk8", "-in", path / "ec.key", "-out", path / "locked.key", "-passout", "pass:secret")
        (path / "passphrase").write_text("secret\n")
        entry = '{ chain = "ec.pem"; key = "locked.key"; %s }'
        self.shake_hands(self.run_proxy(entries=entry % 'passphrase = "passphrase";'))
        done = self.check(entry % "")
        self.assertRegex(done.stderr, r"check\.conf:\d+: error: the private key .*locked\.key is encrypted")
        done = self.check(entry % 'passphrase = "ec.pem";')
        self.assertRegex(done.stderr, r"error: the private key .*locked\.key can't be decrypted")

    def test_files_that_are_no_keys(self):
        path = self.folder.path
        os.mkfifo(path / "fifo")
        with open(path / "huge", "wb") as huge:
            huge.truncate(1 << 40)
        for key, words in [("fifo", "is no regular file"), ("huge", "larger than 128 KB"),
                           ("rsa.key", "does not belong to the first certificate"),
                           ("ec.pem", "has no private key")]:
            with self.subTest(key):
                done = self.check(f'{{ chain = "ec.pem"; key = "{key}"; }}')
                self.assertEqual(done.returncode, 1)
                self.assertIn(words, done.stderr)

    def test_program_that_is_missing(self):
        place = self.folder.path / "alone"
        place.mkdir()
        alone = shutil.copy(harness.PROGRAM, place / "deepproxy")
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], ["127.0.0.1:1"], "none")})
        path = self.folder.write("alone.conf", text)
        done = subprocess.run([alone, "check", "-c", path], capture_output=True, text=True, timeout=harness.PATIENCE,
                              check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"error: no key process: there is no deepproxy-keys .*key_isolation = false")
        path = self.folder.write("alone.conf", "key_isolation = false;\n" + text)
        self.assertEqual(subprocess.run([alone, "check", "-c", path], capture_output=True, check=False).returncode, 0)

    def test_the_two_libraries_never_meet(self):
        proxy = self.run_proxy()
        self.shake_hands(proxy)
        maps = {pid: pathlib.Path(f"/proc/{pid}/maps").read_text() for pid in [proxy.pid, signer_of(proxy)]}
        self.assertNotRegex(maps[proxy.pid], r"/libcrypto\.so\.3")
        self.assertNotRegex(maps[signer_of(proxy)], r"/android/|/libssl")

    def test_core_dumps_are_off(self):
        allow_core_dumps(self)
        proxy = self.run_proxy()
        for pid in [proxy.pid, guard_of(proxy), signer_of(proxy)]:
            self.assertRegex(pathlib.Path(f"/proc/{pid}/limits").read_text(), r"Max core file size +0 +0 ")

    @unittest.skipIf(os.geteuid() != 0, "needs root, whose privileges are given up")
    def test_root_only_keys_and_another_user(self):
        """Keys that root alone may read, a proxy that is nobody, and a key process that is somebody else."""
        path = self.folder.path
        os.chmod(path, 0o711)
        for name in self.names:
            os.chmod(path / f"{name}.key", 0o600)
        proxy = self.run_proxy(extra='user = "nobody"; key_user = "daemon";')
        signer = status_of(signer_of(proxy))
        self.assertEqual(signer["Uid"].split(), [str(pwd.getpwnam("daemon").pw_uid)] * 4)
        self.assertEqual(signer["Groups"].strip(), "")
        self.assertEqual(int(signer["CapPrm"], 16) | int(signer["CapEff"], 16), 0)
        self.assertEqual(status_of(proxy.pid)["Uid"].split(), [str(pwd.getpwnam("nobody").pw_uid)] * 4)
        if not harness.is_sanitized():
            self.assertEqual(signer["Seccomp"], "2")
        os.kill(signer_of(proxy), signal.SIGKILL)
        proxy.wait_line(event="keys-restarted")  # the guard still reads them
        for name in self.names:
            self.shake_hands(proxy, name)
        os.kill(guard_of(proxy), signal.SIGKILL)
        self.assertIn("guard", proxy.wait_lines(2, event="keys-ended")[-1]["error"])
        proxy.wait_lines(2, event="keys-restarted")  # by the parent, which is still root
        for name in self.names:
            self.shake_hands(proxy, name)

    @unittest.skipIf(os.geteuid() != 0, "needs root, who can become somebody")
    def test_unknown_key_user(self):
        done = self.check('{ chain = "ec.pem"; key = "ec.key"; }', extra='key_user = "nobody-of-that-name";')
        self.assertEqual(done.returncode, 1)
        self.assertIn('there is no user "nobody-of-that-name": create it with `useradd', done.stderr)


if __name__ == "__main__":
    harness.main()
