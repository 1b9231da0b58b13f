# SPDX-License-Identifier: BSD-2-Clause
"""The key process alone, spoken to as the proxy does and as the proxy never would."""

import base64
import contextlib
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import unittest

import harness
from processes import allow_core_dumps, status_of

CHANNELS, START, LOAD, CHAIN, DROP, LOAD_CLIENT, READY, PING, KILL, CERTIFICATES, OCSP, LOOK, LIST = range(1, 14)
DONE, FAILED, NOTE, ENDED, WANTED = range(1, 6)
P256_SHA256, PSS_SHA256, PKCS1_SHA256, ED25519 = 0x0403, 0x0804, 0x0401, 0x0807
TLS_1_3 = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + b"h" * 32
ECDHE = b"r" * 64 + b"\x03\x00\x1d\x20" + b"p" * 32
CLIENT_1_3 = TLS_1_3.replace(b"server", b"client")
INPUT_MAX = 32 * 1024


def transcript(length):
    """What a client has said and heard in TLS 1.2, up to its CertificateVerify: so many octets."""
    bodies = [b"\x03\x03" + b"h" * 38] * 2 + [b"c" * 20] * 6
    bodies[2] += b"c" * (length - sum(4 + len(body) for body in bodies))
    return b"".join(struct.pack("!B", kind) + len(body).to_bytes(3, "big") + body
                    for kind, body in zip([1, 2, 11, 12, 13, 14, 11, 16], bodies))


TRANSCRIPT = transcript(5000)
SANITIZED_WORDS = ("AddressSanitizer", "ThreadSanitizer", "runtime error")


def program():
    return pathlib.Path(harness.PROGRAM).with_name("deepproxy-keys")


def command(kind, key=0, path=b"", passphrase=b""):
    return struct.pack(f"!BIH{len(path)}sH{len(passphrase)}s", kind, key, len(path), path, len(passphrase), passphrase)


def request(number, key, algorithm, data):
    return struct.pack("!IIHH", number, key, algorithm, len(data)) + data


def answers(message):
    """By number: the signature, or None where it was refused."""
    found = {}
    while message:
        number, status, length = struct.unpack("!IHH", message[:8])
        found[number] = message[8:8 + length] if status == 0 else None
        message = message[8 + length:]
    return found


