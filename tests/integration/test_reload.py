# SPDX-License-Identifier: BSD-2-Clause
"""
What changes while the program runs: the configuration by SIGHUP, certificates by themselves. No session ends by it, no
connection is refused, and what is wrong changes nothing.
"""

import os
import pathlib
import shutil
import signal
import socket
import ssl
import tempfile
import threading
import time
import urllib.request

import harness
from harness import certificates


def der(path):
    """The first certificate of a PEM file."""
    text = pathlib.Path(path).read_text()
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN"):text.index(end) + len(end)] + "\n")


class Reloading(harness.TestCase):
    def setUp(self):
        """A folder of its own for each: they change it."""
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)

    def write(self, services, **options):
        """The configuration anew, in place of what the proxy was started with."""
        full = {name: service if isinstance(service, tuple) else (name, ["127.0.0.1:0"], service, "none")
                for name, service in services.items()}
        self.folder.write("deepproxy.conf", harness.configuration(full, **options))

    def reload(self, proxy, result="done"):
        said = proxy.reload()
        self.assertTrue(said.startswith(result), said)

    def make_certificate(self, name="renewed.example.com"):
        """A chain and its key in a folder of their own, which is not watched."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="deepproxy-"))
        self.addCleanup(shutil.rmtree, folder)
        certificates.make(folder, names=(name, "mail.example.com"))
        return folder

    def renew(self, proxy, chain="mail.pem", key="mail.key", name="renewed.example.com"):
        """As ACME clients do it; what the proxy shows from then on."""
        new = self.make_certificate(name)
        count = len(proxy.find(event="reload", of="certificates")) + 1
        os.replace(new / "mail.key", self.folder.path / key)
        os.replace(new / "mail.pem", self.folder.path / chain)
        self.assertEqual(proxy.wait_lines(count, event="reload", of="certificates")[-1]["result"], "done")
        return der(self.folder.path / chain)

    def shown(self, proxy, service="pop3", **options):
        client = self.client(proxy, service, **options)
        leaf = client.tls.getpeercert(binary_form=True)
        client.line()
        client.close()
        return leaf


class Configuration(Reloading):
    def test_new_sessions_get_the_new_one_and_old_sessions_keep_theirs(self):
        one, two = self.backend(harness.pop3), self.backend(lambda c: harness.pop3(c, b"+OK the second"))
        proxy = self.start({"pop3": [one]})
        old = self.client(proxy, "pop3")
        self.assertEqual(old.line(), b"+OK ready")
        self.write({"pop3": [two]})
        self.reload(proxy)
        new = self.client(proxy, "pop3")
        self.assertEqual(new.line(), b"+OK the second")
        self.assertEqual(old.ask(b"STAT"), b"+OK 1 0")
        self.assertEqual(new.ask(b"STAT"), b"+OK 1 0")
        self.assertEqual((one.count, two.count), (1, 1))
        # The same port, and no word of another.
        self.assertEqual(len(proxy.find(event="listening")), 1)

    def status(self, client):
        """The DEEP status in the answer to CAPA."""
        client.send(b"CAPA\r\n")
        lines = []
        while not lines or lines[-1] != b".":
            lines.append(client.line())
        return next(line for line in lines if line.startswith(b"DEEP"))

    def test_the_status_of_old_and_new_sessions(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        old = self.client(proxy, "pop3")
        old.line()
        before = self.status(old)
        text = (self.folder.path / "deepproxy.conf").read_text()
        self.folder.write("deepproxy.conf", text.replace('[ "tls11", "tls12" ]', '[ "tls11", "tls12", "x-new" ]'))
        self.reload(proxy)
        new = self.client(proxy, "pop3")
        new.line()
        self.assertIn(b"x-new", self.status(new))
        self.assertEqual(self.status(old), before)
        self.assertNotIn(b"x-new", before)

    def test_services_come_and_go(self):
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend], "imap": [self.backend(harness.imap)]})
        old = self.client(proxy, "imap")
        old.line()
        gone = proxy.port("imap")
        self.write({"pop3": [backend], "submission": [self.backend(harness.submission)]})
        self.reload(proxy)
        line = proxy.wait_line(event="listening", service="submission")
        with harness.Client(int(line["address"].rsplit(":", 1)[1])) as client:
            self.assertTrue(client.line().startswith(b"220 "))
        # A listener that is gone refuses; its sessions go on.
        self.wait_until(lambda: self.is_refused(gone))
        self.assertEqual(old.ask(b"a NOOP"), b"a OK NOOP done")
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")

    @staticmethod
    def is_refused(port):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) != 0

    def test_another_service_takes_the_address_over(self):
        address = harness.free_address()
        host, port = address.split(":")
        proxy = self.start({"imap": ("imap", [address], [self.backend(harness.imap)], "none")})
        self.write({"pop3": ("pop3", [address], [self.backend(harness.pop3)], "none")})
        self.reload(proxy)
        with harness.Client(int(port), host=host) as client:
            self.assertEqual(client.line(), b"+OK ready")

    def test_what_is_wrong_is_said_and_changes_nothing(self):
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend]})
        self.write({"pop3": [backend]}, extra="wrokers = 3;")
        self.reload(proxy, "refused")
        problem = proxy.wait_line(event="configuration-problem")
        self.assertEqual(problem["level"], "error")
        self.assertEqual(problem["place"], f"{self.folder.path / 'deepproxy.conf'}:2")
        self.assertIn('did you mean "workers"?', problem["problem"])
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")
        (self.folder.path / "deepproxy.conf").unlink()
        self.reload(proxy, "refused")
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")
        self.write({"pop3": [backend]})
        self.reload(proxy)

    def test_an_address_that_is_taken_refuses_all_of_it(self):
        one, two = self.backend(harness.pop3), self.backend(lambda c: harness.pop3(c, b"+OK the second"))
        proxy = self.start({"pop3": [one]})
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.write({"pop3": ("pop3", ["127.0.0.1:0", address], [two], "none")})
            before = proxy.descriptors()
            self.reload(proxy, "refused")
            self.assertIn("another program listens there", proxy.wait_line(event="configuration-problem")["problem"])
            self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")
            self.wait_until(lambda: proxy.descriptors() <= before + 2)
        self.reload(proxy)
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK the second")

    def test_what_takes_a_restart_is_said(self):
        """Of each key by its name, and of no other."""
        backend = self.backend(harness.pop3)
        before = {"workers": "1", "user": None, "group": None, "key_isolation": "true", "key_user": None}
        after = {"workers": "2", "user": '"nobody"', "group": '"nogroup"', "key_isolation": "false", "key_user": '"nobody"'}

        def text(keys):
            return " ".join(f"{key} = {value};" for key, value in keys.items() if value)
        proxy = self.start({"pop3": [backend]}, extra=text(before))
        for key, value in after.items():
            with self.subTest(key):
                told = len(proxy.find(event="configuration-problem"))
                self.write({"pop3": [backend]}, extra=text({**before, key: value}))
                self.reload(proxy)
                self.reload(proxy)  # what runs is still another
                lines = proxy.find(event="configuration-problem")[told:]
                self.assertEqual([(line["level"], line["problem"]) for line in lines],
                                 [("warning", f'"{key}" has changed: that takes a restart')] * 2)
                self.write({"pop3": [backend]}, extra=text(before))
                self.reload(proxy)
                self.assertEqual(len(proxy.find(event="configuration-problem")), told + 2)
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")

    def test_as_many_workers_as_there_are(self):
        """However it is written."""
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend]}, extra="workers = 0;")
        cores = len(os.sched_getaffinity(0))
        for workers, problems in ((cores, 0), (0, 0), (cores + 1, 1), (cores + 1, 2), (cores, 2)):
            self.write({"pop3": [backend]}, extra=f"workers = {workers};")
            self.reload(proxy)
            self.assertEqual(len(proxy.find(event="configuration-problem")), problems)

    def test_timeouts(self):
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend]})
        old = self.client(proxy, "pop3")
        old.line()
        self.write({"pop3": [backend]}, timeouts='login = "1 s";')
        self.reload(proxy)
        new = self.client(proxy, "pop3")
        new.line()
        new.rest()
        line = proxy.session(reason="login-timeout")
        self.assertEqual(line["client"].rsplit(":", 1)[1], str(new.local[1]))
        self.assert_lasted(line, 1)
        self.assertEqual(old.ask(b"STAT"), b"+OK 1 0")

    def test_log_level(self):
        """A session leaves no word at "warning", and one again at "info"."""
        backend = self.backend(harness.pop3)
        admin = 'admin = { listen = "127.0.0.1:0"; };'
        proxy = self.start({"pop3": [backend]}, extra=admin)
        # The short time is worth a warning, which tells that the level is in effect.
        self.write({"pop3": [backend]}, timeouts='idle = "1 min";', extra=f'log_level = "warning"; {admin}')
        proxy.process.send_signal(signal.SIGHUP)
        proxy.wait_line(event="configuration-problem", level="warning")
        self.served(proxy)
        self.wait_until(lambda: b'\ndeepproxy_sessions{service="pop3"} 0\n' in self.metrics(proxy))
        self.write({"pop3": [backend]}, extra=f'log_level = "info"; {admin}')
        self.assertEqual(proxy.reload(), "done")
        self.served(proxy)
        proxy.session()
        proxy.stop()
        self.assertEqual(len(proxy.find(event="session")), 1)
        self.assertEqual(backend.count, 2)

    @staticmethod
    def metrics(proxy):
        with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin_port}/metrics", timeout=harness.PATIENCE) as answer:
            return answer.read()

    def served(self, proxy):
        client = self.client(proxy, "pop3")
        client.send(b"QUIT\r\n")
        self.assertEqual(client.rest(), b"+OK ready\r\n+OK bye\r\n")

    def test_a_server_that_failed_stays_avoided(self):
        down, up = harness.refusing_address(), self.backend(harness.pop3)
        proxy = self.start({"pop3": [down, up]}, extra="workers = 1;")
        self.client(proxy, "pop3").line()
        proxy.wait_line(event="backend-failed")
        self.reload(proxy)
        for _ in range(4):
            self.client(proxy, "pop3").line()
        self.assertEqual(len(proxy.find(event="backend-failed")), 1)

    def test_counts_of_reports_go_on(self):
        proxy = self.start({"imap": [self.backend(harness.imap)]})
        for count in (1, 2):
            client = self.client(proxy, "imap")
            client.line()
            client.send(b'a ID ("name" "x" "latch" "tls12")\r\n')
            while not client.line().startswith(b"a "):
                pass
            client.send(b"b LOGOUT\r\n")
            client.rest()
            proxy.wait_lines(count, event="session")
            self.reload(proxy)
        proxy.process.send_signal(signal.SIGUSR1)
        self.assertEqual(proxy.wait_line(event="reports", tag="tls12")["latch"], "2")

    def test_under_load_nothing_is_lost(self):
        """Sessions come, talk and go while the configuration changes to and fro; old ones stay through it all."""
        backends = [self.backend(harness.pop3) for _ in range(2)]
        proxy = self.start({"pop3": [backends[0]]})
        held = [self.client(proxy, "pop3") for _ in range(10)]
        for client in held:
            client.line()
        errors, done = [], threading.Event()

        def work():
            try:
                while not done.is_set():
                    with harness.Client(proxy.port("pop3")) as client:
                        assert client.line() == b"+OK ready"
                        assert client.ask(b"STAT") == b"+OK 1 0"
                        client.send(b"QUIT\r\n")
                        assert client.rest() == b"+OK bye\r\n"
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(20):
            self.write({"pop3": [backends[(i + 1) % 2]]})
            self.reload(proxy)
            if i % 5 == 0:
                self.renew(proxy)
        done.set()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        self.assertGreater(backends[1].count, 0)
        for client in held:
            self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")

    def test_what_old_configurations_held_is_given_back(self):
        backend = self.backend(harness.pop3)
        proxy = self.start({"pop3": [backend]})
        held = self.client(proxy, "pop3")
        held.line()
        before = proxy.descriptors()
        for _ in range(10):
            self.reload(proxy)
        self.assertEqual(held.ask(b"STAT"), b"+OK 1 0")
        self.wait_until(lambda: proxy.descriptors() <= before + 8)  # the pool's threads come once
        middle = proxy.descriptors()
        memory = proxy.rss()
        for _ in range(40):
            self.reload(proxy)
        self.wait_until(lambda: proxy.descriptors() <= middle)
        if not harness.is_sanitized():
            self.assertLess(proxy.rss() - memory, 2 * 1024 * 1024)

    def test_the_end_in_the_middle_of_it(self):
        for _ in range(5):
            proxy = self.start({"pop3": [self.backend(harness.pop3)]})
            proxy.process.send_signal(signal.SIGHUP)
            proxy.terminate()
            proxy.wait()


class Certificates(Reloading):
    def test_a_renewed_one_is_taken_up_by_itself(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        old = self.client(proxy, "pop3")
        old.line()
        before = self.shown(proxy)
        self.assertEqual(before, der(self.folder.path / "mail.pem"))
        after = self.renew(proxy)
        self.assertNotEqual(before, after)
        self.assertEqual(self.shown(proxy), after)
        self.assertEqual(old.ask(b"STAT"), b"+OK 1 0")

    def test_a_handshake_that_had_begun_ends_well(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        client = self.client(proxy, "pop3", shake_hands=False)
        last = client.last_flight()
        self.renew(proxy)
        client.socket.sendall(last)
        self.assertEqual(client.line(), b"+OK ready")

    def test_kubernetes_swaps_a_symbolic_link(self):
        secrets = self.folder.path / "secret"
        secrets.mkdir()

        def publish(version):
            new = self.make_certificate(f"{version}.example.com")
            target = secrets / f"..{version}"
            target.mkdir()
            shutil.copy(new / "mail.pem", target / "tls.crt")
            shutil.copy(new / "mail.key", target / "tls.key")
            (secrets / "..data_tmp").symlink_to(target.name)
            os.replace(secrets / "..data_tmp", secrets / "..data")
            return der(target / "tls.crt")

        first = publish("one")
        for name in ("tls.crt", "tls.key"):
            (secrets / name).symlink_to(f"..data/{name}")
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, tls='certificate_dir = "secret";')
        # The list's is the default; this one is chosen by its name.
        self.assertEqual(self.shown(proxy, name="one.example.com"), first)
        second = publish("two")
        proxy.wait_line(event="reload", of="certificates", result="done")
        self.assertEqual(self.shown(proxy, name="two.example.com"), second)

    def test_folders_gain_and_lose_certificates(self):
        folder = self.folder.path / "certificates"
        folder.mkdir()
        shutil.copy(self.folder.path / "mail.pem", folder / "a.pem")
        shutil.copy(self.folder.path / "mail.key", folder / "a.key")
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, tls='certificate_dir = [ "certificates" ];')
        self.assertEqual(self.shown(proxy, name="b.example.com"), der(self.folder.path / "mail.pem"))
        new = self.make_certificate("b.example.com")
        (folder / "b").mkdir()
        os.replace(new / "mail.key", folder / "b" / "privkey.pem")
        os.replace(new / "mail.pem", folder / "b" / "fullchain.pem")
        proxy.wait_line(event="reload", of="certificates", result="done")
        self.assertEqual(len(proxy.find(event="reload")), 1)
        leaf = der(folder / "b" / "fullchain.pem")
        self.assertEqual(self.shown(proxy, name="b.example.com"), leaf)
        shutil.rmtree(folder / "b")
        proxy.wait_lines(2, event="reload", of="certificates", result="done")
        self.assertEqual(self.shown(proxy, name="b.example.com"), der(self.folder.path / "mail.pem"))

    def test_a_folder_that_is_there_before_what_belongs_into_it(self):
        folder = self.folder.path / "certificates"
        folder.mkdir()
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, tls='certificate_dir = "certificates";')
        (folder / "b").mkdir()
        # Certificates are looked at because of that; whoever fills the folder takes his time.
        self.assertEqual(self.renew(proxy), self.shown(proxy))
        new = self.make_certificate("b.example.com")
        os.replace(new / "mail.key", folder / "b" / "privkey.pem")
        os.replace(new / "mail.pem", folder / "b" / "fullchain.pem")
        proxy.wait_lines(2, event="reload", of="certificates", result="done")
        self.assertEqual(self.shown(proxy, name="b.example.com"), der(folder / "b" / "fullchain.pem"))

    def test_a_broken_one_is_refused_and_the_old_one_serves(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]})
        good = self.shown(proxy)
        self.folder.write("mail.pem", "half a certificate")
        problem = proxy.wait_line(event="configuration-problem")
        self.assertIn("has no certificate in PEM form", problem["problem"])
        self.assertIn("the one that was loaded before stays in use", problem["problem"])
        self.assertEqual(self.shown(proxy), good)
        self.assertEqual(proxy.find(event="reload"), [])
        # A key of another certificate, as between two writes.
        new = self.make_certificate()
        os.replace(new / "mail.key", self.folder.path / "mail.key")
        os.replace(new / "ca.pem", self.folder.path / "mail.pem")
        self.assertIn("does not belong to the first certificate",
                      proxy.wait_lines(2, event="configuration-problem")[1]["problem"])
        self.assertEqual(self.shown(proxy), good)
        self.assertEqual(proxy.find(event="reload", result="done"), [])
        os.replace(new / "mail.pem", self.folder.path / "mail.pem")
        proxy.wait_line(event="reload", of="certificates", result="done")
        self.assertEqual(self.shown(proxy), der(self.folder.path / "mail.pem"))

    def test_a_renewal_beside_a_broken_file(self):
        """At the same time: the one is taken up, the other stays as it was, and is told once."""
        folder = self.folder.path / "certificates"
        folder.mkdir()
        names = ("a.example.com", "b.example.com")
        for name in names:
            new = self.make_certificate(name)
            os.replace(new / "mail.key", folder / f"{name}.key")
            os.replace(new / "mail.pem", folder / f"{name}.pem")
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, tls='certificate_dir = "certificates";')
        before = self.shown(proxy, name=names[0])
        (folder / f"{names[0]}.pem").write_text("half a certificate")
        after = self.renew(proxy, f"certificates/{names[1]}.pem", f"certificates/{names[1]}.key", names[1])
        self.assertEqual(self.shown(proxy, name=names[1]), after)
        self.assertEqual(self.shown(proxy, name=names[0]), before)
        again = self.renew(proxy, f"certificates/{names[1]}.pem", f"certificates/{names[1]}.key", names[1])
        self.assertEqual(self.shown(proxy, name=names[1]), again)
        problems = [line["problem"] for line in proxy.find(event="configuration-problem")]
        self.assertEqual(len(problems), 1, problems)
        self.assertRegex(problems[0], r"a\.example\.com\.pem has no certificate in PEM form.*stays in use")

    def test_sighup_with_a_broken_one_changes_the_rest(self):
        one, two = self.backend(harness.pop3), self.backend(lambda c: harness.pop3(c, b"+OK the second"))
        proxy = self.start({"pop3": [one]})
        good = self.shown(proxy)
        self.folder.write("mail.key", "half a key")
        self.write({"pop3": [two]})
        self.reload(proxy)
        self.assertEqual(self.shown(proxy), good)
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK the second")

    def test_starttls_sessions_get_the_new_one(self):
        proxy = self.start({"pop3": [self.backend(harness.pop3)]}, keys='tls = "starttls";')
        renewed = []

        def speak(connection):
            renewed.append(self.renew(proxy))
            harness.starttls("pop3")(connection)

        client = self.client(proxy, "pop3", before=speak)
        self.assertEqual(client.tls.getpeercert(binary_form=True), renewed[0])

    def test_the_end_of_one_is_near(self):
        for days, left, event, level in (("10", "9", "certificate-expires", "warning"), ("30", None, None, None)):
            certificates.DAYS = days
            try:
                certificates.make(self.folder.path, names=("mail.example.com",))
            finally:
                certificates.DAYS = "30"
            # Whole days are counted: in the second in which it is made there is one more.
            made = int(time.time())
            self.wait_until(lambda: int(time.time()) > made)
            proxy = self.start({"pop3": [self.backend(harness.pop3)]})
            if event:
                line = proxy.wait_line(event=event)
                self.assertEqual((line["level"], line["name"], line["days"]), (level, "mail.example.com", left))
                self.assertEqual(line["certificate"], str(self.folder.path / "mail.pem"))
            proxy.stop()
            self.assertEqual(bool(proxy.find(event="certificate-expires")), bool(event))


if __name__ == "__main__":
    harness.main()
