# SPDX-License-Identifier: BSD-2-Clause
"""The program as its operator sees it: start and stop, commands, the log."""

import os
import signal
import socket
import subprocess
import threading

import harness
from harness import SOON

SESSIONS_THAT_FILL_A_PIPE = 400  # 300 octets each, twice the 64 KB of a pipe


class Starting(harness.TestCase):
    def test_signals_that_come_early_are_handled_after_the_start(self):
        """The program is held in the middle of its start: its file is a pipe whose writer takes its time."""
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], ["127.0.0.1:1"], "none")})
        path = self.folder.path / "slow.conf"
        os.mkfifo(path)
        process = subprocess.Popen([harness.PROGRAM, "run", "-c", path], stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, env={**os.environ, **harness.SANITIZERS})
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        patience = threading.Timer(harness.PATIENCE, process.kill)
        patience.start()
        self.addCleanup(patience.cancel)
        with open(path, "w", encoding="ascii") as pipe:
            os.replace(self.folder.write("file.conf", text), path)  # what it reads from now on
            process.send_signal(signal.SIGUSR1)
            process.send_signal(signal.SIGHUP)
            pipe.write(text)
        events = []
        for line in process.stderr:
            events.append(harness.parse_line(line))
            if events[-1].get("event") == "reload":
                process.terminate()
        self.assertEqual(process.wait(), 0, events)
        done = [line.get("event") for line in events]
        self.assertEqual([event for event in done if event in ("ready", "reload", "shutdown")],
                         ["ready", "reload", "shutdown"])


