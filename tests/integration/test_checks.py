# SPDX-License-Identifier: BSD-2-Clause
"""Active checks in the running program: what servers hear of them, and what becomes of their results."""

import contextlib
import os
import re
import signal
import socket
import ssl
import threading
import time

import harness
from backend_tls_case import Case
from client_certificates import Authority
from connections import own_host
from processes import signer_of

DEBUG = 'workers = 1; log_level = "debug";'
RISE, FALL = 2, 3
AT_ONCE = 128
QUICK = (f'check = {{ interval = "400 ms"; fast = "100 ms"; slow = "400 ms"; timeout = "1 s"; '
         f'rise = {RISE}; fall = {FALL}; }}; slow_start = 0;')
CAPABILITIES = {"imap": b"IMAP4rev1 ID AUTH=PLAIN", "pop3": b"TOP\r\nSASL PLAIN", "submission": b"250-8BITMIME\r\n250 AUTH PLAIN"}
DIALOGUES = {"imap": [b"CAPABILITY", b"ID NIL", b"LOGOUT"], "pop3": [b"CAPA", b"QUIT"],
             "submission": [b"EHLO proxy.example.com", b"QUIT"]}


# ---- servers ----

def answer_imap(line, offers):
    tag, _, command = line.partition(b" ")
    word = command.split(b" ")[0].upper()
    untagged = {b"CAPABILITY": b"* CAPABILITY " + offers + b"\r\n", b"ID": b'* ID ("name" "Store")\r\n',
                b"LOGOUT": b"* BYE see you\r\n"}.get(word, b"")
    return untagged + tag + b" OK " + word + b" done\r\n"


def answer_pop3(line, offers):
    return b"+OK\r\n" + offers + b"\r\n.\r\n" if line == b"CAPA" else b"+OK " + line.split(b" ")[0] + b"\r\n"


def answer_submission(line, offers):
    if line.startswith(b"EHLO"):
        return b"250-msa.example.com\r\n" + offers + b"\r\n"
    return b"220 go\r\n" if line == b"STARTTLS" else b"250 2.0.0 fine\r\n"


ANSWERS = {"imap": answer_imap, "pop3": answer_pop3, "submission": answer_submission}
GREETINGS = {"imap": b"* OK ready\r\n", "pop3": b"+OK ready\r\n", "submission": b"220 msa.example.com ESMTP\r\n"}
LAST_WORDS = re.compile(rb"(\S+ )?(LOGOUT|QUIT)$", re.IGNORECASE)


class Store:
    """
    A server's behaviour, which a test may change while it runs: its greeting (None: it is silent; empty: it closes) and what it offers.
    `dialogues` has the lines of each connection.
    """

    def __init__(self, protocol="imap", header=None):
        self.protocol, self.header = protocol, header
        self.greeting, self.offers = GREETINGS[protocol], CAPABILITIES[protocol]
        self.headers, self.dialogues, self.times = [], [], []

    def __call__(self, connection):
        lines = []
        self.times.append(time.monotonic())
        self.dialogues.append(lines)
        if self.header:
            self.headers.append(self.header(connection))
        if not self.greeting:
            if self.greeting is None:
                connection.rest()
            return
        connection.send(self.greeting)
        while (line := connection.line()) is not None:
            lines.append(line)
            connection.send(ANSWERS[self.protocol](line, self.offers))
            if LAST_WORDS.match(line):
                return

    def words(self):
        """What each connection has said, without tags."""
        return [[line.partition(b" ")[2] if self.protocol == "imap" else line for line in lines] for lines in self.dialogues]

    def checks(self):
        """How many whole dialogues there were of a check's."""
        return self.words().count(DIALOGUES[self.protocol])


def header_v1(connection):
    return connection.line()


def header_v2(connection):
    head = connection.exactly(16)
    return head + connection.exactly(int.from_bytes(head[14:], "big"))


class Crowd:
    """Servers on addresses of loopback with one port, silent all of them: when each was connected to, and how many are."""

    def __init__(self, count):
        self.listener = socket.create_server(("0.0.0.0", 0), backlog=1024)
        port, host = self.listener.getsockname()[1], own_host().rsplit(".", 1)[0]
        self.addresses = [f"{host}.{index + 1}:{port}" for index in range(count)]
        self.times, self.sockets = {}, []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.sockets.append(sock)
                self.times.setdefault(sock.getsockname()[0], time.monotonic())

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        for sock in [self.listener, *self.sockets]:
            sock.close()


# ---- tests ----

