# SPDX-License-Identifier: BSD-2-Clause
"""Control by the admin endpoint's socket: HTTP with JSON, and `deepproxy ctl`."""

import contextlib
import grp
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

import harness
from control_case import Control, UnixConnection
from harness import SOON

CONTROL_CONNECTIONS_MAX = 16
VISIT_SECONDS = 10
is_root = os.geteuid() == 0


class Sessions(Control):
    def test_list(self):
        proxy = self.start_control(extra="workers = 3;")
        self.assertEqual(self.get_json("/v1/sessions"), [])
        clients = self.clients(proxy, 5)
        status, headers, sessions = self.ask("GET", "/v1/sessions")
        self.assertEqual((status, len(sessions), headers["X-Total-Count"]), (200, 5, "5"))
        self.assertEqual(len({session["id"] for session in sessions}), 5)
        self.assertEqual({session["client"] for session in sessions},
                         {"%s:%d" % client.socket.getsockname()[:2] for client in clients})
        for session in sessions:
            self.assertEqual((session["service"], session["state"]), ("pop3", "relaying"))
            self.assertTrue(session["pool"])
            self.assertRegex(session["server"], r"^127\.0\.0\.1:\d+$")
            self.assertIsInstance(session["age"], int)
            self.assertLess(session["age"], harness.PATIENCE)
        clients[0].send(b"QUIT\r\n")
        clients[0].rest()
        line = proxy.session(reason="logout")
        self.assertNotIn(line["session"], [session["id"] for session in self.get_json("/v1/sessions")])
        self.assertIn(line["session"], [session["id"] for session in sessions])

    def test_filters_and_limit(self):
        proxy = self.start_control(extra="workers = 2;")
        self.clients(proxy, 4)
        all_of_them = self.get_json("/v1/sessions")
        pool, server = all_of_them[0]["pool"], all_of_them[0]["server"]
        for query, count in [("service=pop3", 4), ("service=imap", 0), ("client=127.0.0.1", 4), ("client=127.0.0.2", 0),
                             ("client=::ffff:127.0.0.1", 4), ("client=%3A%3A1", 0), (f"pool={pool}", 4),
                             (f"pool={pool}x", 0), (f"server={server}", 4), (f"pool={pool}&server=nobody", 0)]:
            self.assertEqual(len(self.get_json("/v1/sessions?" + query)), count, query)
        status, headers, few = self.ask("GET", "/v1/sessions?limit=3")
        self.assertEqual((status, len(few), headers["X-Total-Count"]), (200, 3, "4"))

    def test_kick_one(self):
        proxy = self.start_control()
        one, other = self.clients(proxy, 2)
        name = "%s:%d" % one.socket.getsockname()[:2]
        session = next(session["id"] for session in self.get_json("/v1/sessions") if session["client"] == name)
        self.assertEqual(self.ask("DELETE", f"/v1/sessions/{session}")[::2], (200, {"kicked": 1}))
        self.assertEqual(one.rest(), b"-ERR [SYS/TEMP] Disconnected by the operator, try again later\r\n")
        self.assertEqual(proxy.session(session=session)["reason"], "kicked")
        self.assertEqual(other.ask(b"STAT"), b"+OK 1 0")
        line = proxy.wait_line(event="control")
        self.assertEqual((line["uid"], line["command"], line["level"]),
                         (str(os.geteuid()), f"kick session={session}", "info"))
        self.assertEqual(self.ask("DELETE", f"/v1/sessions/{session}")[0], 404)

    def test_kick_by_address(self):
        proxy = self.start_control(extra="workers = 2;")
        clients = self.clients(proxy, 6)
        self.assertEqual(self.ask("DELETE", "/v1/sessions?client=127.0.0.9")[::2], (200, {"kicked": 0}))
        self.assertEqual(self.ask("DELETE", "/v1/sessions?client=127.0.0.1")[::2], (200, {"kicked": 6}))
        for client in clients:
            self.assertIn(b"-ERR [SYS/TEMP] Disconnected", client.rest())
        proxy.wait_lines(6, event="session", reason="kicked")
        self.assertEqual([line["command"] for line in proxy.wait_lines(2, event="control")],
                         ["kick client=127.0.0.9", "kick client=127.0.0.1"])
        self.assertEqual(self.get_json("/v1/sessions"), [])

    def test_kick_in_each_protocol(self):
        for protocol, script, goodbye in [("imap", harness.imap, b"* BYE [UNAVAILABLE] "),
                                          ("submission", harness.submission, b"421 4.3.2 ")]:
            with self.subTest(protocol):
                proxy = self.start({protocol: [self.backend(script)]}, extra=self.admin)
                client = self.client(proxy, protocol)
                client.line()
                self.assertEqual(self.ask("DELETE", f"/v1/sessions?service={protocol}")[::2], (200, {"kicked": 1}))
                rest = client.rest()
                self.assertTrue(rest.startswith(goodbye), rest)
                self.assertIn(b"isconnected by the operator", rest)
                proxy.stop()

    def test_while_sessions_come_and_go(self):
        """Nobody waits for anybody; nobody is told twice, and those that stay are always there."""
        proxy = self.start_control(extra="workers = 2;")
        staying = self.clients(proxy, 3)
        names = {"%s:%d" % client.socket.getsockname()[:2] for client in staying}
        for i in range(30):
            passing = self.clients(proxy, 1)[0]
            sessions = self.get_json("/v1/sessions")
            self.assertLessEqual(names, {session["client"] for session in sessions})
            self.assertEqual(len(sessions), len({session["id"] for session in sessions}))
            passing.socket.close()
            self.assertEqual(staying[i % 3].ask(b"STAT")[:3], b"+OK")