class Keys:
    """deepproxy-keys as a child, with `channels` workers' sockets."""

    def __init__(self, channels=1, arguments=(), command=None):
        """`command`: the program, in place of the one that was built."""
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(harness.PATIENCE)
        keep = os.dup(theirs.fileno())
        self.process = subprocess.Popen([*(command or [program()]), "serve", *map(str, arguments)], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, pass_fds=[3] if keep == 3 else [],
                                        preexec_fn=lambda: os.dup2(keep, 3), close_fds=False)
        os.close(keep)
        theirs.close()
        self.notes = []
        self.channels = []
        self.channel_count = channels
        self.started = None

    def start(self, ready=True):
        """`ready`: all keys are there, so that none is waited for."""
        for channel in self.channels:
            channel.close()
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(self.channel_count)]
        self.channels = [ours for ours, _ in pairs]
        for channel in self.channels:
            channel.settimeout(harness.PATIENCE)
        for at in range(0, len(pairs), 64):
            socket.send_fds(self.control, [command(CHANNELS)], [theirs.fileno() for _, theirs in pairs[at:at + 64]])
        for _, theirs in pairs:
            theirs.close()
        self.started = self.ask(command(START))
        if ready:
            self.control.send(command(READY))
            self.ask(command(PING))  # answered after it
        return self

    def receive(self):
        while True:
            try:
                message = self.control.recv(1 << 17)
            except ConnectionResetError:
                message = b""
            if not message or message[0] != NOTE:
                return message[:1] and message[0], message[1:]
            self.notes.append(message[1:].decode())

    def ask(self, message):
        self.control.send(message)
        return self.receive()

    def load(self, key, path, passphrase=None, kind=LOAD):
        return self.ask(command(kind, key, os.fsencode(path), os.fsencode(passphrase) if passphrase else b""))

    def sign(self, *requests, channel=0):
        self.channels[channel].send(b"".join(requests))
        found = {}
        while len(found) < len(requests):
            message = self.channels[channel].recv(1 << 20)
            if not message:
                break
            found.update(answers(message))
        return found

    def begin_to_sign(self, *requests, channel=0):
        self.channels[channel].send(b"".join(requests))

    def wanted(self):
        """The key that the next message says is waited for."""
        kind, key = self.receive()
        assert kind == WANTED, kind
        return int.from_bytes(key, "big")

    def signer(self):
        """The process that has the keys."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text())

    def close(self):
        for channel in self.channels:
            channel.close()
        self.control.close()
        status = self.process.wait(harness.PATIENCE)
        words = self.process.stderr.read().decode()
        self.process.stderr.close()
        if any(word in words for word in SANITIZED_WORDS):
            raise AssertionError(words)
        return status


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


class KeyProcess(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = cls.folder.path
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path / "ec.pem")
        openssl("ec", "-in", path / "ec.pem", "-out", path / "sec1.pem")
        openssl("genrsa", "-traditional", "-out", path / "rsa.pem", "2048")
        openssl("genpkey", "-algorithm", "ed25519", "-out", path / "ed25519.pem")
        openssl("pkcs8", "-topk8", "-in", path / "ec.pem", "-out", path / "encrypted.pem", "-passout", "pass:secret")
        openssl("rsa", "-traditional", "-aes128", "-in", path / "rsa.pem", "-out", path / "old.pem", "-passout",
                "pass:secret")
        cls.folder.write("passphrase", "secret\nof which only the first line counts\n")
        cls.folder.write("wrong", "another\n")
        cls.folder.write("empty", "")

    def keys(self, channels=1, ready=True, **options):
        keys = Keys(channels, **options)
        self.addCleanup(keys.close)
        kind, library = keys.start(ready).started
        self.assertEqual(kind, DONE, library)
        self.assertIn(b"OpenSSL 3", library)
        return keys

    def public(self, name):
        return openssl("pkey", "-in", self.folder.path / name, "-pubout", "-outform", "DER", "-passin", "pass:secret")

    def load(self, keys, key, name, passphrase=None):
        kind, public = keys.load(key, self.folder.path / name, passphrase and self.folder.path / passphrase)
        self.assertEqual(kind, DONE, public)
        self.assertEqual(public, self.public(name))

    def refuses(self, keys, key, name, words, passphrase=None):
        kind, text = keys.load(key, self.folder.path / name, passphrase and self.folder.path / passphrase)
        self.assertEqual(kind, FAILED)
        self.assertIn(words, text.decode())

    def verify(self, name, data, signature, *options):
        path = self.folder.path
        (path / "signature").write_bytes(signature)
        (path / "data").write_bytes(data)
        openssl("pkey", "-in", path / name, "-pubout", "-out", path / "public.pem")
        said = openssl("dgst", "-sha256", *options, "-verify", path / "public.pem", "-signature", path / "signature",
                       path / "data")
        self.assertIn(b"Verified OK", said)

    def test_kinds_of_files(self):
        keys = self.keys()
        for number, name in enumerate(["ec.pem", "sec1.pem", "rsa.pem", "ed25519.pem"]):
            self.load(keys, number, name)
        self.load(keys, 100000, "encrypted.pem", "passphrase")
        self.load(keys, 5, "old.pem", "passphrase")

    def test_signatures_verify(self):
        keys = self.keys()
        self.load(keys, 0, "ec.pem")
        self.load(keys, 7, "rsa.pem")
        self.load(keys, 8, "ed25519.pem")
        found = keys.sign(request(1, 0, P256_SHA256, TLS_1_3), request(2, 7, PSS_SHA256, TLS_1_3),
                          request(3, 7, PKCS1_SHA256, ECDHE), request(4, 0, P256_SHA256, ECDHE),
                          request(5, 8, ED25519, ECDHE))
        self.verify("ec.pem", TLS_1_3, found[1])
        self.verify("ec.pem", ECDHE, found[4])
        self.verify("rsa.pem", ECDHE, found[3])
        self.verify("rsa.pem", TLS_1_3, found[2], "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32")
        self.assertEqual(len(found[5]), 64)

    def test_no_general_signatures(self):
        keys = self.keys()
        self.load(keys, 0, "ec.pem")
        self.load(keys, 1, "rsa.pem")
        wrong = [(0, P256_SHA256, b"pay 100 to me"), (0, P256_SHA256, CLIENT_1_3), (0, P256_SHA256, TRANSCRIPT), (0, P256_SHA256, TLS_1_3 + b"h"),
                 (0, P256_SHA256, ECDHE + b"p"), (0, P256_SHA256, b" " * 64 + b"\x03\x00\x1d\x20" + b"p" * 32),
                 (1, PKCS1_SHA256, TLS_1_3), (1, P256_SHA256, TLS_1_3), (0, PSS_SHA256, TLS_1_3),
                 (0, 0x9999, TLS_1_3), (2, P256_SHA256, TLS_1_3), (0xFFFFFFFF, P256_SHA256, TLS_1_3)]
        found = keys.sign(*(request(number, *what) for number, what in enumerate(wrong)))
        self.assertEqual(found, {number: None for number in range(len(wrong))})

    def test_keys_of_clients(self):
        """They sign what a client signs, also behind what is kept of them, and until their number is another key's."""
        keys = self.keys()
        for number, name in enumerate(["ec.pem", "rsa.pem", "ed25519.pem"]):
            kind, public = keys.load(number, self.folder.path / name, kind=LOAD_CLIENT)
            self.assertEqual((kind, public), (DONE, self.public(name)))
        longest = transcript(INPUT_MAX)
        for _ in range(2):
            found = keys.sign(request(1, 0, P256_SHA256, TRANSCRIPT), request(2, 0, P256_SHA256, CLIENT_1_3),
                              request(3, 1, PKCS1_SHA256, TRANSCRIPT), request(4, 1, PSS_SHA256, CLIENT_1_3),
                              request(5, 2, ED25519, TRANSCRIPT), request(6, 2, ED25519, CLIENT_1_3),
                              request(7, 0, P256_SHA256, TLS_1_3), request(8, 0, P256_SHA256, ECDHE),
                              request(9, 1, PSS_SHA256, TLS_1_3), request(10, 2, ED25519, TLS_1_3),
                              request(11, 1, PKCS1_SHA256, CLIENT_1_3), request(12, 0, P256_SHA256, TRANSCRIPT + b"x"))
            found |= keys.sign(request(13, 0, P256_SHA256, longest))
            self.verify("ec.pem", TRANSCRIPT, found[1])
            self.verify("ec.pem", CLIENT_1_3, found[2])
            self.verify("rsa.pem", TRANSCRIPT, found[3])
            self.verify("rsa.pem", CLIENT_1_3, found[4], "-sigopt", "rsa_padding_mode:pss", "-sigopt",
                        "rsa_pss_saltlen:32")
            self.assertEqual([len(found[5]), len(found[6])], [64, 64])
            self.assertEqual([found[number] for number in range(7, 13)], [None] * 6)
            self.verify("ec.pem", longest, found[13])
        self.load(keys, 0, "ec.pem")
        found = keys.sign(request(1, 0, P256_SHA256, TLS_1_3), request(2, 0, P256_SHA256, CLIENT_1_3))
        self.verify("ec.pem", TLS_1_3, found[1])
        self.assertIsNone(found[2])

    def test_batches_on_several_channels(self):
        keys = self.keys(channels=70)
        self.load(keys, 0, "ec.pem")
        for channel in range(70):
            found = keys.sign(*(request(number, 0, P256_SHA256, TLS_1_3) for number in range(64)), channel=channel)
            self.assertEqual(len(set(found.values())), 64)
            self.assertNotIn(None, found.values())

    def test_malformed_requests_close_their_channel_alone(self):
        whole = request(1, 0, P256_SHA256, TLS_1_3)
        for wrong in [b"x", whole[:11], whole[:-1], whole + b"x", request(1, 0, P256_SHA256, b""),
                      request(1, 0, P256_SHA256, b"x" * (INPUT_MAX + 1)), whole * 400]:
            with self.subTest(wrong[:20]):
                keys = self.keys(channels=2)
                self.load(keys, 0, "ec.pem")
                keys.channels[0].send(wrong)
                with contextlib.suppress(ConnectionResetError):
                    while keys.channels[0].recv(1 << 20):
                        pass
                self.assertTrue(keys.sign(whole, channel=1)[1])

    def test_malformed_commands_end_it(self):
        load = command(LOAD, 0, b"/x")
        for wrong in [b"x", load[:-1], load + b"x", command(10), command(LOAD), command(LOAD, 0, b"a\0b"),
                      command(DROP, 0, b"/x"), command(LOAD, 1 << 20, b"/x"), command(LOAD, 0, b"/" * 4096), command(CHAIN)]:
            with self.subTest(wrong[:20]):
                keys = self.keys()
                self.assertEqual(keys.ask(wrong), (b"", b""))

    def test_files_that_are_no_keys(self):
        keys = self.keys()
        path = self.folder.path
        os.mkfifo(path / "fifo")
        with open(path / "huge", "wb") as huge:
            huge.truncate(1 << 40)
        self.refuses(keys, 0, "absent", "No such file")
        self.refuses(keys, 0, "fifo", "no regular file")
        self.refuses(keys, 0, "/dev/zero", "no regular file")
        self.refuses(keys, 0, ".", "no regular file")
        self.refuses(keys, 0, "huge", "larger than 128 KB")
        self.refuses(keys, 0, "mail.pem", "no private key in PEM form")
        self.refuses(keys, 0, "/etc/passwd", "no private key in PEM form")
        self.refuses(keys, 0, "empty", "no private key in PEM form")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224", "-out", path / "p224.pem")
        self.refuses(keys, 0, "p224.pem", "curve that TLS doesn't use")
        openssl("genpkey", "-algorithm", "X25519", "-out", path / "x25519.pem")
        self.refuses(keys, 0, "x25519.pem", "kind that TLS servers don't use")
        self.load(keys, 0, "ec.pem")

    def test_encrypted_files(self):
        keys = self.keys()
        for name in ["encrypted.pem", "old.pem"]:
            self.refuses(keys, 0, name, "is encrypted with a passphrase")
            self.refuses(keys, 0, name, "not its passphrase", "wrong")
            self.refuses(keys, 0, name, "empty or too long", "empty")
            self.refuses(keys, 0, name, "has a passphrase whose file can't be opened: No such file", "absent")
            self.load(keys, 0, name, "passphrase")

    def test_chain_of_a_file_with_a_key(self):
        keys = self.keys()
        path = self.folder.path
        certificate, key = (path / "mail.pem").read_bytes(), (path / "ec.pem").read_bytes()
        (path / "both.pem").write_bytes(key + certificate + certificate + key)
        (path / "torn.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nAA==\n" + key + certificate)
        (path / "many.pem").write_bytes(certificate * (100 * 1024 // len(certificate)) + key)
        blocks = b"".join(re.findall(rb"-----BEGIN.*?-----END CERTIFICATE-----\n", certificate, re.DOTALL))
        self.assertEqual(keys.ask(command(CHAIN, 0, os.fsencode(path / "both.pem"))), (DONE, blocks * 2))
        for name, words in [("mail.pem", b"has no private key"), ("torn.pem", b"more certificates"),
                            ("many.pem", b"more certificates"), ("absent", b"No such file")]:
            kind, text = keys.ask(command(CHAIN, 0, os.fsencode(path / name)))
            self.assertEqual(kind, FAILED)
            self.assertIn(words, text)

    def test_what_is_not_secret(self):
        """Of any file the proxy gets certificates and OCSP responses that can be decoded, and no other octet."""
        keys = self.keys()
        path = self.folder.path
        certificate, key = (path / "mail.pem").read_bytes(), (path / "ec.pem").read_bytes()
        blocks = b"".join(re.findall(rb"-----BEGIN.*?-----END CERTIFICATE-----\n", certificate, re.DOTALL))
        false = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(b"the secret") + b"\n-----END CERTIFICATE-----\n"
        files = {"secret": b"the secret", "false.pem": false, "one-false.pem": certificate + false,
                 "key.pem": key, "both.pem": b"the secret\n" + key + certificate, "leaf.pem": certificate}
        for name, content in files.items():
            (path / name).write_bytes(content)
            kind, text = keys.ask(command(CERTIFICATES, 0, os.fsencode(path / name)))
            wanted = (DONE, blocks) if name in ("both.pem", "leaf.pem") else (FAILED, text)
            self.assertEqual((kind, text), wanted, name)
            self.assertNotIn(b"secret", text)
            kind, text = keys.ask(command(OCSP, 0, os.fsencode(path / name)))
            self.assertEqual((kind, text), (FAILED, b"is no OCSP response in DER form"), name)
        for kind in (CERTIFICATES, OCSP):
            self.assertEqual(keys.ask(command(kind, 0, b"/dev/zero")), (FAILED, b"is no regular file"))

    @staticmethod
    def look_of(path):
        about = os.stat(path)
        return struct.pack("!B7Q", 1, about.st_dev, about.st_ino, about.st_size, *divmod(about.st_mtime_ns, 10**9),
                           *divmod(about.st_ctime_ns, 10**9))

    def test_names(self):
        """The guard answers these itself, within its filter."""
        keys = self.keys()
        folder = self.folder.path / "names"
        folder.mkdir()
        for name in ("b.pem", "a.key", ".hidden"):
            (folder / name).write_bytes(b"the secret")
        looks = {name: self.look_of(folder / name) for name in ("a.key", "b.pem")}
        kind, text = keys.ask(command(LIST, 0, os.fsencode(folder)))
        self.assertEqual((kind, text[:4]), (DONE, bytes(4)))
        entries = [b"\5" + os.fsencode(name) + look for name, look in looks.items()]
        self.assertIn(text[4:], (b"".join(entries), b"".join(entries[::-1])))
        self.assertEqual(keys.ask(command(LIST, 0, os.fsencode(folder / "b.pem")))[0], FAILED)
        self.assertEqual(keys.ask(command(LOOK, 0, os.fsencode(folder / "b.pem"))), (DONE, looks["b.pem"]))
        for path, kind in ((folder, 2), (folder / "absent", 0), ("/dev/null", 3)):
            self.assertEqual(keys.ask(command(LOOK, 0, os.fsencode(path))), (DONE, struct.pack("!B7Q", kind, *[0] * 7)))

    def test_dropped_and_replaced_keys(self):
        keys = self.keys()
        self.load(keys, 0, "ec.pem")
        self.assertTrue(keys.sign(request(1, 0, P256_SHA256, TLS_1_3))[1])
        keys.control.send(command(DROP, 0))
        self.load(keys, 1, "rsa.pem")  # answered behind the command
        self.assertIsNone(keys.sign(request(1, 0, P256_SHA256, TLS_1_3))[1])
        self.load(keys, 1, "sec1.pem")
        found = keys.sign(request(1, 1, P256_SHA256, TLS_1_3), request(2, 1, PSS_SHA256, TLS_1_3))
        self.verify("ec.pem", TLS_1_3, found[1])
        self.assertIsNone(found[2])

    def test_signer_that_was_killed(self):
        keys = self.keys()
        self.load(keys, 0, "ec.pem")
        os.kill(keys.signer(), signal.SIGKILL)
        self.assertEqual(keys.receive(), (ENDED, b"killed by signal 9"))
        self.assertEqual(keys.channels[0].recv(100), b"")
        self.refuses(keys, 0, "ec.pem", "does not run")
        self.assertEqual(keys.start().started[0], DONE)
        self.assertIsNone(keys.sign(request(1, 0, P256_SHA256, TLS_1_3))[1])
        self.load(keys, 0, "ec.pem")
        self.assertTrue(keys.sign(request(1, 0, P256_SHA256, TLS_1_3))[1])
        self.assertEqual(keys.ask(command(START)), (FAILED, b"the signer runs already"))

    def test_signer_that_is_killed_while_it_is_asked(self):
        keys = self.keys()
        harness.freeze(keys.signer())
        keys.control.send(command(LOAD, 0, os.fsencode(self.folder.path / "ec.pem")))
        self.refuses(keys, 1, "absent", "No such file")  # by the guard alone, which has passed the first on by now
        os.kill(keys.signer(), signal.SIGKILL)
        self.assertEqual(keys.receive(), (ENDED, b"killed by signal 9"))  # which is the answer

    def test_requests_wait_for_keys_that_are_still_to_come(self):
        keys = self.keys(channels=2, ready=False)
        self.load(keys, 0, "ec.pem")
        keys.begin_to_sign(request(1, 0, P256_SHA256, TLS_1_3), request(2, 5, P256_SHA256, TLS_1_3),
                           request(3, 0, P256_SHA256, TLS_1_3))
        self.assertEqual(keys.wanted(), 5)
        found = answers(keys.channels[0].recv(1 << 20))
        self.assertEqual(set(found), {1})  # what was signed does not wait
        self.assertTrue(keys.sign(request(4, 0, P256_SHA256, TLS_1_3), channel=1)[4])
        self.load(keys, 6, "ec.pem")  # another one is no reason to go on
        self.assertFalse(harness.can_read(keys.channels[0], 0.1))
        self.load(keys, 5, "ec.pem")
        found = answers(keys.channels[0].recv(1 << 20))
        if 3 not in found:
            found |= answers(keys.channels[0].recv(1 << 20))
        self.assertEqual(set(found), {2, 3})
        self.verify("ec.pem", TLS_1_3, found[2])

    def test_requests_wait_no_longer_than_for_the_last_key(self):
        for how in ["dropped", "ready", "refused"]:
            with self.subTest(how):
                keys = self.keys(ready=False)
                keys.begin_to_sign(request(1, 3, P256_SHA256, TLS_1_3))
                self.assertEqual(keys.wanted(), 3)
                if how == "refused":
                    self.refuses(keys, 3, "absent", "No such file")
                    self.assertFalse(harness.can_read(keys.channels[0], 0.1))  # it may be there in a moment
                keys.control.send(command(DROP, 3) if how != "ready" else command(READY))
                self.assertEqual(answers(keys.channels[0].recv(1 << 20)), {1: None})
                keys.control.send(command(READY))
                self.assertEqual(keys.ask(command(PING)), (DONE, b""))
                self.assertEqual(keys.sign(request(2, 4, P256_SHA256, TLS_1_3)), {2: None})
                self.assertEqual(keys.ask(command(PING)), (DONE, b""))  # and nothing more is wanted

    def test_number_that_no_key_has_is_not_waited_for(self):
        keys = self.keys(ready=False)
        self.assertEqual(keys.sign(request(1, 1 << 20, P256_SHA256, TLS_1_3)), {1: None})

    def test_key_that_is_replaced_while_others_load(self):
        keys = self.keys(ready=False)
        self.load(keys, 0, "rsa.pem")
        self.assertIsNone(keys.sign(request(1, 0, P256_SHA256, TLS_1_3))[1])
        self.load(keys, 0, "ec.pem")
        self.verify("ec.pem", TLS_1_3, keys.sign(request(2, 0, P256_SHA256, TLS_1_3))[2])

    def test_worker_that_does_not_read(self):
        """Its own thread waits for it, and nobody else: no other worker, no command, and no key that is dropped."""
        keys = self.keys(channels=2)
        self.load(keys, 0, "ec.pem")
        self.load(keys, 1, "ec.pem")
        batch = b"".join(request(number, 0, P256_SHA256, ECDHE) for number in range(64))
        # It takes a millisecond to sign that, so that it waits for its reader when nothing more goes in.
        while select.select([], [keys.channels[0]], [], 0.5)[1]:
            keys.channels[0].send(batch)
        keys.control.settimeout(harness.SOON)
        self.assertEqual(keys.ask(command(PING)), (DONE, b""))
        keys.control.send(command(DROP, 0))
        self.load(keys, 2, "ec.pem")
        found = keys.sign(request(1, 1, P256_SHA256, TLS_1_3), request(2, 0, P256_SHA256, TLS_1_3), channel=1)
        self.verify("ec.pem", TLS_1_3, found[1])
        self.assertIsNone(found[2])

    def test_signer_that_hangs_is_ended(self):
        """Also if its socket is full."""
        for drops in [0, 2000]:
            with self.subTest(drops=drops):
                keys = self.keys()
                harness.freeze(keys.signer())
                for number in range(drops):
                    keys.control.send(command(DROP, number))
                keys.control.send(command(KILL))
                self.assertEqual(keys.receive(), (ENDED, b"killed by signal 9"))
                keys.control.send(command(KILL))  # of nobody
                self.assertEqual(keys.ask(command(PING))[0], FAILED)
                self.assertEqual(keys.start().started[0], DONE)

    def test_signals_do_not_end_it(self):
        keys = self.keys()
        for number in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]:
            os.kill(keys.process.pid, number)
            os.kill(keys.signer(), number)
        self.load(keys, 0, "ec.pem")

    def test_both_end_with_the_proxy(self):
        keys = self.keys()
        signer = os.pidfd_open(keys.signer())
        self.addCleanup(os.close, signer)
        keys.control.close()
        self.assertTrue(harness.can_read(signer, harness.PATIENCE))
        self.assertEqual(keys.process.wait(harness.PATIENCE), 0)

    def test_run_by_hand(self):
        for arguments in [[], ["serve"], ["serve", "1", "x"], ["help"]]:
            done = subprocess.run([program(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"usage: ", done.stderr)
        self.assertIn(b"OpenSSL 3", subprocess.run([program(), "version"], capture_output=True, check=True).stdout)


class Sandbox(harness.TestCase):
    def keys(self, **options):
        keys = Keys(2, **options)
        self.addCleanup(keys.close)
        self.assertEqual(keys.start().started[0], DONE, keys.started)
        return keys

    def processes(self, keys):
        return {"guard": keys.process.pid, "signer": keys.signer()}

    def test_nobody_reads_its_memory(self):
        """Not even who runs it: what can't be dumped belongs to root in /proc."""
        allow_core_dumps(self)
        command = None
        if os.geteuid() == 0:
            # As somebody else, whose it would be; from where anybody may run it.
            self.folder.path.chmod(0o711)
            copy = shutil.copy(program(), self.folder.path / "keys")
            command = ["setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups", copy]
        for name, pid in self.processes(self.keys(command=command)).items():
            with self.subTest(name):
                self.assertNotEqual(status_of(pid)["Uid"].split()[0], "0")
                self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0)
                self.assertRegex(pathlib.Path(f"/proc/{pid}/limits").read_text(), r"Max core file size +0 +0 ")
                self.assertEqual(status_of(pid)["NoNewPrivs"], "1")

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be somebody else")
    def test_same_user_can_not_trace_it(self):
        other = 65533
        keys = self.keys(arguments=(other, other))
        script = ("import ctypes, os, sys; os.setgroups([]); os.setresgid(*[%d]*3); os.setresuid(*[%d]*3);"
                  "libc = ctypes.CDLL(None, use_errno=True);"
                  "print(libc.ptrace(16, int(sys.argv[1]), 0, 0), ctypes.get_errno())" % (other, other))
        done = subprocess.run(["/usr/bin/python3", "-c", script, str(keys.signer())], capture_output=True, text=True,
                              check=True)
        self.assertEqual(done.stdout, "-1 1\n")  # EPERM

    def test_system_calls_are_filtered(self):
        for name, pid in self.processes(self.keys()).items():
            for task in os.listdir(f"/proc/{pid}/task"):
                with self.subTest(name):
                    self.assertEqual(status_of(f"{pid}/task/{task}")["Seccomp"], "2")

    @unittest.skipIf(os.geteuid() != 0, "needs root, which has capabilities to lose")
    def test_privileges(self):
        keys = self.keys(arguments=(65533, 65532))
        signer, guard = status_of(keys.signer()), status_of(keys.process.pid)
        self.assertEqual(signer["Uid"].split(), ["65533"] * 4)
        self.assertEqual(signer["Gid"].split(), ["65532"] * 4)
        self.assertEqual(signer["Groups"].strip(), "")
        for kind in ["CapInh", "CapPrm", "CapEff", "CapAmb"]:
            self.assertEqual(int(signer[kind], 16), 0)
        # DAC_OVERRIDE, DAC_READ_SEARCH, KILL, SETGID, SETUID
        self.assertEqual(int(guard["CapPrm"], 16) & ~0b11100110, 0)

    def test_signer_ends_with_its_guard(self):
        """Also one that does not notice, and is another user's."""
        for arguments in [(), (65533, 65532)] if os.geteuid() == 0 else [()]:
            with self.subTest(arguments):
                keys = self.keys(arguments=arguments)
                signer = os.pidfd_open(keys.signer())
                self.addCleanup(os.close, signer)
                harness.freeze(keys.signer())
                keys.process.kill()
                self.assertTrue(harness.can_read(signer, harness.PATIENCE))

    def test_memory_is_locked(self):
        if harness.is_sanitized():
            self.skipTest("a sanitizer's memory is not to be locked")
        keys = self.keys()
        locked = int(status_of(keys.signer())["VmLck"].split()[0])
        self.assertGreater(locked, 256)
        self.assertEqual(keys.notes, [])

    def test_low_limit_on_locked_memory_is_said(self):
        if harness.is_sanitized():
            self.skipTest("a sanitizer's memory is not to be locked")
        keys = Keys(1)
        self.addCleanup(keys.close)
        # The guard has raised its limit by now, or is about to: what it has forked by then has the lower one.
        self.assertEqual(keys.load(0, "/nothing")[0], FAILED)
        subprocess.run(["prlimit", "--memlock=65536:65536", "--pid", str(keys.process.pid)], check=True)
        self.assertEqual(keys.start().started[0], DONE, keys.started)
        self.assertIn("RLIMIT_MEMLOCK", " ".join(keys.notes))
        self.assertEqual(status_of(keys.signer())["VmLck"], "0 kB")


if __name__ == "__main__":
    harness.main()