class Stopping(harness.TestCase):
    def start_with_a_session(self, **options):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, **options)
        client = self.client(proxy, "pop3")
        self.assertEqual(client.line(), b"+OK ready")
        return proxy, client

    def refuses(self, proxy):
        try:
            socket.create_connection(("127.0.0.1", proxy.port("pop3"))).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass  # the listener was closed with this connection in its queue: the next one tells
        return False

    def test_sigterm_lets_sessions_finish(self):
        proxy, client = self.start_with_a_session()
        proxy.terminate()
        proxy.wait_line(event="shutdown")
        self.wait_until(lambda: self.refuses(proxy))
        self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        client.send(b"QUIT\r\n")
        self.assertEqual(client.rest(), b"+OK bye\r\n")
        with self.takes(0, SOON):
            proxy.wait()
        self.assertEqual(len(proxy.find(event="session", reason="logout")), 1)

    def test_sigterm_has_a_limit(self):
        """Of its own: the others are long here."""
        proxy, client = self.start_with_a_session(timeouts='shutdown = "1 s"; handshake = 60; connect = 60;')
        client.send(b"USER")  # in the middle of a command
        with self.takes(1, 1 + SOON):
            proxy.terminate()
            self.assertTrue(client.rest().startswith(b"-ERR [SYS/TEMP]"))
            proxy.wait()
        self.assertEqual(proxy.session()["reason"], "shutdown")
        self.assertEqual([line["step"].split(",")[0] for line in proxy.find(event="shutdown")],
                         ["no new sessions; those there may finish", "time is up"])

    def test_second_sigterm_ends_at_once_with_words(self):
        for protocol, words in [("imap", b"* BYE"), ("pop3", b"-ERR [SYS/TEMP]"), ("submission", b"421 ")]:
            with self.subTest(protocol):
                proxy = self.start({protocol: [self.backend(harness.SCRIPTS[protocol])]})
                client = self.client(proxy, protocol)
                client.line()
                with self.takes(0, SOON):
                    proxy.terminate()
                    proxy.wait_line(event="shutdown")
                    proxy.terminate()
                    answer = client.rest()
                    proxy.wait()
                self.assertTrue(answer.startswith(words), answer)
                self.assertEqual(proxy.session()["reason"], "shutdown")

    def test_peers_that_do_not_close_do_not_hold_it_up(self):
        """In a handshake, connecting, waiting for a greeting, in a dialogue: nobody reads, nobody closes."""
        silent = self.backend(lambda connection: connection.rest())
        proxy = self.start({"pop3": [self.backend(harness.pop3)], "imap": [silent]}, extra='log_level = "debug";')
        port = proxy.port("pop3")
        self.addCleanup(harness.connect(port).close)
        clients = [self.client(proxy, service) for service in ["pop3", "imap", "pop3"]]
        for client in (clients[0], clients[2]):
            client.line()
        self.wait_until(lambda: silent.count == 1)
        # Each has been accepted, by whichever worker: from now on it is a session of its.
        proxy.wait_lines(4, event="move", machine="session", **{"from": "accepted"})
        with self.takes(0, SOON):  # well below the ten seconds that Docker waits between SIGTERM and SIGKILL
            proxy.terminate()
            proxy.wait_line(event="shutdown")
            proxy.terminate()
            proxy.wait()
        self.assertEqual({line["reason"] for line in proxy.find(event="session")}, {"shutdown"})
        self.assertEqual(len(proxy.find(event="session")), 4)

    def test_sigint_is_the_same(self):
        proxy, client = self.start_with_a_session()
        proxy.process.send_signal(signal.SIGINT)
        proxy.wait_line(event="shutdown")
        proxy.process.send_signal(signal.SIGINT)
        self.assertTrue(client.rest().startswith(b"-ERR"))
        proxy.wait()

    def test_idle_program_ends_at_once(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        with self.takes(0, SOON):
            proxy.terminate()
            proxy.wait()
        self.assertEqual([line["step"] for line in proxy.find(event="shutdown")],
                         ["no new sessions; those there may finish"])


class Commands(harness.TestCase):
    def write(self, servers=("127.0.0.1:1",), listen="127.0.0.1:0", name="other.conf", **options):
        return self.folder.write(name, harness.configuration({"pop3": ("pop3", [listen], servers, "none")}, **options))

    def expect(self, status, *arguments):
        result = harness.run_program(*arguments)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result

    def test_version(self):
        text = self.expect(0, "version").stdout
        self.assertRegex(text, r"^deepproxy \d+\.\d+\.\d+\n")
        for library in ["libuv", "BoringSSL", "libconfig", "http-parser"]:
            self.assertIn(library, text)
        self.assertEqual(self.expect(0, "--version").stdout, text)

    def test_wrong_usage(self):
        for arguments in [(), ("serve",), ("run", "file"), ("run", "-c"), ("check", "-x", "file"), ("version", "-c", "x")]:
            result = self.expect(2, *arguments)
            self.assertIn("usage: deepproxy run", result.stderr)
            self.assertEqual(result.stdout, "")
        for word in ["help", "--help", "-h"]:
            self.assertIn("usage: deepproxy run", self.expect(0, word).stdout)

    def test_check(self):
        """What it has found is for the operator to compare with what was meant."""
        path = self.folder.path
        (path / "other").mkdir()
        harness.certificates.make(path / "other", names=("other.example.com", "*.example.net"))
        text = harness.configuration(
            {"pop3": ("pop3", ["127.0.0.1:1995", "*:2995"], ["localhost:1", "127.0.0.3:2"], "proxy-v2"),
             "imap": ("imap", ["127.0.0.1:1143"], ["127.0.0.4:3"], "none")},
            keys={"imap": 'tls = "starttls";'}, extra='admin = { listen = "127.0.0.1:9993"; };')
        text = text.replace('key = "mail.key"; }', 'key = "mail.key"; }, { chain = "other/mail.pem"; key = "other/mail.key"; }')
        done = self.expect(0, "check", "-c", self.folder.write("found.conf", text))
        first, *found = done.stdout.splitlines()
        self.assertEqual(first, f"{path}/found.conf: no errors")
        ends = [subprocess.run(["openssl", "x509", "-in", path / name, "-noout", "-enddate", "-dateopt", "iso_8601"], check=True,
                               capture_output=True, text=True).stdout.split("=")[1].split()[0]
                for name in ("mail.pem", "other/mail.pem")]
        resolved = sorted({place[4][0] for place in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)})
        self.assertEqual(found[:-2], [
            "service pop3: pop3 with TLS from the first octet on 127.0.0.1:1995, *:2995; to the pool pop3-pool",
            "service imap: imap with STARTTLS on 127.0.0.1:1143; to the pool imap-pool",
            "admin: HTTP on 127.0.0.1:9993",
            f"certificate {path}/mail.pem: for localhost, mail.example.com; until {ends[0]}; the default, for clients that ask for "
            "no name or for another",
            f"certificate {path}/other/mail.pem: for other.example.com, *.example.net; until {ends[1]}"])
        self.assertRegex(found[-2], r"^pool pop3-pool: round-robin, identity proxy-v2, in the clear to localhost:1@.*, 127\.0\.0\.3:2$")
        for address in resolved:
            self.assertIn(address, found[-2])
        self.assertEqual(found[-1], "pool imap-pool: round-robin, identity none, in the clear to 127.0.0.4:3")

    def test_check_tells_all_of_a_line(self):
        """What TLS, files and other groups have of it as well; and each once."""
        clients = 'client_certificates = { ca = "mail.key"; crl = "mail.pem"; };'
        path = self.write(tls='ciphers = "HIGH:A-TYPO"; groups = "secp256r1"; min_version = "1.2";', keys=clients,
                          extra='state_file = "nowhere/state";')
        text = self.expect(1, "check", "-c", path).stderr
        for words in ('"A-TYPO" in "ciphers" is no suite', '"secp256r1" in "groups" is no group', '"min_version" can\'t be "1.2"',
                      "can't write ", "mail.key has none of the authorities", "mail.pem has none of the revocation lists"):
            self.assertEqual(text.count(words), 1, text)
        text = self.expect(1, "check", "-c", self.write(keys=clients)).stderr
        self.assertEqual(text.count("mail.key has none of the authorities"), 1, text)

    def test_check_names_the_line_of_the_setting(self):
        """And not that on which the group around it begins."""
        clients = 'client_certificates = {\nca = "mail.key";\ncrl = "mail.pem"; };'
        path = self.write(tls='\nciphers = "HIGH:A-TYPO";\ngroups = "secp256r1";\n', keys=clients)
        text = self.expect(1, "check", "-c", path).stderr
        lines = path.read_text().splitlines()
        for beginning, words in (("ciphers =", '"A-TYPO" in "ciphers"'), ("groups =", '"secp256r1" in "groups"'),
                                 ("ca =", "mail.key has none of the authorities"), ("crl =", "mail.pem has none of the rev")):
            line = 1 + next(number for number, line in enumerate(lines) if line.startswith(beginning))
            self.assertRegex(text, rf"{path}:{line}: error: .*{words}")

    def test_check_of_a_strict_one(self):
        done = self.expect(0, "check", "-c", self.write(tls="strict_sni = true;"))
        self.assertIn("no default certificate: strict_sni", done.stdout)
        self.assertNotIn("the default,", done.stdout)

    def test_check_and_run_tell_all_errors_with_their_lines(self):
        text = self.write().read_text().replace('hostname =', 'hostnam =').replace("handshake", "handshak")
        path = self.folder.write("wrong.conf", text.replace('protocol = "pop3"', 'protocol = "pop4"'))
        for command in ["check", "run"]:
            text = self.expect(1, command, "-c", path).stderr
            self.assertIn(f"{path}:1: error: ", text)
            self.assertIn("hostname", text)
            self.assertIn("pop4", text)
            self.assertRegex(text, r"\n?deepproxy: .*: 2 errors\n$")

    def test_missing_file(self):
        path = self.folder.path / "nowhere.conf"
        self.assertIn(str(path), self.expect(1, "check", "-c", path).stderr)
        self.assertIn(str(path), self.expect(1, "run", "-c", path).stderr)
        self.assertIn(str(path), self.expect(1, "probe", "-c", path).stderr)

    def test_missing_key(self):
        path = self.folder.write("nokey.conf", self.write().read_text().replace("mail.key", "nowhere.key"))
        self.assertRegex(self.expect(1, "check", "-c", path).stderr,
                         r"nokey\.conf:\d+: error: the private key .*nowhere\.key can't be opened: No such file")

    def test_a_missing_key_beside_an_error_of_the_file(self):
        text = self.write().read_text().replace("mail.key", "nowhere.key").replace("hostname =", "hostnam =")
        errors = self.expect(1, "check", "-c", self.folder.write("both.conf", text)).stderr
        self.assertIn('unknown key "hostnam"', errors)
        self.assertRegex(errors, r"the private key .*nowhere\.key can't be opened: No such file")
        self.assertRegex(errors, r"deepproxy: .*: 2 errors\n$")
        # A certificate of which half is missing is one error, not two.
        half = text.replace('key = "nowhere.key";', "")
        errors = self.expect(1, "check", "-c", self.folder.write("half.conf", half)).stderr
        self.assertRegex(errors, r"deepproxy: .*: 2 errors\n$")

    def test_port_in_use(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        path = self.write(listen="127.0.0.1:%d" % proxy.port("pop3"))
        text = self.expect(1, "run", "-c", path).stderr
        self.assertRegex(text, r"other\.conf:\d+: error: can't listen on 127\.0\.0\.1:%d: Address already in use"
                         % proxy.port("pop3"))
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")

    def test_address_of_another_machine(self):
        path = self.write(listen="192.0.2.1:0")
        self.assertIn("this machine has no such address", self.expect(1, "run", "-c", path).stderr)

    def test_probe(self):
        for protocol, script in harness.SCRIPTS.items():
            with self.subTest(protocol):
                proxy = self.start({protocol: [self.backend(script)]}, extra='log_level = "debug";')
                # The running one has the port from the system; the probe's file names it.
                path = self.folder.write("probe.conf", harness.configuration(
                    {protocol: (protocol, ["127.0.0.1:%d" % proxy.port(protocol)], ["127.0.0.1:1"], "none")}))
                result = self.expect(0, "probe", "-c", path)
                self.assertRegex(result.stdout, rf"^{protocol} 127\.0\.0\.1:\d+: well\n$")
                line = proxy.session()
                self.assertEqual((line["reason"], line["level"], line["sni"]), ("logout", "debug", "localhost"))
                self.assertEqual(line["alpn"], {"submission": "smtp"}.get(protocol, protocol))

    def probe(self, status, **options):
        """What the probe says of a running service with this configuration."""
        options.setdefault("extra", "")
        proxy = self.start({"imap": [self.backend(harness.imap)]},
                           **{**options, "extra": 'log_level = "debug";' + options["extra"]})
        path = self.folder.write("probe.conf", harness.configuration(
            {"imap": ("imap", ["127.0.0.1:%d" % proxy.port("imap")], ["127.0.0.1:1"], "none")}, **options))
        return self.expect(status, "probe", "-c", path).stdout, proxy.session()

    def test_probe_offers_what_the_service_has(self):
        for tls in ("strict_sni = true;", 'groups = "P-521";', 'groups = "P-384"; strict_sni = true;',
                    'max_version = "TLSv1.2";', 'min_version = "TLSv1.3";',
                    'min_version = "TLSv1.0"; max_version = "TLSv1.2";',
                    'max_version = "TLSv1.2"; ciphers = "ECDHE-ECDSA-AES256-SHA";'):
            with self.subTest(tls):
                said, line = self.probe(0, tls=tls)
                self.assertRegex(said, r"^imap 127\.0\.0\.1:\d+: well\n$")
                self.assertEqual((line["reason"], line["level"]), ("logout", "debug"))

    def test_probe_asks_for_a_name_that_a_certificate_has(self):
        """The proxy's own, which the harness has, if a certificate has that; else the first. A wildcard stands for any."""
        for names, asked in [(("mail.example.com", "proxy.example.com"), "proxy.example.com"),
                             (("*.example.com",), "proxy.example.com"), (("*.example.org",), "probe.example.org"),
                             (("mail.example.org", "x.example.org"), "mail.example.org")]:
            with self.subTest(names):
                harness.certificates.make(self.folder.path, names=names)
                said, line = self.probe(0, tls="strict_sni = true;")
                self.assertIn("well", said)
                self.assertEqual(line["sni"], asked)

    def test_probe_of_folders(self):
        """Certificates in a folder count as well, and so does one with another kind of key."""
        folder = self.folder.path / "certificates"
        folder.mkdir()
        for name, key in (("a", ["-newkey", "rsa:2048"]), ("b", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"])):
            harness.certificates.openssl("req", "-x509", "-nodes", *key, "-subj", f"/CN={name}", "-days", "30", "-addext",
                                         f"subjectAltName=DNS:{name}.example.com", "-keyout", folder / f"{name}.key",
                                         "-out", folder / f"{name}.pem")
        (self.folder.path / "mail.pem").unlink()
        (self.folder.path / "mail.key").unlink()
        self.addCleanup(harness.certificates.make, self.folder.path, names=("localhost", "mail.example.com"))
        proxy = None
        for first in ("a", "b"):
            with self.subTest(first):
                text = harness.configuration({"imap": ("imap", ["127.0.0.1:0"], [self.backend(harness.imap)], "none")},
                                             tls="strict_sni = true;", extra='log_level = "debug";')
                text = text.replace('certificates = ( { chain = "mail.pem"; key = "mail.key"; } );',
                                    'certificate_dir = "certificates";')
                proxy = harness.Proxy(self.folder.write("deepproxy.conf", text))
                self.addCleanup(proxy.stop)
                path = self.folder.write("probe.conf", text.replace("127.0.0.1:0", f"127.0.0.1:{proxy.port('imap')}"))
                self.assertIn("well", self.expect(0, "probe", "-c", path).stdout)
                self.assertEqual(proxy.session()["sni"], f"{first}.example.com")
                for file in folder.glob("a.*"):
                    file.unlink()

    def test_probe_without_standard_input(self):
        """A program may be started with its descriptor closed: the probe's connection has the number 0 then."""
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        path = self.write(listen="127.0.0.1:%d" % proxy.port("pop3"))
        command = ["sh", "-c", 'exec "$@" <&-', "sh", harness.PROGRAM, "probe", "-c", path]
        result = subprocess.run(command, capture_output=True, text=True, timeout=harness.PATIENCE, check=False,
                                env={**os.environ, **harness.SANITIZERS})
        self.assertRegex(result.stdout, r"^pop3 127\.0\.0\.1:\d+: well\n$")

    def probe_starttls(self, status, protocol, server):
        """What the probe says of a listener with STARTTLS."""
        keys = {protocol: 'tls = "starttls";'}
        proxy = self.start({protocol: [server]}, keys=keys, extra='log_level = "debug";')
        path = self.folder.write("probe.conf", harness.configuration(
            {protocol: (protocol, ["127.0.0.1:%d" % proxy.port(protocol)], ["127.0.0.1:1"], "none")}, keys=keys))
        return self.expect(status, "probe", "-c", path).stdout, proxy.session()

    def test_probe_with_starttls(self):
        for protocol, script in harness.SCRIPTS.items():
            with self.subTest(protocol):
                said, session = self.probe_starttls(0, protocol, self.backend(script))
                self.assertRegex(said, rf"^{protocol} 127\.0\.0\.1:\d+: well\n$")
                self.assertEqual(session["reason"], "logout")
            with self.subTest(protocol, backend="down"):
                said, session = self.probe_starttls(1, protocol, harness.refusing_address())
                self.assertIn("is a server down?", said)
                self.assertEqual(session["reason"], "backend-unavailable")

    def test_probe_where_a_backend_is_down(self):
        proxy = self.start({"pop3": [harness.refusing_address()]})
        path = self.write(listen="127.0.0.1:%d" % proxy.port("pop3"))
        self.assertIn("is a server down?", self.expect(1, "probe", "-c", path).stdout)

    def test_probe_of_several(self):
        """Each is asked by itself, after one that is well too."""
        proxy = self.start({name: ("pop3", ["127.0.0.1:0"], [server], "none") for name, server in
                            (("first", self.backend(harness.pop3)), ("second", harness.refusing_address()),
                             ("third", self.backend(harness.pop3)))})
        path = self.folder.write("probe.conf", harness.configuration(
            {name: ("pop3", ["127.0.0.1:%d" % proxy.port(name)], ["127.0.0.1:1"], "none")
             for name in ("first", "second", "third")}))
        said = self.expect(1, "probe", "-c", path).stdout.splitlines()
        self.assertEqual([line.split(": ", 1)[1] for line in said],
                         ["well", "it answers that it can't serve: is a server down?", "well"])

    def test_probe_where_nothing_runs(self):
        path = self.write(listen=harness.refusing_address())
        self.assertIn("refused", self.expect(1, "probe", "-c", path).stdout)

    def test_probe_of_what_is_no_proxy(self):
        """Whether it speaks no TLS or ends at once."""
        def cleartext(connection):
            connection.send(b"* OK cleartext\r\n")
            connection.rest()
        for script, said in [(cleartext, ".* does not speak TLS.*"),
                             (lambda connection: connection.finish(), "closed without a greeting")]:
            with self.subTest(said):
                backend = self.backend(script)
                result = self.expect(1, "probe", "-c", self.write(listen=backend.address))
                self.assertRegex(result.stdout, rf"^pop3 {backend.address}: {said}\n$")

    def test_probe_of_what_has_no_starttls(self):
        """It ends at once, greets otherwise, does not begin with TLS, or says too much."""
        def unwilling(connection):
            connection.send(b"+OK\r\n")
            connection.line()
            connection.send(b"-ERR no\r\n")
            connection.rest()
        for script, said in [(lambda connection: connection.finish(), "closed without a greeting"),
                             (lambda connection: connection.send(b"-ERR no\r\n"), "it refuses TLS"),
                             (unwilling, "it refuses TLS"),
                             (lambda connection: connection.send(b"+OK " + b"x" * 2000), "more than a greeting")]:
            with self.subTest(said):
                backend = self.backend(script)
                result = self.expect(1, "probe", "-c", self.write(listen=backend.address, keys='tls = "starttls";'))
                self.assertRegex(result.stdout, rf"^pop3 {backend.address}: {said}\n$")


class Log(harness.TestCase):
    def test_fields_of_a_session(self):
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend]})
        client = self.client(proxy, "pop3")
        client.line()
        client.send(b"USER joe\r\nQUIT\r\n")
        client.rest()
        line = proxy.session()
        expected = {"level": "info", "service": "pop3", "client": "127.0.0.1:%d" % client.local[1],
                    "backend": backend.address, "tls": "TLSv1.3", "cipher": client.cipher[0],
                    "sni": "mail.example.com", "resumed": "no", "reason": "logout",
                    "in": str(len("USER joe\r\nQUIT\r\n")), "out": str(len("+OK ready\r\n+OK USER\r\n+OK bye\r\n"))}
        self.assertEqual({key: line.get(key) for key in expected}, expected)
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertRegex(line["duration"], r"^\d+\.\d{3}$")
        self.assertTrue(line["session"])

    def test_sessions_have_names_of_their_own(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        for _ in range(20):
            client = self.client(proxy, "pop3")
            client.send(b"QUIT\r\n")
            client.rest()
        self.assertEqual(len({line["session"] for line in proxy.wait_lines(20, event="session")}), 20)

    def test_tests_miss_no_line(self):
        """A thread of its own writes the log, and yet `find` has what was logged before a client could see it."""
        unwilling = self.backend(lambda connection: connection.send(b"-ERR not now\r\n"))
        proxy = self.start({"pop3": [unwilling]}, extra="workers = 2;")
        for count in range(1, 21):
            self.assertTrue(self.client(proxy, "pop3").rest().startswith(b"-ERR"))
            self.assertEqual(len(proxy.find(event="backend-failed")), count)

    def test_what_the_client_reports(self):
        proxy = self.start({"imap": [self.backend(harness.imap)]})
        client = self.client(proxy, "imap")
        client.line()
        client.send(b'a1 ID ("name" "Thunder \\"bird\\"" "version" "1.0" "latch" "tls11 tls12"'
                    b' "latch-fail" "tls-cert" "security-tags" "tls10")\r\na2 LOGOUT\r\n')
        client.rest()
        line = proxy.session()
        self.assertEqual([line.get(key) for key in ["client_name", "client_version", "latch", "latch_fail",
                                                     "security_tags"]],
                         ['Thunder "bird"', "1.0", "tls11 tls12", "tls-cert", "tls10"])

    def test_reports_are_counted(self):
        """By service and tag, on SIGUSR1 and at the end; what clients make up is one line."""
        proxy = self.start({"imap": [self.backend(harness.imap)], "pop3": [self.backend(harness.pop3)]})
        for latch in [b"tls11 tls12", b"tls12", b"made-up invented"]:
            client = self.client(proxy, "imap")
            client.line()
            client.send(b'a1 ID ("latch" "%s" "latch-fail" "tls-cert")\r\na2 LOGOUT\r\n' % latch)
            client.rest()
        proxy.wait_lines(3, event="session")
        proxy.process.send_signal(signal.SIGUSR1)
        # Services come in the order of the file, each with its tags behind it.
        self.assertEqual([line["sessions"] for line in proxy.wait_lines(1, event="reports", service="pop3")], ["0"])
        lines = proxy.wait_lines(1, event="reports", service="imap")
        counts = {line.get("tag"): [line.get(key) for key in ["sessions", "latch", "latch_fail", "security_tags"]]
                  for line in lines}
        self.assertEqual(counts, {None: ["3", None, None, None], "tls11": ["3", "1", "0", "0"], "tls12": ["3", "2", "0", "0"],
                                  "tls-cert": ["3", "0", "3", "0"], "other": ["3", "1", "0", "0"]})
        proxy.terminate()
        proxy.wait()
        self.assertEqual(len(proxy.find(event="reports", service="imap")), 2 * len(lines))

    def test_a_server_that_refuses_all_logins(self):
        """Said with the remedy, once for each server, not in each session that meets it; clients are told the truth."""
        def locked(connection):
            harness.imap(connection, b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready")
        servers = [self.backend(locked), self.backend(locked)]
        proxy = self.start({"imap": servers})
        for _ in range(6):  # round robin: both servers' turn
            client = self.client(proxy, "imap")
            self.assertIn(b"LOGINDISABLED", client.line())
            client.send(b"a LOGOUT\r\n")
            client.rest()
        proxy.wait_lines(6, event="session")
        lines = proxy.find(event="backend-warning", service="imap", level="warning")
        self.assertEqual(sorted(line["backend"] for line in lines), sorted(server.address for server in servers))
        for line in lines:
            self.assertIn("LOGINDISABLED", line["warning"])
            self.assertIn("identity = proxy-v2", line["warning"])
            self.assertTrue(line["session"])

    def test_no_client_writes_a_line_of_the_log(self):
        """What a client calls itself, with line ends in a literal, quotes and escapes; and in its server name."""
        name = b'x\r\ntime=2026-01-01T00:00:00.000Z level=error event=forged\x1b[2J" reason="forged'
        proxy = self.start({"imap": [self.backend(harness.imap)]})
        client = self.client(proxy, "imap")
        client.line()
        client.send(b'a1 ID ("name" {%d+}\r\n%s "version" "1\\\\ event=forged")\r\na2 LOGOUT\r\n' % (len(name), name))
        client.rest()
        proxy.session()
        self.assertEqual(proxy.find(event="forged"), [])
        self.assertEqual(len(proxy.find(event="session")), 1)
        self.assertEqual([c for c in proxy.text if not (c == "\n" or " " <= c <= "~")], [])

    def test_passwords_are_not_logged(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, extra='log_level = "debug";')
        client = self.client(proxy, "pop3")
        client.line()
        client.send(b"USER joe\r\nPASS hunter2\r\nAUTH PLAIN aHVudGVyMg==\r\nQUIT\r\n")
        client.rest()
        proxy.session()
        for secret in ["hunter2", "aHVudGVyMg"]:
            self.assertNotIn(secret, proxy.text)

    def test_secrets_of_no_protocol_are_logged(self):
        """At the level that says most: passwords in all their forms, lines of an exchange, content, and mistakes in them."""
        def submission(connection):
            connection.send(b"220 ready\r\n")
            answers = {b"AUTH PLAIN": b"334 \r\n", b"aHVudGVyMg==": b"535 no\r\n", b"*": b"501 given up\r\n",
                       b"DATA": b"354 go\r\n", b"hunter2": b"", b".": b"250 taken\r\n", b"QUIT": b"221 bye\r\n"}
            while (line := connection.line()) is not None:
                connection.send(answers[line])
        backends = {"imap": [self.backend(harness.imap)], "submission": [self.backend(submission)]}
        dialogues = {
            "imap": b"a1 LOGIN joe hunter2\r\na2 LOGIN joe {7+}\r\nhunter2\r\na3 LOGIN joe hunter2\0\r\nhunter2\r\n"
                    b"a4 AUTHENTICATE PLAIN aHVudGVyMg==\r\na5 APPEND hunter2 {99999999999999999999}\r\na6 LOGOUT\r\n",
            "submission": b"AUTH PLAIN\r\naHVudGVyMg==\r\nAUTH PLAIN\r\nhunter2!\r\nhunter2\xff\r\n"
                          b"DATA\r\nhunter2\r\n.\r\nQUIT\r\n"}
        proxy = self.start(backends, extra='log_level = "debug";')
        for protocol, words in dialogues.items():
            client = self.client(proxy, protocol)
            client.line()
            client.send(words)
            client.finish()
            client.rest()
            proxy.session(service=protocol)
        for secret in ["hunter2", "aHVudGVyMg"]:
            self.assertNotIn(secret, proxy.text)

    def test_a_log_that_nobody_reads_stops_no_session(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        self.addCleanup(proxy.reads_log.set)
        proxy.reads_log.clear()
        for _ in range(SESSIONS_THAT_FILL_A_PIPE):
            client = self.client(proxy, "pop3")
            client.send(b"QUIT\r\n")
            client.rest()
        proxy.reads_log.set()
        proxy.wait_lines(SESSIONS_THAT_FILL_A_PIPE, event="session")

    def test_level(self):
        """What is less than it asks for is not written, from the first line to the last."""
        address = harness.free_address()
        path = self.folder.write("quiet.conf", harness.configuration(
            {"pop3": ("pop3", [address], [harness.refusing_address()], "none")}, extra='log_level = "warning";'))
        process = subprocess.Popen([harness.PROGRAM, "run", "-c", path], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        self.wait_until(lambda: self.answers(address))
        process.terminate()
        _, text = process.communicate(timeout=harness.PATIENCE)
        self.assertIn("level=warning event=backend-failed", text)
        lines = [line for line in text.splitlines() if line.startswith("time=")]
        # Its only server fails: an error, if the program is still there when that is looked at.
        self.assertEqual([line for line in lines if " level=warning " not in line and " event=pool-panic " not in line], [])
        self.assertEqual(process.returncode, 0, text)

    @staticmethod
    def answers(address):
        host, port = address.split(":")
        try:
            with harness.Client(int(port), host=host) as client:
                return client.rest().startswith(b"-ERR")
        except ConnectionRefusedError:
            return False


if __name__ == "__main__":
    harness.main()