class Checks(harness.TestCase):
    def check(self, servers, protocol="imap", identity="none", pool=QUICK, **options):
        return self.start({protocol: (protocol, ["127.0.0.1:0"], servers, identity)},
                          **{"extra": DEBUG, "pool": pool, **options})

    def log_in(self, proxy, service="imap"):
        client = self.client(proxy, service)
        self.assertTrue(client.line().startswith(b"* OK"))
        self.assertTrue(client.ask(b"a LOGIN user secret").startswith(b"a OK"))
        return client

    def log_out(self, client):
        client.send(b"z LOGOUT\r\n")
        self.assertIn(b"z OK", client.rest())

    def states(self, proxy, server, count):
        """Where the first changes of the server's state have led, and why; they have no gaps."""
        lines = proxy.wait_lines(count, event="server-state", server=server.address, axis="state")[:count]
        self.assertEqual([line["from"] for line in lines], ["unchecked", *(line["to"] for line in lines[:-1])])
        return [(line["to"], line["cause"]) for line in lines]

    def down(self, greeting, cause, protocol="imap", offers=None, **options):
        """A server that is so fails its checks, and is down in the end. Returns that line, and the store."""
        store = Store(protocol)
        store.greeting = greeting
        store.offers = offers or store.offers
        server = self.backend(store)
        proxy = self.check([server], protocol, **options)
        self.assertEqual(self.states(proxy, server, 1), [("down", cause)])
        checks = proxy._read_so_far(event="server-check")  # pylint: disable=protected-access
        self.assertEqual([line["result"] for line in checks[:FALL]], [cause] * FALL)
        return proxy.wait_line(event="server-state"), store


class Dialogues(Checks):
    def test_each_protocol(self):
        """Nothing else is said, one command at a time, and the log has what was found."""
        for protocol, dialogue in DIALOGUES.items():
            store = Store(protocol)
            server = self.backend(store)
            proxy = self.check([server], protocol)
            line = proxy.wait_lines(3, event="server-check", pool=f"{protocol}-pool", server=server.address)[0]
            self.assertEqual((line["level"], line["result"], line["tls"], line["mechanisms"]),
                             ("debug", "ok", "no", "PLAIN"))
            self.assertLess(float(line["duration"]), harness.PATIENCE)
            self.assertEqual(self.states(proxy, server, 1), [("up", "check-passed")])
            self.wait_until(lambda store=store: store.checks() >= 3)
            proxy.stop()
            self.assertEqual([words for words in store.words() if words != dialogue[:len(words)]], [])

    def test_not_at_level_info(self):
        server = self.backend(Store())
        proxy = self.check([server], extra="")
        self.states(proxy, server, 1)
        self.wait_until(lambda: server.script.checks() >= 3)
        self.assertEqual(proxy.find(event="server-check"), [])

    def test_header_of_version_2_says_local(self):
        store = Store(header=header_v2)
        proxy = self.check([self.backend(store)], identity="proxy-v2")
        self.assertEqual(proxy.wait_line(event="server-check")["result"], "ok")
        self.assertEqual(store.headers[0][:13], b"\r\n\r\n\0\r\nQUIT\n\x20")
        self.log_out(self.log_in(proxy))
        self.assertIn(b"\x21", [header[12:13] for header in store.headers], "a client's own is no LOCAL")

    def test_header_of_version_1_has_the_addresses_of_the_connection(self):
        store = Store(header=header_v1)
        server = self.backend(store)
        proxy = self.check([server], identity="proxy-v1")
        self.assertEqual(proxy.wait_line(event="server-check")["result"], "ok")
        self.assertRegex(store.headers[0].decode(), rf"^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ {server.port}$")


