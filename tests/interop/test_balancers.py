# SPDX-License-Identifier: BSD-2-Clause
"""HAProxy and nginx in front, which pass TCP on and tell by the PROXY protocol whose connection it is."""

import csv
import glob
import os
import pathlib
import shutil
import socket
import subprocess
import unittest

import common
import keeper  # of tests/lib
from common import LOGIN, PASSWORD, USER, until

SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/sbin"
STREAM = glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so")
BALANCER = 'proxy_protocol = { from = [ "127.0.0.1" ]; };'
PROTOCOLS = ("imap", "pop3", "submission")
CHECKED = 3  # checks by each listener: all of them have been seen then
LOG_LEVEL = 'log_level = "debug"; '


def haproxy():
    return shutil.which("haproxy", path=SEARCH_PATH)


def nginx():
    return shutil.which("nginx", path=SEARCH_PATH)


def is_listening(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Balanced(common.Case):
    """A balancer before a proxy; by default HAProxy, which speaks to it in a way of the class's."""

    way = "send-proxy-v2"

    @classmethod
    def setUpClass(cls):
        if haproxy() is None or nginx() is None or not STREAM:
            raise unittest.SkipTest("no balancers are installed here")
        super().setUpClass()
        cls.fronts = dict(zip(PROTOCOLS, keeper.free_ports(len(PROTOCOLS))))
        cls.start_balancer()
        for port in cls.fronts.values():
            until("a balancer's listener", lambda port=port: is_listening(port))

    @classmethod
    def start_proxy(cls, servers, **options):
        return super().start_proxy(servers, extra=LOG_LEVEL, keys={name: BALANCER for name in servers}, **options)

    @classmethod
    def behind(cls, protocol):
        return cls.proxy.ports[protocol + ("-starttls" if cls.listener == "starttls" else "")]

    @classmethod
    def start(cls, *command):
        with (cls.folder / "balancer.log").open("w") as log:
            process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def end():
            process.terminate()
            process.wait(common.WAIT_SECONDS)
        cls.addClassCleanup(end)

    @classmethod
    def start_balancer(cls):
        listeners = "".join(f"""
listen {protocol}
    bind 127.0.0.1:{port}
    server proxy 127.0.0.1:{cls.behind(protocol)} {cls.way}
""" for protocol, port in cls.fronts.items())
        path = cls.folder / "haproxy.cfg"
        path.write_text(f"""
global
    stats socket {cls.folder}/haproxy.sock
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout check 5s
{listeners}""")
        cls.start(haproxy(), "-db", "-f", path)

    def port(self, service, at=None):
        return super().port(service, at) if at else self.fronts[service]

    def line_of(self, source, service):
        """The session's line: of the client, by the balancer."""
        line = self.session_of(source, service, reason="logout")
        self.assertTrue(line["via"].startswith("127.0.0.1:"), line)
        return line

    def check_imap(self):
        with self.imap("127.0.0.11") as client:
            client.login(USER, PASSWORD)
        self.line_of("127.0.0.11", "imap")
        self.in_log(self.servers.dovecot_log, LOGIN + "user=<demo>", "rip=127.0.0.11,")

    def check_pop3(self):
        client = self.pop3("127.0.0.12")
        client.user(USER)
        client.pass_(PASSWORD)
        client.quit()
        self.line_of("127.0.0.12", "pop3")
        self.in_log(self.servers.dovecot_log, LOGIN + "user=<demo>", "rip=127.0.0.12,")

    def check_submission(self):
        with self.smtp("127.0.0.13") as client:
            client.login(USER, PASSWORD)
            client.sendmail(common.ADDRESS, [common.ADDRESS], common.message("by a balancer"))
        self.line_of("127.0.0.13", "submission")
        self.in_log(self.servers.postfix_log, "client=unknown[127.0.0.13]", "sasl_username=demo")


class Version2(Balanced):
    def test_servers_learn_of_the_client(self):
        self.check_imap()
        self.check_pop3()
        self.check_submission()
        self.assertEqual(self.proxy.find(event="refused"), [])


class Version1(Version2):
    way = "send-proxy"


class Version2Starttls(Version2):
    listener = "starttls"


class Version1Starttls(Version1):
    listener = "starttls"


class Tlvs(Balanced):
    """All that HAProxy can say in a header, for which it must be TLS's end."""

    way = "send-proxy-v2-ssl-cn proxy-v2-options unique-id,authority,crc32c ssl verify none sni str(mail.example.com)"

    def test_none_of_them_is_taken_over(self):
        """The clients' own TLS would be within HAProxy's: they speak in the clear here."""
        with common.clients.Plain(common.clients.connect(self.fronts["imap"], "127.0.0.14")) as client:
            self.assertTrue(client.line().startswith(b"* OK"))
            client.ask(f"a LOGIN {USER} {PASSWORD}\r\n".encode(), b"a OK")
            client.ask(b"b LOGOUT\r\n", b"b OK")
        line = self.line_of("127.0.0.14", "imap")
        self.assertEqual(line["sni"], "mail.example.com")
        self.in_log(self.servers.dovecot_log, LOGIN + "user=<demo>", "rip=127.0.0.14,")


class Nginx(Version2):
    @classmethod
    def start_balancer(cls):
        listeners = "".join(f"""
    server {{
        listen 127.0.0.1:{port};
        proxy_pass 127.0.0.1:{cls.behind(protocol)};
        proxy_protocol on;
    }}
""" for protocol, port in cls.fronts.items())
        path = cls.folder / "nginx.conf"
        path.write_text(f"""load_module {STREAM[0]};
daemon off;
worker_processes 1;
pid {cls.folder}/nginx.pid;
error_log stderr error;
events {{ }}
stream {{
{listeners}}}
""")
        cls.start(nginx(), "-e", "stderr", "-p", cls.folder, "-c", path)


class NginxStarttls(Nginx):
    listener = "starttls"


class Checks(Balanced):
    """HAProxy's health checks, each kind by a listener of its own: they make no session and ask no server."""

    KINDS = {
        # Nothing but a connection, and one with its header.
        "tcp": "send-proxy-v2 check inter 200",
        "tcp-v2": "send-proxy-v2 check inter 200 check-send-proxy",
        "tcp-v1": "send-proxy check inter 200 check-send-proxy",
    }
    # These go on: TLS up to the server's greeting.
    TLS = {"tls-v2": "send-proxy-v2 check inter 200 check-send-proxy check-ssl verify none",
           "tls-v1": "send-proxy check inter 200 check-send-proxy check-ssl verify none"}
    services = ("imap",)

    @classmethod
    def start_balancer(cls):
        cls.fronts = dict(zip((*cls.KINDS, *cls.TLS), keeper.free_ports(len(cls.KINDS) + len(cls.TLS))))
        kinds = {**cls.KINDS, **cls.TLS}
        listeners = "".join(f"""
listen {name}
    bind 127.0.0.1:{cls.fronts[name]}
    server proxy 127.0.0.1:{cls.proxy.ports["imap"]} {how}
""" for name, how in kinds.items())
        path = cls.folder / "haproxy.cfg"
        path.write_text(f"""
global
    stats socket {cls.folder}/haproxy.sock
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout check 5s
{listeners}""")
        cls.start(haproxy(), "-db", "-f", path)

    def ask(self):
        """What HAProxy knows of its servers, by listener."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(pathlib.Path(self.folder) / "haproxy.sock"))
            sock.sendall(b"show stat\n")
            text = b""
            while data := sock.recv(65536):
                text += data
        rows = csv.DictReader(text.decode().removeprefix("# ").splitlines())
        return {row["pxname"]: row for row in rows if row["svname"] == "proxy"}

    def test_all_find_the_proxy_up(self):
        expected = {**dict.fromkeys(self.KINDS, "L4OK"), **dict.fromkeys(self.TLS, "L6OK")}
        until("checks that succeed",
              lambda: {name: row["check_status"] for name, row in self.ask().items()} == expected)
        # Each check is a session's line at level debug, or, for a whole handshake, at info.
        self.proxy.wait_lines(CHECKED * len(self.KINDS), event="session", level="debug")
        for row in self.ask().values():
            self.assertEqual((row["status"], row["chkfail"], row["chkdown"]), ("UP", "0", "0"))
        self.assertEqual(self.proxy.find(event="refused"), [])

    def test_those_without_a_handshake_are_no_sessions(self):
        lines = self.proxy.wait_lines(CHECKED * len(self.KINDS), event="session", that=lambda line: "tls" not in line)
        self.assertEqual({line["level"] for line in lines if "tls" not in line}, {"debug"})
        self.assertEqual({line.get("server") for line in lines if "tls" not in line}, {None})


if __name__ == "__main__":
    unittest.main(verbosity=2)
