# SPDX-License-Identifier: BSD-2-Clause
"""What is wanted of servers at run time: drain, maintenance, ready, weights; and that it is remembered."""

import concurrent.futures
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import time
import unittest

import harness
from control_case import Control
from harness import SOON

ADMIN_VERSION = "deepproxy-admin 1"
LAST_FILES = 5  # how long the end of the program waits for them
MORE_CONTROL_CONNECTIONS = 24  # than there are places


class Servers(Control):
    """Pools of named POP3 servers, which the test can count sessions at."""
    def setUp(self):
        super().setUp()
        self.backends = {name: self.backend(harness.pop3) for name in ("s1", "s2", "s3")}

    def entry(self, name, more=""):
        return f'{{ name = "{name}"; address = "{self.backends[name].address}"; {more} }}'

    def text(self, entries=None, extra="", pool=""):
        """A configuration whose pool has these servers."""
        if entries is None:
            entries = [self.entry(name) for name in ("s1", "s2")]
        text = harness.configuration({"pop3": ("pop3", ["127.0.0.1:0"], ["@"], "none")}, extra=self.admin + extra, pool=pool)
        return text.replace('{ address = "@"; }', ", ".join(entries))

    def write_servers(self, *arguments, **options):
        return self.folder.write("deepproxy.conf", self.text(*arguments, **options))

    def start_servers(self, *arguments, **options):
        proxy = harness.Proxy(self.write_servers(*arguments, **options))
        self.addCleanup(proxy.stop)
        return proxy

    def set(self, server, status=200, pool="pop3-pool", **body):
        got, _, value = self.ask("PATCH", f"/v1/servers/{pool}/{server}", json.dumps(body))
        self.assertEqual(got, status, value)
        return value

    def server(self, name):
        return next(server for server in self.get_json("/v1/servers") if server["name"] == name)

    def states(self, key="admin"):
        return {server["name"]: server[key] for server in self.get_json("/v1/servers")}

    def counts(self):
        """Sessions by server, as soon as all that have begun are at theirs."""
        self.wait_until(lambda: not any(server["connecting"] for server in self.get_json("/v1/servers")))
        return self.states("sessions")