class States(Checks):
    def test_down_and_back_without_a_client_that_is_hurt(self):
        good, store = self.backend(Store()), Store()
        bad = self.backend(store)
        proxy = self.check([good, bad])
        idle = self.log_in(proxy)  # of either
        self.states(proxy, bad, 1)
        store.greeting = b"* BYE out of order\r\n"
        lines = proxy.wait_lines(2, event="server-state", server=bad.address, axis="state")

        def served():
            self.log_out(self.log_in(proxy))
            return proxy._read_so_far(event="server-state", server=bad.address)  # pylint: disable=protected-access
        while served()[-1]["to"] != "down":
            pass
        visits = store.words().count([])
        for _ in range(5):
            served()
        self.assertEqual([words for words in store.words()[visits:] if b"LOGIN user secret" in words], [])
        store.greeting = GREETINGS["imap"]
        while served()[-1]["to"] != "up":
            pass
        lines = [(line["to"], line["cause"]) for line in served()]
        self.assertEqual(lines[0], ("up", "check-passed"))
        self.assertEqual(lines[-2:], [("rising", "check-passed"), ("up", "check-passed")])
        self.assertIn(("down", "bad-greeting"), lines)
        self.wait_until(lambda: served() and any(b"LOGIN user secret" in words for words in store.words()[-6:]))
        self.assertEqual(proxy.find(event="session", reason="backend-unavailable"), [])
        self.assertTrue(idle.ask(b"b NOOP").startswith(b"b OK"))
        self.log_out(idle)

    def test_rows_of_checks(self):
        """It takes `fall` checks in a row until a server is down, and `rise` of them until it is up."""
        store = Store()
        server = self.backend(store)
        proxy = self.check([server])
        self.states(proxy, server, 1)
        store.greeting = b"* BYE out of order\r\n"
        proxy.wait_line(event="server-state", to="down")
        store.greeting = GREETINGS["imap"]
        self.assertEqual(self.states(proxy, server, 5),
                         [("up", "check-passed"), ("failing", "bad-greeting"), ("down", "bad-greeting"),
                          ("rising", "check-passed"), ("up", "check-passed")])
        results = [line["result"] for line in proxy.find(event="server-check")]
        fallen = results.index("bad-greeting")
        risen = results.index("ok", fallen)
        self.assertGreaterEqual(risen - fallen, FALL)
        self.assertEqual(set(results[fallen:risen]), {"bad-greeting"})
        paces = [line["to"] for line in proxy.lines
                 if line.get("event") == "server-state" or line.get("result") == "bad-greeting"
                 for line in [{"to": line.get("to", "check")}]]
        self.assertEqual(paces[1:6], ["check", "failing", "check", "check", "down"])

    def test_refused(self):
        host = harness.refusing_address()
        proxy = self.check([host])
        line = proxy.wait_line(event="server-state", to="down")
        self.assertEqual((line["server"], line["from"], line["cause"], line["level"]),
                         (host, "unchecked", "connect-refused", "warning"))
        self.assertEqual(line["detail"], "connection refused")

    def test_silent(self):
        line, _ = self.down(None, "no-greeting")
        self.assertIn("timeout while waiting for its greeting", line["detail"])

    def test_refusing_service(self):
        self.down(b"* BYE come later\r\n", "bad-greeting")

    def test_another_protocol(self):
        self.down(b"HTTP/1.1 400 Bad Request\r\n\r\n", "bad-greeting")

    def test_no_login(self):
        line, store = self.down(GREETINGS["imap"], "no-login-offered", offers=b"IMAP4rev1 ID LOGINDISABLED")
        self.assertNotEqual(line["detail"], "")
        self.assertEqual(store.words()[0][-1], b"LOGOUT", "it gets its goodbye all the same")

    def test_nobody_is_sent_to_one_that_is_down(self):
        """The client is told at once, and the server hears of nobody."""
        store = Store()
        store.greeting = b"* BYE come later\r\n"
        server = self.backend(store)
        proxy = self.check([server])
        proxy.wait_line(event="server-state", to="down")
        with self.takes(0, harness.SOON):
            self.assertIn(b"* BYE [UNAVAILABLE]", self.client(proxy, "imap").rest())

    def test_ejected_one_is_checked_at_once(self):
        """Sessions fail at a server that is up: its next check does not wait for its turn."""
        store = Store()
        server, other = self.backend(store), self.backend(Store())
        slow = 'check = { interval = "1 h"; fast = "100 ms"; slow = "1 h"; timeout = "1 s"; };'
        proxy = self.check([server, other], pool=slow)
        self.states(proxy, server, 1)  # the first turn of all is at once
        store.greeting = b""
        for _ in range(2):
            self.log_out(self.log_in(proxy))
        self.assertEqual(self.states(proxy, server, 3)[1:], [("ejected", "closed-early"), ("down", "no-greeting")])