class Reload(Control):
    def test_done(self):
        proxy = self.start_control()
        self.write(extra=self.admin, timeouts='login = "100 s";')
        self.assertEqual(self.get_json("/v1/config")["timeouts"]["login"], 180)
        self.assertEqual(self.ask("POST", "/v1/reload")[::2], (200, {"result": "done", "problems": []}))
        self.assertEqual(self.get_json("/v1/config")["timeouts"]["login"], 100)
        self.assertEqual(proxy.wait_line(event="control")["command"], "reload")
        proxy.wait_line(event="reload", result="done")

    def test_refused(self):
        proxy = self.start_control()
        self.write(extra=self.admin + "wrokers = 3;")
        status, _, value = self.ask("POST", "/v1/reload")
        self.assertEqual((status, value["error"]), (422, "refused: the one before stays in effect"))
        problem = next(problem for problem in value["problems"] if problem["severity"] == "error")
        self.assertEqual(problem["file"], str(self.folder.path / "deepproxy.conf"))
        self.assertIsInstance(problem["line"], int)
        self.assertIn('unknown key "wrokers"', problem["problem"])
        self.assertEqual(self.get(proxy, "/healthz")[0], 200)

    def test_warnings(self):
        self.start_control()
        self.write(extra=self.admin + "workers = 7;")
        status, _, value = self.ask("POST", "/v1/reload")
        self.assertEqual((status, value["result"]), (200, "done"))
        self.assertIn('"workers" has changed: that takes a restart', [one["problem"] for one in value["problems"]])

    def test_many_at_once(self):
        proxy = self.start_control()
        waiting = [self.knock(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(CONTROL_CONNECTIONS_MAX)]
        for sock in waiting:
            self.assertIn(b"200 OK", sock.recv(4096))
        self.assertLessEqual(len(proxy.find(event="reload")), CONTROL_CONNECTIONS_MAX)

    def test_the_socket_takes_a_restart(self):
        proxy = self.start_control()
        self.write(extra=self.admin.replace("admin.sock", "other.sock"))
        status, _, value = self.ask("POST", "/v1/reload")
        self.assertEqual(status, 200)
        self.assertIn('"admin.socket" has changed: that takes a restart', [one["problem"] for one in value["problems"]])
        self.assertFalse((self.folder.path / "other.sock").exists())
        self.assertEqual(self.get_json("/v1/sessions"), [])
        proxy.stop()
        self.assertFalse(self.path.exists())

    def test_while_the_program_ends(self):
        proxy = self.start_control()
        client = self.clients(proxy, 1)[0]
        proxy.terminate()
        proxy.wait_line(event="shutdown")
        self.assertEqual(len(self.get_json("/v1/sessions")), 1)
        self.assertEqual(self.ask("POST", "/v1/reload")[0], 503)
        self.assertEqual(self.ask("DELETE", "/v1/sessions?service=pop3")[2], {"kicked": 1})
        client.rest()
        proxy.wait()
        self.assertFalse(self.path.exists())


class Looking(Control):
    def test_certificates(self):
        self.start_control()
        value = self.get_json("/v1/certificates")
        self.assertEqual(len(value), 1)
        self.assertEqual(value[0]["chain"], str(self.folder.path / "mail.pem"))
        self.assertIn("localhost", value[0]["names"])
        self.assertRegex(value[0]["not_after"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertLess(value[0]["not_before"], value[0]["not_after"])

    def test_config_has_no_secret(self):
        networks = 'proxy_protocol = { from = [ "127.0.0.1" ]; mode = "optional"; }; deny = [ "192.0.2.0/24" ];'
        self.start_control(tls='passphrase = "mail.pass";', keys=networks)
        value = self.get_json("/v1/config")
        text = json.dumps(value)
        self.assertEqual(value["file"], str(self.folder.path / "deepproxy.conf"))
        self.assertEqual(value["admin"]["socket"], str(self.path))
        self.assertEqual([service["name"] for service in value["services"]], ["pop3"])
        service = value["services"][0]
        self.assertEqual(service["proxy_protocol"], {"from": ["127.0.0.1/32"], "mode": "optional"})
        self.assertEqual((service["allow"], service["deny"]), ([], ["192.0.2.0/24"]))
        self.assertEqual([len(pool["servers"]) for pool in value["backends"]], [1])
        for secret in ("mail.key", "mail.pass"):
            self.assertNotIn(secret, text)

    def test_the_pages_are_there_too(self):
        self.start_control()
        for page in ("/metrics", "/healthz", "/readyz"):
            with contextlib.closing(UnixConnection(self.path)) as connection:
                connection.request("GET", page)
                self.assertEqual(connection.getresponse().status, 200)

    def test_tcp_shows_nothing_of_it(self):
        proxy = self.start_control()
        for method in ("GET", "POST", "DELETE"):
            for path in ("/v1/sessions", "/v1/sessions/a-1", "/v1/reload", "/v1/config", "/v1/certificates", "/v1"):
                status, _, body = self.get(proxy, path, method=method)
                self.assertEqual((status, body), (404, b"there are /metrics, /healthz and /readyz\n"))
        self.assertEqual(proxy.find(event="control"), [])

    def test_errors(self):
        self.start_control()
        for method, target, status, word in [
                ("GET", "/v1/nothing", 404, "/v1/sessions"), ("GET", "/v2/sessions", 404, "/v1/reload"),
                ("GET", "/v1/reload", 405, "POST"), ("PATCH", "/v1/sessions", 405, "GET, HEAD and DELETE"),
                ("BREW", "/v1/sessions", 405, "GET"), ("DELETE", "/v1/sessions", 400, "client=ADDRESS"),
                ("DELETE", "/v1/sessions?", 400, "client=ADDRESS"), ("DELETE", "/v1/sessions/nobody-1", 404, "no such"),
                ("DELETE", "/v1/sessions/a%2Fb%20c", 404, "no such"), ("DELETE", "/v1/sessions/", 404, "there are"),
                ("DELETE", "/v1/sessions?limit=3", 400, "limit"), ("GET", "/v1/sessions?client=localhost", 400, "localhost"),
                ("GET", "/v1/sessions?client=127.0.0.1:25", 400, "numeric"), ("GET", "/v1/sessions?limit=0", 400, "limit"),
                ("GET", "/v1/sessions?limit=10001", 400, "limit"), ("GET", "/v1/sessions?limit=1x", 400, "limit"),
                ("GET", "/v1/sessions?limit=-1", 400, "limit"), ("GET", "/v1/sessions?colour=red", 400, "colour"),
                ("GET", "/v1/sessions?pool=", 400, "empty"), ("GET", "/v1/sessions?pool=" + "a" * 300, 400, "aaaa"),
                ("GET", "/v1/config?a", 400, '"a"'), ("POST", "/v1/reload?now=1", 400, "now"),
                ("GET", "/v1/sessions?pool=%zz", 400, "understood"), ("GET", "/" + "a" * 2000, 414, "long")]:
            got, headers, value = self.ask(method, target)
            self.assertEqual(got, status, (method, target, value))
            self.assertIn(word, value["error"], (method, target))
            self.assertEqual("Allow" in headers, got == 405)


class Socket(Control):
    def test_its_file(self):
        proxy = self.start_control()
        mode = self.path.lstat()
        self.assertTrue(stat.S_ISSOCK(mode.st_mode))
        self.assertEqual(stat.S_IMODE(mode.st_mode), 0o600)
        self.assertEqual(proxy.wait_line(event="control-listening")["socket"], str(self.path))
        proxy.stop()
        self.assertFalse(self.path.exists())
        self.assertEqual(sorted(entry.name for entry in self.folder.path.iterdir() if "sock" in entry.name), [])

    def test_a_group(self):
        group = grp.getgrgid(os.getegid()).gr_name
        self.admin = self.admin.replace("}", f'group = "{group}"; }}')
        self.start_control()
        mode = self.path.lstat()
        self.assertEqual((stat.S_IMODE(mode.st_mode), mode.st_gid), (0o660, os.getegid()))

    def refused(self, *words):
        result = harness.run_program("run", "-c", self.folder.path / "deepproxy.conf")
        self.assertEqual(result.returncode, 1)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertRegex(result.stderr, r"deepproxy\.conf:2: error: ")

    def prepare(self):
        self.server = self.backend(harness.pop3)
        self.write(extra=self.admin)

    def test_one_that_is_left(self):
        """A program that was killed has left it, and another one takes its place."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(self.path))
            sock.listen()
        self.start_control()
        self.assertEqual(self.get_json("/v1/sessions"), [])

    def test_after_a_crash(self):
        proxy = self.start_control()
        os.kill(proxy.pid, signal.SIGKILL)
        proxy.wait_lines(2, event="control-listening")
        proxy.wait_lines(2, event="ready")
        self.assertEqual(self.get_json("/v1/sessions"), [])

    def test_one_that_is_in_use(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(self.path))
            sock.listen()
            self.prepare()
            self.refused(f"can't listen on {self.path}: another program serves it")
            self.assertTrue(self.path.exists())

    def test_a_file(self):
        self.path.write_text("precious")
        self.prepare()
        self.refused("there is a file of that name, and it is no socket")
        self.assertEqual(self.path.read_text(), "precious")

    def test_no_folder(self):
        self.admin = self.admin.replace("admin.sock", "nowhere/admin.sock")
        self.prepare()
        self.refused("there is no folder", "nowhere")

    def test_no_such_group(self):
        self.admin = self.admin.replace("}", 'group = "no-such-group-here"; }')
        self.prepare()
        self.refused('there is no group "no-such-group-here"')
        result = harness.run_program("check", "-c", self.folder.path / "deepproxy.conf")
        self.assertEqual((result.returncode, result.stderr.count("no-such-group-here")), (1, 2))

    def test_what_another_has_put_there_stays(self):
        proxy = self.start_control()
        self.path.unlink()
        self.path.write_text("precious")
        proxy.stop()
        self.assertEqual(self.path.read_text(), "precious")


@unittest.skipUnless(is_root, "takes root")
class Peers(Control):
    """Other users, with a socket file that is open to all: the kernel's word counts."""
    def ask_as(self, user, group, groups):
        script = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
                  "s.sendall(b'GET /v1/sessions HTTP/1.1\\r\\n\\r\\n'); print(s.recv(4096).split()[1].decode())")
        result = subprocess.run(["/usr/bin/python3", "-c", script, self.path], user=user, group=group,
                                extra_groups=groups, capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertEqual(result.stderr, "")
        return result.stdout.strip()

    def open_to_all(self):
        os.chmod(self.path, 0o666)
        folder = pathlib.Path(self.folder.path)
        while folder != folder.parent:
            if not folder.stat().st_mode & 1:
                os.chmod(folder, folder.stat().st_mode | 0o11)
            folder = folder.parent

    def test_who_may(self):
        gid = 54321
        self.admin = self.admin.replace("}", f"group = {gid}; }}")
        proxy = self.start_control()
        self.open_to_all()
        self.assertEqual(self.path.lstat().st_gid, gid)
        for user, group, groups, status in [(0, 0, [], "200"), (65534, 65534, [], "403"), (65534, gid, [], "200"),
                                            (65534, 65534, [gid], "200"), (65534, 65534, [4, 5], "403"),
                                            (65534, 65534, list(range(1000, 1100)) + [gid], "200"),
                                            (65534, 65534, list(range(1000, 1100)), "403")]:
            self.assertEqual(self.ask_as(user, group, groups), status, (user, group, groups))
        self.assertEqual(proxy.wait_line(event="control-refused")["uid"], "65534")
        self.assertLessEqual(len(proxy.find(event="control-refused")), 3)

    def test_the_user_that_the_program_becomes(self):
        """It has the file, and may use it; it removes it if the folder lets it, and says so if not."""
        proxy = self.start_control(extra='user = "nobody"; group = "nogroup";')
        self.assertEqual((self.path.lstat().st_uid, stat.S_IMODE(self.path.lstat().st_mode)), (65534, 0o600))
        self.open_to_all()
        self.assertEqual(self.ask_as(65534, 65534, []), "200")
        self.assertEqual(self.ask_as(0, 0, []), "200")
        self.assertEqual(self.ask_as(1, 1, []), "403")
        proxy.stop()
        self.assertEqual(proxy.find(event="control-socket-left")[0]["error"], "Permission denied")
        self.assertTrue(self.path.exists())
        # The next start, as root, replaces it.
        self.start_control(extra='user = "nobody"; group = "nogroup";')
        self.open_to_all()
        self.assertEqual(self.ask_as(65534, 65534, []), "200")

    def test_without_a_group(self):
        self.start_control()
        self.open_to_all()
        self.assertEqual(self.ask_as(65534, 0, [0]), "403")


class Hostile(Control):
    def test_slow_and_many(self):
        """Places are bounded; whoever only sits there keeps nobody out, sessions and TCP go on."""
        proxy = self.start_control()
        client = self.clients(proxy, 1)[0]
        self.get_json("/v1/sessions")
        descriptors = proxy.descriptors()
        crowd = [self.knock(b"GET /v1/sessions HTTP/1.1\r\nX: " + b"y" * (i * 100)) for i in range(60)]
        with self.takes(0, SOON):
            self.assertEqual(len(self.get_json("/v1/sessions")), 1)
            self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
            self.assertEqual(self.get(proxy, "/healthz")[0], 200)
        self.assertLessEqual(proxy.descriptors(), descriptors + CONTROL_CONNECTIONS_MAX)
        for sock in crowd:
            sock.close()

    def test_a_crowd_on_tcp_takes_no_place_of_the_socket(self):
        proxy = self.start_control()
        waiting = self.knock(b"GET /v1/sessions HTTP/1.1\r\n")
        crowd = [self.connect(proxy, b"GET /") for _ in range(100)]
        self.assertEqual(self.get(proxy, "/healthz")[0], 200)
        waiting.sendall(b"\r\n")
        self.assertIn(b"200 OK", waiting.recv(4096))
        del crowd

    def test_huge_head(self):
        proxy = self.start_control()
        sock = self.knock()
        with contextlib.suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100000)
        with contextlib.suppress(OSError):
            self.assertIn(b"431", sock.recv(4096))
        self.assertEqual(self.get_json("/v1/sessions"), [])
        self.assertEqual(self.get(proxy, "/healthz")[0], 200)

    def test_one_that_says_nothing_is_over_after_a_while(self):
        self.start_control()
        sock = self.knock(b"GET /v1/sessions HTTP/1.1\r\n")
        with self.takes(VISIT_SECONDS - 1, VISIT_SECONDS + SOON), contextlib.suppress(ConnectionError):
            self.assertEqual(sock.recv(1), b"")

    def test_those_that_leave_before_their_answer(self):
        proxy = self.start_control()
        self.clients(proxy, 2)
        descriptors = proxy.descriptors()
        for _ in range(100):
            self.knock(b"GET /v1/sessions HTTP/1.1\r\n\r\n").close()
            self.knock(b"POST /v1/reload HTTP/1.1\r\n\r\n").close()
        self.assertEqual(len(self.get_json("/v1/sessions")), 2)
        self.wait_until(lambda: proxy.descriptors() <= descriptors + 8)  # the pool's threads come once

    def test_a_body_is_not_waited_for(self):
        self.start_control()
        self.assertEqual(self.ask("POST", "/v1/reload", body=b"x" * 50000)[0], 200)


class Command(Control):
    def test_sessions(self):
        proxy = self.start_control()
        self.assertRegex(self.ctl("show", "sessions").stdout, r"^SESSION +CLIENT +SERVICE +POOL +SERVER +STATE +AGE\n$")
        self.clients(proxy, 2)
        result = self.ctl("show", "sessions")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), 3)
        session, client, service, pool, server, state, age = lines[1].split()
        self.assertEqual((service, state), ("pop3", "relaying"))
        self.assertEqual(len(json.loads(self.ctl("--json", "show", "sessions").stdout)), 2)
        self.assertEqual(len(self.ctl("show", "sessions", f"{pool}/{server}").stdout.splitlines()), 3)
        self.assertEqual(len(self.ctl("show", "sessions", "other").stdout.splitlines()), 1)
        self.assertEqual(self.ctl("show", "sessions", pool, "--limit", "1").stdout.splitlines()[-1],
                         "1 of 2 sessions: --limit shows more")
        result = self.ctl("kick", "--session", session)
        self.assertEqual((result.returncode, result.stdout), (0, "1 session ended\n"))
        result = self.ctl("kick", "--session", session)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr, "deepproxy ctl: kick: there is no such session\n")
        self.assertEqual(self.ctl("kick", "--address", "127.0.0.7").stdout, "0 sessions ended\n")
        self.assertEqual(self.ctl("kick", "--server", f"{pool}/{server}").stdout, "1 session ended\n")

    def test_certificates_and_config(self):
        self.start_control()
        result = self.ctl("show", "certificates")
        self.assertRegex(result.stdout, r"^NOT AFTER +CHAIN +NAMES\n\d{4}-\S+Z +\S+mail\.pem +\S*localhost")
        value = json.loads(self.ctl("show", "config").stdout)
        self.assertEqual(value, json.loads(self.ctl("--json", "show", "config").stdout))

    def test_reload(self):
        self.start_control()
        result = self.ctl("reload", source=["-c", self.folder.path / "deepproxy.conf"])
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "reloaded\n", ""))
        self.write(extra=self.admin + "wrokers = 3;")
        # By a file that has mistakes, too.
        result = self.ctl("reload", source=["-c", self.folder.path / "deepproxy.conf"])
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, r'deepproxy\.conf:\d+: error: unknown key "wrokers"')
        self.assertTrue(result.stderr.endswith("deepproxy ctl: reload: refused: the one before stays in effect\n"))
        result = self.ctl("--json", "reload")
        self.assertEqual((result.returncode, json.loads(result.stdout)["problems"][0]["severity"]), (1, "error"))

    def test_what_is_not_understood(self):
        for arguments, words in [((), "which verb?"), (("dance",), "no such verb: dance"), (("show",), "no such verb: show"),
                                 (("show", "nothing"), "no such verb"), (("reload", "now"), "not understood: now"),
                                 (("kick",), "kick takes one of"), (("kick", "--user", "x"), "not understood: --user"),
                                 (("--yaml", "reload"), "not understood: --yaml"),
                                 (("show", "sessions", "--limit"), "--limit needs a value")]:
            result = harness.run_program("ctl", *arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(words, result.stderr)
        result = harness.run_program("ctl", "help")
        self.assertEqual(result.returncode, 0)
        for verb in ("show sessions", "show certificates", "show config", "kick", "reload"):
            self.assertIn("\n" + verb, result.stdout)

    def test_no_socket(self):
        result = self.ctl("reload")
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"deepproxy ctl: {self.path}: there is no such socket", result.stderr)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(self.path))
        self.assertIn("nobody listens there", self.ctl("reload").stderr)
        self.server = self.backend(harness.pop3)
        self.write(extra="")
        result = self.ctl("reload", source=["-c", self.folder.path / "deepproxy.conf"])
        self.assertIn("deepproxy.conf names no admin.socket", result.stderr)

    def test_what_does_not_speak_http(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(self.path))
            sock.listen()
            program = subprocess.Popen([harness.PROGRAM, "ctl", "-s", self.path, "reload"], stderr=subprocess.PIPE, text=True)
            peer, _ = sock.accept()
            peer.recv(4096)
            peer.sendall(b"* OK IMAP4rev1\r\n")
            self.assertIn("does not speak HTTP", program.communicate(timeout=harness.PATIENCE)[1])
            peer.close()
            program = subprocess.Popen([harness.PROGRAM, "ctl", "-s", self.path, "reload"], stderr=subprocess.PIPE, text=True)
            peer, _ = sock.accept()
            peer.recv(4096)
            peer.close()
            self.assertIn("closed the connection without an answer", program.communicate(timeout=harness.PATIENCE)[1])
            began = time.monotonic()
            result = self.ctl("show", "config")
            self.assertIn("the program does not answer", result.stderr)
            self.assertGreater(time.monotonic() - began, 9)

    @unittest.skipUnless(shutil.which("curl"), "takes curl")
    def test_curl(self):
        self.start_control()
        result = subprocess.run(["curl", "-sS", "--unix-socket", self.path, "http://localhost/v1/certificates"],
                                capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertEqual((result.returncode, len(json.loads(result.stdout))), (0, 1), result.stderr)
        result = subprocess.run(["curl", "-sS", "--unix-socket", self.path, "-X", "POST", "http://localhost/v1/reload"],
                                capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertEqual(json.loads(result.stdout)["result"], "done")


if __name__ == "__main__":
    harness.main()