class Looking(Servers):
    def test_servers(self):
        proxy = self.start_servers([self.entry("s1", "weight = 3; max_connections = 7;"), self.entry("s2", "backup = true;")])
        self.clients(proxy, 2)
        servers = self.get_json("/v1/servers")
        self.assertEqual([server["name"] for server in servers], ["s1", "s2"])
        since = servers[0].pop("since")
        self.assertRegex(since, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        began = time.mktime(time.strptime(since, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        self.assertLess(abs(time.time() - began), harness.PATIENCE)
        self.assertEqual(servers[0].pop("check", 1) or {}, servers[0].get("check") or {})
        self.assertEqual({key: servers[0][key] for key in ("pool", "name", "address", "admin", "state", "cause", "weight",
                                                           "configured_weight", "effective_weight", "backup", "sessions",
                                                           "connecting", "max_connections", "connects", "failures")},
                         {"pool": "pop3-pool", "name": "s1", "address": self.backends["s1"].address, "admin": "ready",
                          "state": servers[0]["state"], "cause": servers[0]["cause"], "weight": 3, "configured_weight": 3,
                          "effective_weight": 3.0, "backup": False, "sessions": 2, "connecting": 0, "max_connections": 7,
                          "connects": 2, "failures": {}})
        self.assertEqual((servers[1]["backup"], servers[1]["max_connections"], servers[1]["sessions"]), (True, 0, 0))
        self.assertEqual(self.get_json("/v1/servers?pool=pop3-pool&server=s2")[0]["name"], "s2")
        self.assertEqual(self.get_json("/v1/servers?pool=nothing"), [])
        self.assertEqual(self.get_json("/v1/servers/pop3-pool/s2")["name"], "s2")
        self.assertEqual(self.get_json("/v1/pools"),
                         [{"name": "pop3-pool", "balance": "round-robin", "sessions": 2, "connecting": 0, "waiting": 0,
                           "panic": False, "servers": {"up": 2, "all": 2}}])

    def test_failures(self):
        address = harness.refusing_address()
        proxy = self.start_servers([f'{{ name = "gone"; address = "{address}"; }}', self.entry("s1")])
        self.clients(proxy, 4)
        gone = self.server("gone")
        self.assertGreaterEqual(gone["failures"]["connect-refused"], 1)
        self.assertEqual((gone["sessions"], gone["address"]), (0, address))

    def test_errors(self):
        self.start_servers()
        path = "/v1/servers/pop3-pool/s1"
        for method, target, body, status, word in [
                ("PATCH", path, None, 400, "no body"), ("PATCH", path, "", 400, "no body"),
                ("PATCH", path, "drain", 400, "no JSON"), ("PATCH", path, "{}", 400, "nothing to change"),
                ("PATCH", path, '{"admin": "down"}', 400, '"ready", "drain" or "maintenance"'),
                ("PATCH", path, '{"weight": 1001}', 400, "from 0 to 1000"),
                ("PATCH", path, '{"weight": "1"}', 400, "from 0 to 1000"),
                ("PATCH", path, '{"within": 5}', 400, "within"),
                ("PATCH", path, '{"admin": "drain", "within": 0}', 400, "from 1 to 86400"),
                ("PATCH", path, '{"state": "up"}', 400, 'unknown key "state"'),
                ("PATCH", path, '{"admin": "drain", "state": "up"}', 400, 'unknown key "state"'),
                ("PATCH", path, "x" * 4097, 413, "too long"), ("PATCH", path, " " * 5000 + '{"admin": "drain"}', 413, "long"),
                ("PATCH", path + "?now=1", '{"admin": "drain"}', 400, "now"),
                ("PATCH", "/v1/servers/pop3-pool/s9", '{"admin": "drain"}', 404, 's9'),
                ("PATCH", "/v1/servers/pop3-pool/s9", "drain", 404, 's9'),
                ("PATCH", "/v1/servers/s1/s1", '{"admin": "drain"}', 404, 'no pool "s1"'),
                ("PATCH", "/v1/servers/pop3-pool/" + "s" * 600, '{"admin": "drain"}', 404, "sss"),
                ("PATCH", "/v1/servers/pop3-pool/s1/", '{"admin": "drain"}', 404, "s1/"),
                ("PATCH", "/v1/servers/pop3-pool", '{"admin": "drain"}', 404, "there are"),
                ("PATCH", "/v1/servers", '{"admin": "drain"}', 405, "GET and HEAD"),
                ("PUT", path, '{"admin": "drain"}', 405, "GET, HEAD and PATCH"), ("DELETE", path, None, 405, "PATCH"),
                ("POST", "/v1/pools", None, 405, "GET"), ("GET", "/v1/pools?x=1", None, 400, '"x"'),
                ("GET", "/v1/servers?name=s1", None, 400, '"name", expected "pool" and "server"'),
                ("GET", "/v1/servers/pop3-pool/s9", None, 404, "s9")]:
            got, headers, value = self.ask(method, target, body)
            self.assertEqual(got, status, (method, target, body, value))
            self.assertIn(word, value["error"], (method, target, body))
            self.assertEqual("Allow" in headers, got == 405)
        self.assertEqual(set(self.states().values()), {"ready"})

    def test_tcp_shows_nothing_of_it(self):
        proxy = self.start_servers()
        for method, path in [("GET", "/v1/servers"), ("GET", "/v1/pools"), ("PATCH", "/v1/servers/pop3-pool/s1")]:
            status, _, body = self.get(proxy, path, method=method, data=b'{"admin":"drain"}')
            self.assertEqual((status, body), (404, b"there are /metrics, /healthz and /readyz\n"))
        self.assertEqual(set(self.states().values()), {"ready"})


class Orders(Servers):
    def test_drain_and_ready(self):
        """Sessions that are there stay; new ones go elsewhere, and come back."""
        proxy = self.start_servers(extra="workers = 2;")
        before = self.clients(proxy, 4)
        self.assertEqual(self.counts(), {"s1": 2, "s2": 2})
        value = self.set("s1", admin="drain")
        self.assertEqual((value["name"], value["admin"], value["sessions"]), ("s1", "drain", 2))
        self.assertNotIn("warning", value)
        self.clients(proxy, 4)
        self.assertEqual(self.counts(), {"s1": 2, "s2": 6})
        for client in before:
            self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        self.set("s1", admin="ready")
        self.clients(proxy, 8)
        self.assertGreater(self.counts()["s1"], 2)
        self.assertEqual([(line["server"], line["axis"], line["from"], line["to"], line["cause"])
                          for line in proxy.wait_lines(2, event="server-state", axis="admin")],
                         [("s1", "admin", "ready", "drain", "operator"), ("s1", "admin", "drain", "ready", "operator")])
        self.assertEqual([(line["uid"], line["command"]) for line in proxy.wait_lines(2, event="control")],
                         [(str(os.geteuid()), "drain pop3-pool/s1"), (str(os.geteuid()), "ready pop3-pool/s1")])

    def test_the_same_again_is_no_change(self):
        proxy = self.start_servers()
        for _ in range(3):
            self.set("s1", admin="drain")
        self.set("s1", admin="ready")
        self.assertEqual(len(proxy.find(event="server-state", axis="admin")), 2)
        self.assertEqual(len(proxy.find(event="control")), 4)

    def test_weight(self):
        proxy = self.start_servers([self.entry("s1"), self.entry("s2")])
        self.assertEqual(self.set("s1", weight=3)["weight"], 3)
        self.clients(proxy, 8)
        self.assertEqual(self.counts(), {"s1": 6, "s2": 2})
        self.set("s1", weight=0)
        self.clients(proxy, 3)
        self.assertEqual(self.counts(), {"s1": 6, "s2": 5})
        self.assertEqual(self.server("s1")["configured_weight"], 1)

    def test_both_at_once(self):
        proxy = self.start_servers()
        value = self.set("s1", admin="maintenance", weight=9)
        self.assertEqual((value["admin"], value["weight"]), ("maintenance", 9))
        self.assertEqual(proxy.wait_line(event="control")["command"], "maintain pop3-pool/s1; weight pop3-pool/s1 9")

    def test_the_last_one(self):
        """It is done, and told: clients get the protocol's word until another server is ready."""
        proxy = self.start_servers()
        self.assertNotIn("warning", self.set("s1", weight=0))
        self.assertIn("no server of this pool", self.set("s2", admin="maintenance")["warning"])
        self.assertEqual(self.get_json("/v1/pools")[0]["servers"], {"up": 0, "all": 2})
        self.assertIn(b"-ERR [SYS/TEMP]", self.client(proxy, "pop3").rest())
        self.assertNotIn("warning", self.set("s1", weight=1))
        self.clients(proxy, 1)
        self.assertEqual(self.counts(), {"s1": 1, "s2": 0})

    def test_names_that_are_addresses(self):
        """As they are, and percent-encoded."""
        backend = self.backends["s3"]
        self.start_servers([f'{{ address = "{backend.address}"; }}', self.entry("s1")])
        for name in (backend.address, backend.address.replace(":", "%3A"), backend.address.replace(".", "%2e")):
            self.assertEqual(self.set(name, admin="drain")["name"], backend.address)
            self.assertEqual(self.set(name, admin="ready")["admin"], "ready")

    def test_in_pieces(self):
        self.start_servers()
        body = b'{"admin": "drain"}'
        head = b"PATCH /v1/servers/pop3-pool/s1 HTTP/1.1\r\nHost: x\r\n"
        for text in (head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
                     head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"):
            sock = self.knock()
            for octet in text:
                sock.sendall(bytes([octet]))
            self.assertIn(b"200 OK", sock.recv(4096))
            self.assertEqual(self.set("s1", admin="ready")["admin"], "ready")

    def test_half_a_body_changes_nothing(self):
        proxy = self.start_servers()
        sock = self.knock(b'PATCH /v1/servers/pop3-pool/s1 HTTP/1.1\r\nContent-Length: 19\r\n\r\n{"admin": "drain"}')
        self.assertEqual(self.states()["s1"], "ready")
        sock.close()
        self.assertEqual(proxy.find(event="control"), [])
        self.assertEqual(self.states()["s1"], "ready")

    def test_kick_by_server(self):
        proxy = self.start_servers(extra="workers = 2;")
        self.clients(proxy, 4)
        self.assertEqual(len(self.get_json("/v1/sessions?pool=pop3-pool&server=s1")), 2)
        self.assertEqual(self.ctl("kick", "--server", "pop3-pool/s1").stdout, "2 sessions ended\n")
        self.wait_until(lambda: self.counts() == {"s1": 0, "s2": 2})
        self.assertEqual({line["server"] for line in proxy.wait_lines(2, event="session", reason="kicked")}, {"s1"})


class Goodbyes(Servers):
    def begin(self, count=8):
        """Idle sessions, half of them at s1; goodbyes of maintenance within 2 s."""
        self.proxy = self.start_servers(extra="workers = 2;", pool='goodbye_spread = "2 s";')
        clients = self.clients(self.proxy, count)
        self.assertEqual(self.counts(), {"s1": count // 2, "s2": count // 2})
        return clients

    def at(self, name, clients):
        """Those of the clients that are at a server."""
        there = {session["client"] for session in self.get_json(f"/v1/sessions?server={name}")}
        return [client for client in clients if "%s:%d" % client.socket.getsockname()[:2] in there]

    def wait_empty(self, name):
        self.wait_until(lambda: self.states("sessions")[name] == 0)

    def test_drain_within_a_time(self):
        """They are told within it and not at once; those of other servers stay."""
        clients = self.begin()
        leaving = self.at("s1", clients)
        with self.takes(1, 2 + SOON):
            self.set("s1", admin="drain", within=2)
            self.wait_empty("s1")
        for client in leaving:
            self.assertIn(b"-ERR [SYS/TEMP]", client.rest())
        for client in set(clients) - set(leaving):
            self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        self.assertEqual(self.proxy.wait_line(event="control")["command"], "drain pop3-pool/s1 --within 2s")

    def test_ctl(self):
        clients = self.begin()
        with self.takes(1, 2 + SOON):
            result = self.ctl("drain", "pop3-pool/s1", "--within", "2s", "--wait")
        self.assertEqual((result.returncode, result.stdout), (0, "pop3-pool/s1: drain, weight 1, 0 sessions\n"))
        self.assertEqual(self.counts(), {"s1": 0, "s2": 4})
        del clients

    def test_maintenance(self):
        clients = self.begin()
        self.set("s1", admin="maintenance")
        self.wait_empty("s1")
        self.assertEqual(self.counts()["s2"], 4)
        del clients

    def test_taken_back(self):
        """Who has had no goodbye yet stays: ready, and a drain without a time."""
        clients = self.begin()
        for body in ({"admin": "ready"}, {"admin": "drain"}):
            self.set("s1", admin="drain", within=3600)
            self.set("s1", **body)
            self.proxy.wait_line(event="server-goodbyes", step="cancel", server="s1")
        self.set("s1", admin="drain", within=3600)
        self.set("s1", admin="maintenance")  # which takes its place
        self.wait_empty("s1")
        del clients

    def test_a_longer_and_a_shorter_time(self):
        clients = self.begin()
        self.set("s1", admin="drain", within=3600)
        self.set("s1", admin="drain", within=1)
        self.wait_empty("s1")
        del clients


class Reloads(Servers):
    def test_a_drain_stays(self):
        proxy = self.start_servers(extra="workers = 2;")
        self.set("s1", admin="drain")
        self.write_servers([self.entry("s1", "max_connections = 9;"), self.entry("s2")], extra="workers = 2;")
        self.reload(proxy)
        self.clients(proxy, 3)
        self.assertEqual(self.counts(), {"s1": 0, "s2": 3})
        self.assertEqual(self.server("s1")["max_connections"], 9)

    def test_a_server_that_comes_back(self):
        """Also if all that was known of it is forgotten meanwhile."""
        proxy = self.start_servers()
        self.set("s1", admin="maintenance", weight=4)
        self.write_servers([self.entry("s2")])
        self.reload(proxy)
        self.assertEqual(self.states(), {"s2": "ready"})
        self.set("s1", 404, admin="ready")
        self.write_servers([self.entry("s2"), self.entry("s1")])
        self.reload(proxy)
        self.assertEqual((self.states(), self.server("s1")["weight"]), ({"s2": "ready", "s1": "maintenance"}, 4))

    def test_a_server_that_moves(self):
        """Another address, and the same name: what was set holds."""
        proxy = self.start_servers()
        self.set("s1", admin="drain", weight=5)
        self.write_servers([self.entry("s3").replace("s3", "s1"), self.entry("s2")])
        self.reload(proxy)
        server = self.server("s1")
        self.assertEqual((server["address"], server["admin"], server["weight"]), (self.backends["s3"].address, "drain", 5))

    def test_a_weight_that_the_file_changes(self):
        proxy = self.start_servers()
        self.set("s1", weight=7)
        self.write_servers([self.entry("s1"), self.entry("s2", "weight = 2;")])
        self.reload(proxy)
        self.assertEqual(self.states("weight"), {"s1": 7, "s2": 2})
        self.write_servers([self.entry("s1", "weight = 3;"), self.entry("s2", "weight = 2;")])
        self.reload(proxy)
        self.assertEqual(self.states("weight"), {"s1": 3, "s2": 2})
        # And it does not come back with the file's old one.
        self.write_servers([self.entry("s1"), self.entry("s2", "weight = 2;")])
        self.reload(proxy)
        self.assertEqual(self.states("weight"), {"s1": 1, "s2": 2})


class Restarts(Servers):
    STATE = 'state_file = "state";'

    def setUp(self):
        super().setUp()
        self.file = self.folder.path / "state.admin"
        self.broken = self.folder.path / "state.admin.broken"

    def begin(self, entries=None, extra=STATE):
        return self.start_servers(entries, extra=extra)

    def lines(self):
        """Of the file, without comments."""
        return [line for line in self.file.read_text().splitlines() if not line.startswith("#")]

    def wait_lines(self, *lines):
        self.wait_until(lambda: self.file.exists() and self.lines() == [ADMIN_VERSION, *lines])

    def test_what_was_set_holds(self):
        entries = [self.entry("s1"), self.entry("s2", "weight = 2;"), self.entry("s3")]
        proxy = self.begin(entries)
        self.assertFalse(self.file.exists())
        self.set("s1", admin="drain")
        self.set("s2", admin="maintenance", weight=9)
        self.wait_lines("drain pop3-pool/s1", "maintain pop3-pool/s2", "weight pop3-pool/s2 9 # 2 in the configuration")
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        proxy.stop()
        proxy = self.begin(entries)
        self.assertEqual(self.states(), {"s1": "drain", "s2": "maintenance", "s3": "ready"})
        self.assertEqual(self.states("weight"), {"s1": 1, "s2": 9, "s3": 1})
        self.assertEqual([(line["server"], line["from"], line["to"], line["cause"])
                          for line in proxy.wait_lines(2, event="server-state", axis="admin")],
                         [("s1", "ready", "drain", "restored"), ("s2", "ready", "maintenance", "restored")])
        self.clients(proxy, 2)
        self.assertEqual(self.counts(), {"s1": 0, "s2": 0, "s3": 2})
        for name in ("s1", "s2"):
            self.set(name, admin="ready")
        self.set("s2", weight=2)
        self.wait_lines()
        proxy.stop()
        self.begin(entries)
        self.assertEqual(set(self.states().values()), {"ready"})

    def test_a_crash(self):
        proxy = self.begin()
        self.set("s1", admin="drain")
        self.wait_lines("drain pop3-pool/s1")
        os.kill(proxy.pid, signal.SIGKILL)
        proxy.wait_lines(2, event="control-listening")
        proxy.wait_lines(2, event="ready")
        self.assertEqual(self.states(), {"s1": "drain", "s2": "ready"})

    def test_the_end_waits_for_it(self):
        proxy = self.begin()
        self.set("s1", admin="drain")
        proxy.stop()
        self.assertEqual(self.lines(), [ADMIN_VERSION, "drain pop3-pool/s1"])

    def test_without_a_state_file(self):
        proxy = self.begin(extra="")
        self.set("s1", admin="drain")
        proxy.stop()
        self.assertEqual([path.name for path in self.folder.path.iterdir() if "admin" in path.name], [])
        self.begin(extra="")
        self.assertEqual(self.states()["s1"], "ready")

    def test_a_weight_that_the_file_changes_meanwhile(self):
        proxy = self.begin()
        self.set("s1", admin="drain", weight=7)
        proxy.stop()
        self.begin([self.entry("s1", "weight = 3;"), self.entry("s2")])
        self.assertEqual((self.states("weight"), self.states()), ({"s1": 3, "s2": 1}, {"s1": "drain", "s2": "ready"}))
        self.wait_lines("drain pop3-pool/s1")

    def test_servers_that_are_not_there(self):
        """What was set of them stays, and holds as soon as they are there."""
        self.file.write_text(f"{ADMIN_VERSION}\nmaintain other/s1\ndrain pop3-pool/s3\n")
        proxy = self.begin()
        self.set("s1", admin="drain")
        self.wait_lines("maintain other/s1", "drain pop3-pool/s1", "drain pop3-pool/s3")
        self.assertEqual(self.states(), {"s1": "drain", "s2": "ready"})
        self.write_servers([self.entry("s2"), self.entry("s3")], extra=self.STATE)
        self.reload(proxy)
        self.assertEqual(self.states(), {"s2": "ready", "s3": "drain"})

    def test_broken(self):
        """It is set aside and told, and nothing of it is taken."""
        for text, words in [(b"", "line 1"), (b"deepproxy-admin 2\n", "line 1"), (b"\0" * 4096, "line 1"),
                            (b"deepproxy-admin 1\ndrain pop3-pool/s1\ndrain", "line 3: the line has no end"),
                            (b"deepproxy-admin 1\ndrain pop3-pool/s1\nready pop3-pool/s2\n", "line 3: expected"),
                            (b"deepproxy-admin 1\n#" + b"x" * (9 << 20) + b"\n", "no file of settings")]:
            with self.subTest(words=words, text=text[:40]):
                self.file.write_bytes(text)
                proxy = self.begin()
                line = proxy.wait_line(event="settings-broken")
                self.assertEqual((line["file"], line["kept"], line["level"]), (str(self.file), str(self.broken), "error"))
                self.assertIn(words, line["problem"])
                self.assertEqual(self.broken.read_bytes(), text)
                self.assertFalse(self.file.exists())
                self.assertEqual(set(self.states().values()), {"ready"})
                self.set("s2", admin="drain")
                self.wait_lines("drain pop3-pool/s2")
                proxy.stop()

    def test_what_is_no_file(self):
        """Nothing is followed, and nothing waited for."""
        (self.folder.path / "precious").write_text(f"{ADMIN_VERSION}\ndrain pop3-pool/s1\n")
        for make in (lambda: self.file.symlink_to("precious"), lambda: os.mkfifo(self.file), self.file.mkdir,
                     lambda: self.file.symlink_to("/dev/zero")):
            make()
            proxy = self.begin()
            proxy.wait_line(event="settings-broken", kept=str(self.broken))
            self.assertEqual(set(self.states().values()), {"ready"})
            self.set("s2", admin="drain")
            self.wait_lines("drain pop3-pool/s2")
            proxy.stop()
            for path in (self.file, self.broken):
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                else:
                    path.unlink()
        self.assertIn("drain pop3-pool/s1", (self.folder.path / "precious").read_text())

    def test_one_that_can_not_be_written(self):
        """It is told, and what was set holds until the end."""
        proxy = self.begin()
        (self.folder.path / "state.admin.new").mkdir()
        self.set("s1", admin="drain")
        line = proxy.wait_line(event="settings-not-remembered")
        self.assertEqual((line["file"], line["error"], line["level"]), (str(self.file), "Is a directory", "error"))
        self.assertEqual(self.states()["s1"], "drain")
        (self.folder.path / "state.admin.new").rmdir()
        self.set("s2", weight=4)
        self.wait_lines("drain pop3-pool/s1", "weight pop3-pool/s2 4 # 1 in the configuration")

    def test_a_disk_that_does_not_answer(self):
        """A pipe without a reader stands for it. Nobody waits; the end gives up after a while, and says so."""
        proxy = self.begin()
        os.mkfifo(self.folder.path / "state.admin.new")
        with self.takes(0, SOON):
            for name in ("s1", "s2"):
                self.set(name, admin="drain")
            self.assertEqual(set(self.states().values()), {"drain"})
            self.reload(proxy)
        self.assertEqual(proxy.find(event="settings-not-remembered"), [])
        with self.takes(LAST_FILES, LAST_FILES + SOON):
            proxy.terminate()
            proxy.wait()
        self.assertIn("the disk has not answered", proxy.wait_line(event="settings-not-remembered")["error"])

    def test_another_state_file(self):
        proxy = self.begin()
        self.set("s1", admin="drain")
        self.write_servers(extra='state_file = "other";')
        self.reload(proxy)
        self.file = self.folder.path / "other.admin"
        self.wait_lines("drain pop3-pool/s1")

    def test_many_changes(self):
        """The newest is there in the end, whole at each moment."""
        proxy = self.begin()
        for weight in range(2, 60):
            self.set("s1", weight=weight)
            if self.file.exists():
                self.assertRegex(self.file.read_text(), r"^deepproxy-admin 1\n#[^\n]*\nweight pop3-pool/s1 \d+ # 1 in the c\w+\n$")
        proxy.stop()
        self.assertEqual(self.lines(), [ADMIN_VERSION, "weight pop3-pool/s1 59 # 1 in the configuration"])

    def test_its_lines_are_for_ctl(self):
        proxy = self.begin()
        self.set("s1", admin="drain", weight=3)
        self.set("s2", admin="maintenance")
        proxy.stop()
        lines = self.lines()[1:]
        self.file.unlink()
        self.begin()
        for line in lines:
            self.assertEqual(self.ctl(*shlex.split(line, comments=True)).returncode, 0)
        self.wait_lines(*lines)

    @unittest.skipUnless(os.geteuid() == 0, "takes root")
    def test_the_user_that_the_program_becomes(self):
        (self.folder.path / "run").mkdir()
        os.chown(self.folder.path / "run", 65534, 65534)
        os.chmod(self.folder.path, 0o755)
        self.file = self.folder.path / "run" / "state.admin"
        extra = 'user = "nobody"; group = "nogroup"; state_file = "run/state";'
        proxy = self.begin(extra=extra)
        self.set("s1", admin="drain")
        self.wait_lines("drain pop3-pool/s1")
        self.assertEqual((self.file.stat().st_uid, stat.S_IMODE(self.file.stat().st_mode)), (65534, 0o600))
        proxy.stop()
        self.begin(extra=extra)
        self.assertEqual(self.states()["s1"], "drain")


class Command(Servers):
    def ok(self, *arguments):
        result = self.ctl(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""), arguments)
        return result.stdout

    def test_tables(self):
        proxy = self.start_servers([self.entry("s1", "max_connections = 5;"), self.entry("s2", "weight = 2;")])
        self.clients(proxy, 3)
        lines = self.ok("show", "servers").splitlines()
        self.assertEqual(lines[0].split(), ["POOL", "SERVER", "ADDRESS", "ADMIN", "STATE", "CAUSE", "SINCE", "WEIGHT", "BACKUP",
                                            "SESSIONS", "MAX", "CHECK"])
        fields = [line.split() for line in lines[1:]]
        self.assertEqual([row[:4] + row[7:11] for row in fields],
                         [["pop3-pool", "s1", self.backends["s1"].address, "ready", "1", "no", "1", "5"],
                          ["pop3-pool", "s2", self.backends["s2"].address, "ready", "2", "no", "2", "0"]])
        self.assertEqual(len(self.ok("show", "servers", "pop3-pool/s2").splitlines()), 2)
        self.assertEqual(len(self.ok("show", "servers", "pop3-pool").splitlines()), 3)
        self.assertEqual(len(self.ok("show", "servers", "other").splitlines()), 1)
        pools = self.ok("show", "pools").splitlines()
        self.assertEqual(pools[0].split(), ["POOL", "BALANCE", "SESSIONS", "WAITING", "PANIC", "UP", "ALL"])
        self.assertEqual(pools[1].split(), ["pop3-pool", "round-robin", "3", "0", "no", "2", "2"])
        self.assertEqual(json.loads(self.ok("--json", "show", "pools"))[0]["sessions"], 3)
        self.assertEqual(len(json.loads(self.ok("--json", "show", "servers"))), 2)

    def test_verbs(self):
        self.start_servers()
        self.assertEqual(self.ok("drain", "pop3-pool/s1"), "pop3-pool/s1: drain, weight 1, 0 sessions\n")
        self.assertEqual(self.ok("maintain", "pop3-pool/s1"), "pop3-pool/s1: maintenance, weight 1, 0 sessions\n")
        self.assertEqual(self.ok("ready", "pop3-pool/s1"), "pop3-pool/s1: ready, weight 1, 0 sessions\n")
        self.assertEqual(self.ok("weight", "pop3-pool/s1", "007"), "pop3-pool/s1: ready, weight 7, 0 sessions\n")
        self.assertEqual(json.loads(self.ok("--json", "weight", "pop3-pool/s1", "0"))["weight"], 0)
        result = self.ctl("drain", "pop3-pool/s2")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr, "deepproxy ctl: warning: no server of this pool takes new sessions now\n")

    def test_failures(self):
        self.start_servers()
        for arguments, words in [(("drain", "pop3-pool/s9"), "drain: there is no server"),
                                 (("ready", "other/s1"), 'ready: there is no pool "other"'),
                                 (("weight", "pop3-pool/s1", "1001"), "from 0 to 1000"),
                                 (("weight", "pop3-pool/s1", "9" * 30), "from 0 to 1000"),
                                 (("drain", "pop3-pool/s1", "--within", "25h"), "from 1 to 86400"),
                                 (("drain", "--wait", "pop3-pool/s9"), "there is no server")]:
            result = self.ctl(*arguments)
            self.assertEqual((result.returncode, result.stdout), (1, ""), arguments)
            self.assertIn(words, result.stderr)
            self.assertEqual(self.ctl("--json", *arguments).returncode, 1)
        for arguments, words in [(("drain",), "which server?"), (("drain", "s1"), "expected POOL/SERVER: s1"),
                                 (("drain", "/s1"), "expected POOL/SERVER"), (("drain", "p/"), "expected POOL/SERVER"),
                                 (("drain", "p/s", "p/t"), "not understood: p/t"), (("drain", "--now", "p/s"), "--now"),
                                 (("drain", "p/s", "--within"), "--within needs a value"),
                                 (("drain", "p/s", "--within", "soon"), "--within takes a time"),
                                 (("drain", "p/s", "--within", "-1s"), "--within takes a time"),
                                 (("maintain", "p/s", "--within", "1s"), "not understood: --within"),
                                 (("ready", "p"), "expected POOL/SERVER"), (("weight", "p/s"), "weight takes"),
                                 (("weight", "p/s", "-1"), "no number"), (("weight", "p/s", "1x"), "no number"),
                                 (("weight", "p", "1"), "expected POOL/SERVER"), (("dump", "x"), "not understood: x"),
                                 (("show", "servers", "a", "b"), "not understood: b"), (("show", "pools", "a"), "understood"),
                                 (("show", "servers", "--all"), "not understood: --all"),
                                 (("kick", "--server", "pop3-pool"), "not understood")]:
            result = self.ctl(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(words, result.stderr)
        text = self.ok("help")
        for verb in ("show pools", "show servers", "drain", "maintain", "ready", "weight", "dump"):
            self.assertIn("\n" + verb, text)

    def test_dump(self):
        """What it prints, given to ctl line by line, restores the state."""
        entries = [self.entry("s1"), self.entry("s2", "weight = 2;"), self.entry("s3")]
        self.start_servers(entries)
        self.assertEqual(self.ok("dump"), "")
        for arguments in [("drain", "pop3-pool/s1"), ("weight", "pop3-pool/s1", "0"), ("maintain", "pop3-pool/s2"),
                          ("weight", "pop3-pool/s3", "1000")]:
            self.ok(*arguments)
        dump = self.ok("dump")
        self.assertEqual(dump, "drain pop3-pool/s1\nweight pop3-pool/s1 0\nmaintain pop3-pool/s2\n"
                         "weight pop3-pool/s3 1000\n")
        before = [self.states(), self.states("weight")]
        for name, weight in (("s1", 1), ("s2", 2), ("s3", 1)):
            self.set(name, admin="ready", weight=weight)
        self.assertEqual(self.ok("dump"), "")
        for line in dump.splitlines():
            self.ctl(*shlex.split(line))
        self.assertEqual([self.states(), self.states("weight")], before)
        self.assertEqual(self.ok("dump"), dump)

    @unittest.skipUnless(shutil.which("xargs"), "takes xargs")
    def test_dump_as_the_manual_says(self):
        self.start_servers()
        self.set("s1", admin="drain", weight=4)
        self.set("s2", admin="maintenance")
        dump = self.ok("dump")
        for name in ("s1", "s2"):
            self.set(name, admin="ready", weight=1)
        subprocess.run(["xargs", "-L", "1", harness.PROGRAM, "ctl", "-s", self.path], input=dump, text=True, check=True,
                       capture_output=True, timeout=harness.PATIENCE)
        self.assertEqual(self.ok("dump"), dump)

    def test_many_at_once(self):
        proxy = self.start_servers(extra="workers = 2;")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda i: self.ctl("weight", f"pop3-pool/s{1 + i % 2}", str(i + 1)).returncode,
                                    range(MORE_CONTROL_CONNECTIONS)))
        self.assertEqual(set(results), {0})
        commands = [line["command"] for line in proxy.wait_lines(MORE_CONTROL_CONNECTIONS, event="control")]
        self.assertEqual(len(set(commands)), MORE_CONTROL_CONNECTIONS)
        for name, weight in self.states("weight").items():
            last = [command for command in commands if f"/{name} " in command][-1]
            self.assertEqual(last, f"weight pop3-pool/{name} {weight}")

    @unittest.skipUnless(shutil.which("curl"), "takes curl")
    def test_curl(self):
        """As the manual says it."""
        self.start_servers()
        result = subprocess.run(["curl", "-sS", "--unix-socket", self.path, "-X", "PATCH", "-d", '{"admin": "drain"}',
                                 "http://localhost/v1/servers/pop3-pool/s1"],
                                capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertEqual((result.returncode, json.loads(result.stdout)["admin"]), (0, "drain"), result.stderr)


class Waiting(Servers):
    def begin(self, *arguments):
        program = subprocess.Popen([harness.PROGRAM, "ctl", "-s", self.path, *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        self.wait_until(lambda: self.states()["s1"] == "drain")
        return program

    def test_until_the_last_one_has_gone(self):
        proxy = self.start_servers()
        clients = self.clients(proxy, 4)
        program = self.begin("drain", "pop3-pool/s1", "--wait")
        self.assertEqual(self.counts(), {"s1": 2, "s2": 2})
        self.assertIsNone(program.poll())
        for client in clients:
            client.ask(b"QUIT")
        out, err = program.communicate(timeout=harness.PATIENCE)
        self.assertEqual((program.returncode, out, err), (0, "pop3-pool/s1: drain, weight 1, 0 sessions\n", ""))

    def test_nothing_to_wait_for(self):
        self.start_servers()
        with self.takes(0, SOON):
            result = self.ctl("--json", "drain", "--wait", "pop3-pool/s1")
        self.assertEqual((result.returncode, json.loads(result.stdout)["sessions"]), (0, 0))

    def test_interrupted(self):
        """The drain stays."""
        proxy = self.start_servers()
        self.clients(proxy, 2)
        program = self.begin("drain", "pop3-pool/s1", "--wait")
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=harness.PATIENCE)
        self.assertEqual(program.returncode, -signal.SIGINT)
        self.assertEqual(self.states()["s1"], "drain")

    def test_taken_back(self):
        proxy = self.start_servers()
        self.clients(proxy, 2)
        program = self.begin("drain", "pop3-pool/s1", "--wait")
        self.set("s1", admin="ready")
        self.assertIn("somebody has set the server ready", program.communicate(timeout=harness.PATIENCE)[1])
        self.assertEqual(program.returncode, 1)

    def test_a_server_that_is_removed(self):
        proxy = self.start_servers()
        self.clients(proxy, 2)
        program = self.begin("drain", "pop3-pool/s1", "--wait")
        self.write_servers([self.entry("s2")])
        self.reload(proxy)
        self.assertIn("there is no server", program.communicate(timeout=harness.PATIENCE)[1])
        self.assertEqual(program.returncode, 1)


if __name__ == "__main__":
    harness.main()