class Schedule(Checks):
    def test_spread_over_the_interval(self):
        crowd = Crowd(40)
        self.addCleanup(crowd.close)
        proxy = self.check(crowd.addresses, pool='check = { interval = "4 s"; timeout = "1 min"; };')
        self.wait_until(lambda: len(crowd.times) == 40)
        times = sorted(crowd.times.values())
        self.assert_between(times[-1] - times[0], 2.5, 4 + harness.SOON)
        self.assertGreater(times[30] - times[10], 1)
        with self.takes(0, harness.SOON):
            proxy.stop()

    def test_so_many_at_once(self):
        """The others wait for a place; the program's end waits for none of them."""
        crowd, other = Crowd(AT_ONCE + 20), self.backend(harness.pop3)
        self.addCleanup(crowd.close)
        pool = 'check = { interval = "100 ms"; timeout = "1 min"; };'
        proxy = self.check(crowd.addresses, pool=pool)
        self.wait_until(lambda: len(crowd.times) >= AT_ONCE)
        # A second program, and some of its checks, take longer than the turns that are left.
        second = self.check([other], "pop3", pool=pool)
        second.wait_lines(5, event="server-check")
        self.assertEqual(len(crowd.times), AT_ONCE)
        with self.takes(0, harness.SOON):
            proxy.stop()

    def test_descriptors_are_counted(self):
        """As many fewer sessions are possible as servers are checked at once."""
        crowd = [f"127.0.0.1:{port}" for port in range(1, AT_ONCE + 20)]
        found = {}
        for name, pool in [("none", "check = false;"), ("all", 'check = { interval = "1 h"; };')]:
            proxy = self.check(crowd, pool=pool, extra="max_connections = 10000000; workers = 1;")
            found[name] = int(proxy.wait_line(event="few-open-files")["own"])
            proxy.stop()
        self.assertEqual(found["all"] - found["none"], AT_ONCE)

    def test_none(self):
        checked, left_alone = self.backend(Store()), self.backend(Store())
        text = harness.configuration({"one": ("imap", ["127.0.0.1:0"], [checked], "none"),
                                      "two": ("imap", ["127.0.0.1:0"], [left_alone], "none")}, extra=DEBUG, pool=QUICK)
        head, _, tail = text.rpartition(QUICK)
        proxy = harness.Proxy(self.folder.write("deepproxy.conf", head + "check = false;" + tail))
        self.addCleanup(proxy.stop)
        self.wait_until(lambda: checked.script.checks() >= 4)
        self.assertEqual(left_alone.count, 0)
        self.log_out(self.log_in(proxy, "two"))


class Reloads(Checks):
    def rewrite(self, proxy, servers, pool=QUICK):
        self.folder.write("deepproxy.conf", harness.configuration(
            {"imap": ("imap", ["127.0.0.1:0"], servers, "none")}, extra=DEBUG, pool=pool))
        self.assertEqual(proxy.reload(), "done")

    def test_one_that_is_new_is_checked_before_it_counts(self):
        first, silent = self.backend(Store()), Store()
        silent.greeting = None
        second = self.backend(silent)
        proxy = self.check([first])
        self.states(proxy, first, 1)
        self.rewrite(proxy, [first, second])
        for _ in range(6):
            self.log_out(self.log_in(proxy))
        self.assertEqual(self.states(proxy, second, 1), [("down", "no-greeting")])
        self.assertEqual(proxy.find(event="backend-failed"), [])
        self.assertEqual(len(proxy.find(event="server-state", server=first.address)), 1, "what is there keeps its state")

    def test_one_that_is_gone_is_checked_no_more(self):
        first, second = self.backend(Store()), self.backend(Store())
        proxy = self.check([first, second])
        self.wait_until(lambda: second.script.checks() >= 1)
        self.rewrite(proxy, [first])
        visits, checks = second.count, first.script.checks()
        self.wait_until(lambda: first.script.checks() >= checks + 4)
        self.assertEqual(second.count, visits)

    def test_settings_that_change(self):
        """A server that was down takes sessions again if nobody checks it any more, and is down when somebody does."""
        store = Store()
        store.greeting = b"* BYE come later\r\n"
        server = self.backend(store)
        proxy = self.check([server])
        self.states(proxy, server, 1)
        self.rewrite(proxy, [server], "check = false;")
        visits = server.count
        self.assertEqual(self.states(proxy, server, 2)[1], ("unchecked", "checks-off"))
        store.greeting = GREETINGS["imap"]
        self.log_out(self.log_in(proxy))
        self.assertEqual(server.count, visits + 1)
        self.rewrite(proxy, [server], QUICK.replace("fall = 3", "fall = 1"))
        self.assertEqual(self.states(proxy, server, 3)[2], ("up", "check-passed"))
        store.greeting = b"* BYE come later\r\n"
        self.assertEqual(proxy.wait_lines(2, event="server-state", to="down")[1]["from"], "up")

    def test_a_shorter_interval_counts_at_once(self):
        server = self.backend(Store())
        proxy = self.check([server], pool='check = { interval = "1 h"; };')
        self.rewrite(proxy, [server])
        self.wait_until(lambda: server.script.checks() >= 3)

    def test_reloads_without_a_change_put_no_check_off(self):
        """However often it is reloaded within the interval, each server has its turn."""
        servers = [self.backend(Store()) for _ in range(4)]
        proxy = self.check(servers)
        while min(server.script.checks() for server in servers) < 4:
            self.rewrite(proxy, servers)


