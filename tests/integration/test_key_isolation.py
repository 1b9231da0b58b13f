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
import unittest.mock
import urllib.request

import harness
import certificates
import client_certificates
import test_backend_tls
from client_certificates import Authority
from processes import children, finds, guard_of, signer_of, status_of

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


def integers(der):
    """Those of an ASN.1 structure, those in OCTET STRINGs that hold another included; and the OCTET STRINGs that don't."""
    found, at = [], 0
    while at + 2 <= len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(der[at:at + count], "big"), at + count
        content, at = der[at:at + length], at + length
        if tag in (0x30, 0xA0) or tag == 0x04 and content[:1] == b"\x30":
            found += integers(content)
        elif tag in (0x02, 0x04):
            found.append(content)
    return found


def secrets(path):
    """What of a private key must not be found: each of its secret numbers in either order of octets, a part of the file's
    base64, and of what that means. Numbers that are short, or public, are none."""
    text = path.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("-")]
    der = base64.b64decode("".join(lines))
    public = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")
    numbers = [number.lstrip(b"\0") for number in integers(der)]
    numbers = [number for number in numbers if len(number) >= 31 and number not in public]
    assert len(numbers) in (1, 6), len(numbers)  # d; or d, p, q and three more
    wanted = [half for number in numbers for half in (number[:31], number[::-1][:31], number[-31:], number[::-1][-31:])]
    # The public half is in the file as well: the lines before it are the secret ones.
    return wanted + [line.encode() for line in (lines[1:2] if len(numbers) == 1 else lines[6:-1])]


