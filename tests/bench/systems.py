# SPDX-License-Identifier: BSD-2-Clause
"""The proxies that are compared: their configurations, and their life from start to end.

Each runs from a private directory, with a configuration made here and on a port of 127.0.0.1 that the system gives;
services and settings of the machine are neither used nor touched. All have one thread for the work, TLS 1.3 with
TLS_AES_128_GCM_SHA256 and the same certificate, and pass the connection on without a word about the client. What
else is set makes them faster here: buffers of 64 KiB in place of 16 cost both peers 10 % less CPU time for
bulk data and no more memory, as they are not held (HAProxy) or not touched (nginx) by idle sessions."""

import glob
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import proxy  # noqa: E402

START_SECONDS = 10
STOP_SECONDS = 5
SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"


class Unavailable(Exception):
    """The system can't be measured here; the message says why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(core, command):
    """On one core, and ended with us: not even a runner that is killed leaves anything behind."""
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core)] + command


class System:
    """A proxy: subclasses say which program it is, how it is configured and started."""

    name = None
    packages = ()
    is_peer = True  # deepproxy is compared with it

    def __init__(self, program=None):
        self.program = program
        self.process = None
        self.port = None
        self.log = None

    def available(self):
        return self.program is not None and os.access(self.program, os.X_OK)

    def configure(self, directory, certificate, backend_port):
        """Writes the configuration for self.port into the directory; returns the command."""
        raise NotImplementedError

    def version_command(self):
        raise NotImplementedError

    def version(self):
        done = subprocess.run(self.version_command(), capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).strip().splitlines()
        return lines[0] if lines else "?"

    def start(self, directory, core, certificate, backend_port):
        """Another program may take the port that was free a moment ago: then it is tried again."""
        directory = pathlib.Path(directory, self.name)
        directory.mkdir(exist_ok=True)
        self.log = directory / "log"
        for _ in range(3):
            self.port = free_port()
            command = self.configure(directory, certificate, backend_port)
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(pinned(core, command), stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log, cwd=directory)
            if self.wait_until_it_listens():
                return
            self.stop()
        raise Unavailable(f"{self.name} does not start: {self.last_words()}")

    def wait_until_it_listens(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self.process.poll() is None
            except OSError:
                time.sleep(0.02)
        return False

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    @property
    def pid(self):
        """The process with which it was started; those that it starts in turn are below it."""
        return self.process.pid

    def serving_pid(self):
        """The process that serves clients."""
        return self.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def last_words(self):
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return " / ".join(lines[-3:]) or "it says nothing"


class Deepproxy(System):
    """Logs a line for each session, which the peers here do not."""

    name = "deepproxy"
    extra = ""  # for its configuration
    workers = 1
    is_peer = False

    def configure(self, directory, certificate, backend_port):
        path = directory / "deepproxy.conf"
        path.write_text(f"""hostname = "mail.example.com";
workers = {self.workers}; {proxy.who_stays(self.extra)}
{self.extra}
tls = {{ certificates = ( {{ chain = "{certificate.chain}"; key = "{certificate.key}"; }} ); }};
services = ( {{ protocol = "imap"; listen = [ "127.0.0.1:{self.port}" ]; backend = "bench"; }} );
backends = ( {{ name = "bench"; identity = "none"; servers = ( {{ address = "127.0.0.1:{backend_port}"; }} ); }} );
""")
        return [self.program, "run", "-c", str(path)]

    def version_command(self):
        return [self.program, "version"]

    def serving_pid(self):
        return proxy.serving_process(self.pid)


class Against(Deepproxy):
    """Another build."""

    name = "against"


class KeysInside(Deepproxy):
    """Private keys in the proxy's own process, signed with by BoringSSL."""

    name = "keys-inside"
    extra = "key_isolation = false;"


class KeysBoringssl(Deepproxy):
    """The key process on BoringSSL too: what isolation costs, and what the other library brings."""

    name = "keys-boringssl"

    def __init__(self, program):
        super().__init__(program)
        self.keys = program.parent / "keys" / "deepproxy-keys-boringssl"

    def available(self):
        return super().available() and self.keys.exists()

    def configure(self, directory, certificate, backend_port):
        """The proxy takes the key process that is beside it: both are copied."""
        shutil.copy(self.program, directory / "deepproxy")
        shutil.copy(self.keys, directory / "deepproxy-keys")
        return [str(directory / "deepproxy"), *super().configure(directory, certificate, backend_port)[1:]]


class Haproxy(System):
    """TCP_NODELAY and buffers that go back to a pool when empty are its defaults."""

    name = "haproxy"
    packages = ("haproxy",)

    def __init__(self):
        super().__init__(shutil.which("haproxy", path=SEARCH_PATH))

    def configure(self, directory, certificate, backend_port):
        path = directory / "haproxy.cfg"
        path.write_text(f"""global
    nbthread 1
    maxconn 9000
    tune.bufsize 65536
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode tcp
    timeout connect 5s
    timeout client 35m
    timeout server 35m
listen imaps
    bind 127.0.0.1:{self.port} backlog 4096 ssl crt {certificate.both}
    server bench 127.0.0.1:{backend_port}
""")
        return [self.program, "-db", "-f", str(path)]

    def version_command(self):
        return [self.program, "-v"]


class Nginx(System):
    """One worker beside the master process, which does nothing while it runs."""

    name = "nginx"
    packages = ("nginx-light", "libnginx-mod-stream")

    def __init__(self):
        super().__init__(shutil.which("nginx", path=SEARCH_PATH))
        modules = glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so")
        self.module = modules[0] if modules else None

    def available(self):
        return super().available() and self.module is not None

    def configure(self, directory, certificate, backend_port):
        path = directory / "nginx.conf"
        path.write_text(f"""load_module {self.module};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {directory}/nginx.pid;
error_log stderr error;
events {{
    worker_connections 9000;
    multi_accept on;
}}
stream {{
    tcp_nodelay on;
    proxy_buffer_size 64k;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_session_cache off;
    ssl_session_tickets on;
    ssl_conf_command NumTickets 1;
    proxy_timeout 35m;
    server {{
        listen 127.0.0.1:{self.port} ssl backlog=4096;
        ssl_certificate {certificate.chain};
        ssl_certificate_key {certificate.key};
        proxy_pass 127.0.0.1:{backend_port};
    }}
}}
""")
        return [self.program, "-e", "stderr", "-p", str(directory), "-c", str(path)]

    def version_command(self):
        return [self.program, "-v"]


OURS = {"deepproxy": Deepproxy, "keys-inside": KeysInside, "keys-boringssl": KeysBoringssl}
PEERS = {"haproxy": Haproxy, "nginx": Nginx}