class OverTls(Case, Checks):
    def test_each_check_verifies_the_certificate(self):
        """A certificate that is not trusted any more takes the server out, though sessions could be resumed."""
        store, holder = Store(), [self.context()]
        server = self.backend(lambda connection: harness.over_tls(store, holder[0])(connection))
        proxy = self.check([server], pool=self.pool_tls() + QUICK)
        self.assertEqual(proxy.wait_line(event="server-check")["tls"], "yes")
        self.log_out(self.log_in(proxy))
        holder[0] = self.context("elsewhere")
        self.assertEqual(self.states(proxy, server, 3)[1:], [("failing", "tls-untrusted"), ("down", "tls-untrusted")])
        line = proxy.wait_line(event="server-state", to="down")
        self.assertIn("certificate", line["detail"])

    def test_authorities_that_change(self):
        """New certificates of the pool count for its next checks, without a reload of the configuration."""
        (self.folder.path / "trusted").mkdir()
        trusted = self.folder.path / "trusted" / "ca.pem"
        trusted.write_bytes((self.folder.path / "elsewhere" / "ca.pem").read_bytes())
        server = self.tls_backend(Store())
        proxy = self.check([server], pool=self.pool_tls(ca="trusted/ca.pem") + QUICK)
        self.assertEqual(self.states(proxy, server, 1), [("down", "tls-untrusted")])
        fresh = trusted.with_name("next.pem")
        fresh.write_bytes((self.folder.path / "store" / "ca.pem").read_bytes())
        fresh.rename(trusted)
        self.assertEqual(self.states(proxy, server, 3)[1:], [("rising", "check-passed"), ("up", "check-passed")])

    def test_starttls(self):
        for protocol in ("imap", "pop3", "submission"):
            server = self.backend(Starttls(protocol, self.context()))
            proxy = self.check([server], protocol, pool=self.pool_tls("starttls") + QUICK)
            line = proxy.wait_line(event="server-check")
            self.assertEqual((line["result"], line["tls"]), ("ok", "yes"))
            proxy.stop()

    def test_key_process_that_dies(self):
        """The pool's key is in the key process: while there is none no check blames the server, and then they go on."""
        authority = Authority(self.folder.path, "clients-authority")
        identity = authority.certify("/CN=proxy.internal")
        context = self.context(minimum=ssl.TLSVersion.TLSv1_3)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.certificate)
        server = self.backend(harness.over_tls(store := Store(), context))
        pool = self.pool_tls(certificate=f'"{identity.certificate}"', key=f'"{identity.key}"')
        proxy = self.check([server], pool=pool + QUICK)
        self.states(proxy, server, 1)
        for deaths in (1, 2):
            os.kill(signer_of(proxy), signal.SIGKILL)
            proxy.wait_lines(deaths, event="keys-restarted")
            checks = store.checks()
            self.wait_until(lambda checks=checks: store.checks() >= checks + 3)
        self.assertEqual({line["result"] for line in proxy.find(event="server-check")} - {"not-made"}, {"ok"})
        self.assertEqual(len(proxy.find(event="server-state")), 1)
        self.log_out(self.log_in(proxy))


class Starttls:
    """A server that offers STARTTLS, and a login only after it."""

    def __init__(self, protocol, context):
        self.store, self.context = Store(protocol), context
        self.word = {"imap": b"STARTTLS", "pop3": b"STLS", "submission": b"STARTTLS"}[protocol]

    def __call__(self, connection):
        protocol = self.store.protocol
        clear = {"imap": b"IMAP4rev1 STARTTLS LOGINDISABLED", "pop3": b"STLS", "submission": b"250 STARTTLS"}[protocol]
        connection.send(GREETINGS[protocol])
        while (line := connection.line()) is not None:
            connection.send(ANSWERS[protocol](line, clear))
            if line.endswith(self.word):
                break
        else:
            return
        with self.context.wrap_socket(connection.socket, server_side=True) as secured:
            talk = harness.Connection(secured)
            while (line := talk.line()) is not None:
                talk.send(ANSWERS[protocol](line, CAPABILITIES[protocol]))
                if LAST_WORDS.match(line):
                    return


if __name__ == "__main__":
    harness.main()