def ask_for_certificate(connection, context):
    """A server's part of a handshake up to where it waits for the client's certificate."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while not outgoing.pending:
        if connection.more():
            incoming.write(connection.held)
            connection.held = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
    connection.send(outgoing.read())


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
            self.assertEqual(len(children(proxy.process.pid)), 0 if extra else 1)
            for name in self.names:
                for version in VERSIONS:
                    with self.subTest(name=name, version=version, extra=extra):
                        self.assertEqual(self.shake_hands(proxy, name, version).ask(b"STAT"), b"+OK 1 0")

    def test_many_handshakes_at_once(self):
        proxy = self.run_proxy()
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
        processes = {"proxy": proxy.process.pid, "guard": guard_of(proxy)}
        self.assertEqual(finds(proxy.process.pid, wanted), set())
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
                found = finds(proxy.process.pid, set(secrets(self.folder.path / f"{name}.key")))
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
        self.assertEqual(finds(proxy.process.pid, wanted), set())

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

    def test_handshakes_fail_while_nobody_signs(self):
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
        self.assertRegex(proxy.session(reason="handshake-failed")["detail"], "key process")
        self.assertEqual(waiting.refusal(), "closed")
        proxy.wait_line(event="keys-restarted")
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
        proxy.process.send_signal(signal.SIGHUP)
        proxy.wait_line(event="reload", of="configuration", result="done")
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
        self.assertIn("more than it may", proxy.session(reason="handshake-failed")["detail"])
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

    def test_handshake_timeout_while_nobody_signs(self):
        proxy = self.run_proxy(timeouts='handshake = "500 ms";')
        signer = signer_of(proxy)
        harness.freeze(signer)
        waiting = self.client(proxy, "pop3", shake_hands=False, name="ec.example.com")
        send_hello(waiting)
        proxy.session(reason="handshake-timeout")
        os.kill(signer, signal.SIGCONT)
        self.shake_hands(proxy)

    def test_guard_that_is_killed(self):
        proxy = self.run_proxy()
        client = self.shake_hands(proxy)
        os.kill(guard_of(proxy), signal.SIGKILL)
        self.assertIn("guard", proxy.wait_line(event="keys-ended")["error"])
        proxy.wait_line(event="keys-restarted")
        self.shake_hands(proxy)
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")

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
        proxy.process.send_signal(signal.SIGHUP)
        proxy.wait_line(event="reload", of="configuration", result="done")
        for name in kinds:
            self.shake_hands(proxy, name)
        if not harness.is_sanitized():
            self.wait_until(lambda: not finds(signer_of(proxy), old))
            self.assertEqual(finds(proxy.process.pid, old), set())

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
        maps = {pid: pathlib.Path(f"/proc/{pid}/maps").read_text() for pid in [proxy.process.pid, signer_of(proxy)]}
        self.assertNotRegex(maps[proxy.process.pid], r"/libcrypto\.so\.3|/libseccomp")
        self.assertNotRegex(maps[signer_of(proxy)], r"/android/|/libssl")

    def test_core_dumps_are_off(self):
        proxy = self.run_proxy()
        for pid in [proxy.process.pid, guard_of(proxy), signer_of(proxy)]:
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
        self.assertEqual(status_of(proxy.process.pid)["Uid"].split(), [str(pwd.getpwnam("nobody").pw_uid)] * 4)
        if not harness.is_sanitized():
            self.assertEqual(signer["Seccomp"], "2")
        os.kill(signer_of(proxy), signal.SIGKILL)
        proxy.wait_line(event="keys-restarted")  # the guard still reads them
        for name in self.names:
            self.shake_hands(proxy, name)
        os.kill(guard_of(proxy), signal.SIGKILL)
        self.assertIn("restart deepproxy", proxy.wait_line(event="keys-not-restarted")["error"])
        self.assert_not_signed(proxy, "ec")

    @unittest.skipIf(os.geteuid() != 0, "needs root, who can become somebody")
    def test_unknown_key_user(self):
        done = self.check('{ chain = "ec.pem"; key = "ec.key"; }', extra='key_user = "nobody-of-that-name";')
        self.assertEqual(done.returncode, 1)
        self.assertIn('user "nobody-of-that-name": there is none of that name', done.stderr)


class PoolKeys(test_backend_tls.Case):
    """The key of a certificate that the proxy shows to its servers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.folder.path, "clients-authority")

    def certify(self):
        """A new certificate of the pool's, in place of the one before in one step."""
        identity = self.authority.certify("/CN=proxy.internal")
        folder = pathlib.Path(f"{identity.certificate}.d")
        folder.mkdir()
        identity.certificate.rename(folder / "mail.pem")
        identity.key.rename(folder / "mail.key")
        link = self.folder.path / "proxy-client-next"
        link.symlink_to(folder.name)
        link.rename(self.folder.path / "proxy-client")

    def start_with_certificate(self, first=None, version=None, servers=1, **options):
        """`first`: the script of the first connection to a server, given the context too, in place of one that serves."""
        self.certify()
        context = self.context(minimum=version, maximum=version) if version else self.context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.authority.certificate)
        shown, scripts = harness.Events(), [first] if first else []
        serve = harness.over_tls(harness.pop3, context, on_secured=lambda sock: shown.tell(sock.getpeercert(True)))

        def script(connection):
            if scripts:
                scripts.pop()(connection, context)
            else:
                serve(connection)
        pool = self.pool_tls(certificate='"proxy-client/mail.pem"', key='"proxy-client/mail.key"')
        proxy = self.start({"pop3": [self.backend(script) for _ in range(servers)]}, pool=pool,
                           **{"extra": test_backend_tls.ONE_WORKER, **options})
        return proxy, shown

    def start_frozen(self, patience=None, **options):
        """
        One with a client whose session awaits a signature for the server's handshake, as the signer is frozen. `patience`:
        how long that server waits for it. Returns the proxy, the client, and the signer's process id.
        """
        asked = harness.Events()

        def ask_and_wait(connection, context):
            signer = signer_of(proxy)
            harness.freeze(signer)
            ask_for_certificate(connection, context)
            asked.tell(signer)
            connection.socket.settimeout(patience or harness.PATIENCE)
            with contextlib.suppress(harness.Silence):
                connection.rest()
        proxy, _ = self.start_with_certificate(ask_and_wait, **options)
        waiting = self.client(proxy, "pop3")
        signer = asked.wait()
        # The one worker has read what the server sent by the time that it has done with somebody who came later.
        with harness.connect(proxy.port("pop3")) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            harness.Connection(stranger).rest()
        return proxy, waiting, signer

    def leaf(self):
        return openssl("x509", "-in", self.folder.path / "proxy-client" / "mail.pem", "-outform", "DER")

    @unittest.skipIf(os.geteuid() != 0, "needs root, to read another process's memory")
    def test_no_key_in_memory(self):
        if harness.is_sanitized():
            self.skipTest("the shadow memory of a sanitizer has no end")
        for version in VERSIONS:
            proxy, shown = self.start_with_certificate(version=version)
            clients = [self.greeted(proxy, "pop3") for _ in range(3)]
            self.assertEqual(clients[0].ask(b"STAT"), b"+OK 1 0")
            self.assertEqual(shown.wait(), self.leaf())
            wanted = set(secrets(self.folder.path / "proxy-client" / "mail.key"))
            self.assertEqual(finds(proxy.process.pid, wanted), set())
            self.assertEqual(finds(guard_of(proxy), wanted), set())
            self.assertNotEqual(finds(signer_of(proxy), wanted), set())

    def test_signer_that_is_killed_while_it_is_awaited(self):
        """No server is to blame, and none is tried instead."""
        for version in VERSIONS:
            proxy, waiting, signer = self.start_frozen(version=version, servers=2)
            os.kill(signer, signal.SIGKILL)
            self.expect_no_signature(proxy, waiting)
            proxy.wait_line(event="keys-restarted")
            self.expect_served(proxy)

    def expect_no_signature(self, proxy, waiting):
        """The client is told that it may come again, and the log why."""
        self.assertTrue(waiting.rest().startswith(b"-ERR [SYS/TEMP]"))
        line = proxy.session(reason="backend-unavailable")
        self.assertEqual(line["detail"], "no signature was to be had from the key process")

    def expect_served(self, proxy):
        self.assertEqual(self.greeted(proxy, "pop3").ask(b"STAT"), b"+OK 1 0")
        self.assertEqual(proxy.find(event="backend-failed"), [])

    def test_signer_that_says_nothing(self):
        with self.takes(0.5, 0.5 + harness.SOON):
            proxy, waiting, signer = self.start_frozen(timeouts='greeting = "500 ms";')
            self.expect_no_signature(proxy, waiting)
        os.kill(signer, signal.SIGCONT)
        self.expect_served(proxy)

    def test_client_that_goes_while_a_signature_is_awaited(self):
        proxy, gone, signer = self.start_frozen()
        gone.finish()
        proxy.session(reason="client-closed")
        os.kill(signer, signal.SIGCONT)
        self.expect_served(proxy)

    def test_a_renewed_certificate(self):
        """It is taken up by itself; one that is broken is not, and the one before stays in use."""
        proxy, shown = self.start_with_certificate()
        long = self.greeted(proxy, "pop3")
        self.assertEqual(shown.wait(), self.leaf())
        self.certify()
        proxy.wait_line(event="reload", of="certificates", result="done")
        self.greeted(proxy, "pop3")
        second = self.leaf()
        self.assertEqual(shown.wait(), second)
        (self.folder.path / "proxy-client" / "mail.key").write_bytes((self.folder.path / "store" / "mail.key").read_bytes())
        self.assertIn("stays in use", proxy.wait_line(event="configuration-problem")["problem"])
        self.greeted(proxy, "pop3")
        self.assertEqual(shown.wait(), second)
        self.certify()
        proxy.wait_lines(2, event="reload", of="certificates", result="done")
        self.greeted(proxy, "pop3")
        self.assertEqual(shown.wait(), self.leaf())
        self.assertEqual(long.ask(b"STAT"), b"+OK 1 0")
        self.assertEqual(proxy.find(event="backend-failed"), [])

    def test_one_near_its_end(self):
        """It is warned of as those that clients are shown, and is a metric."""
        with unittest.mock.patch.object(client_certificates, "NEW_KEY", tuple(
                "10" if word == certificates.DAYS else word for word in client_certificates.NEW_KEY)):
            proxy, _ = self.start_with_certificate(extra='admin = { listen = "127.0.0.1:0"; };')
        line = proxy.wait_line(event="certificate-expires")
        self.assertTrue(line["certificate"].endswith("proxy-client/mail.pem"), line)
        self.assertIn(line["days"], ("9", "10"))  # 10 within the second in which it was made
        address = proxy.wait_line(event="admin-listening")["address"]
        with urllib.request.urlopen(f"http://{address}/metrics") as answer:
            text = answer.read().decode()
        self.assertIn("\ndeepproxy_certificates 2\n", text)
        self.assertIn("\ndeepproxy_certificates_expiring 1\n", text)
        self.assertIn("proxy-client/mail.pem", text)

    def test_a_key_that_could_not_be_loaded_again(self):
        """Away for the moment in which the signer is started again; once it is there it is taken up by itself."""
        proxy, shown = self.start_with_certificate()
        key = self.folder.path / "proxy-client" / "mail.key"
        aside = key.with_name("aside")
        key.rename(aside)
        self.addCleanup(lambda: aside.exists() and aside.rename(key))
        os.kill(signer_of(proxy), signal.SIGKILL)
        self.assertEqual(proxy.wait_line(event="key-lost")["key"], str(key))
        self.assertIn("stays in use", proxy.wait_line(event="configuration-problem")["problem"])
        waiting = self.client(proxy, "pop3")
        self.assertTrue(waiting.rest().startswith(b"-ERR [SYS/TEMP]"))
        aside.rename(key)
        proxy.wait_line(event="reload", of="certificates", result="done")
        self.greeted(proxy, "pop3")
        self.assertEqual(shown.wait(), self.leaf())
        self.assertEqual(proxy.find(event="reload", of="configuration"), [])

    def test_a_server_that_does_not_wait_for_a_late_signature(self):
        """It is not to blame either."""
        proxy, waiting, signer = self.start_frozen(patience=0.3, servers=2)
        self.expect_no_signature(proxy, waiting)
        os.kill(signer, signal.SIGCONT)
        self.expect_served(proxy)


if __name__ == "__main__":
    harness.main()
