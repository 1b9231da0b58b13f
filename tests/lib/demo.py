# SPDX-License-Identifier: BSD-2-Clause
"""`./dev run`: deepproxy before a real Dovecot and Postfix that speak cleartext alone, until Ctrl-C.

    demo.py DEEPPROXY
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import backend_files
import backends
import certificates
import keeper
import proxy

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PREFERRED_PORTS = {"imap": 9993, "imap-starttls": 9143, "pop3": 9995, "pop3-starttls": 9110, "submission": 9465,
                   "submission-starttls": 9587}

# Lines with "$ " are commands, those with "-> " what they show ("...": more of it); a test holds them to it.
SCREEN = """
deepproxy runs before a {dovecot}{and_postfix} that speak cleartext alone.

                       clients, over TLS    backend, in clear and with a PROXY v2 header
{table}
  User {user}, password {password}, {count} messages. Logs and the certificate authority: {here}

Try these in another terminal, after
     $ cd {here}

1. Read a message by IMAP:
     $ curl -sS --cacert ca.pem -u {user}:{password} 'imaps://localhost:{imap}/INBOX;MAILINDEX=1'
       -> Subject: Welcome

2. DEEP in the capabilities and the DEEP status in the answer to ID, of which Dovecot knows nothing:
     $ printf 'a CAPABILITY\\nb ID ("name" "me" "latch" "tls12")\\nc LOGOUT\\n' | {s_client}:{imap}
       -> * CAPABILITY IMAP4rev1 ... DEEP
       -> * ID ("name" "Dovecot" ... "deep-status" "tls11 tls12 <https://...>"...)

3. The same by POP3:
     $ printf 'CAPA\\nQUIT\\n' | {s_client}:{pop3}
       -> DEEP tls11 tls12 <https://...>

4. STARTTLS: what may be seen before it, and the server's own capabilities behind it:
     $ printf 'a CAPABILITY\\nb LOGOUT\\n' | {s_client}:{starttls} -starttls imap
       -> * CAPABILITY IMAP4rev1 ... DEEP

5. What it tells Prometheus: when certificates end, sessions, reports and more:
     $ curl -sS http://127.0.0.1:{admin}/metrics | grep -v '^#'
       -> deepproxy_sessions_total{{service="imap"}} ...
       -> deepproxy_reports_total{{service="imap",tag="tls12",kind="latch"}} ...
       -> deepproxy_certificate_not_after_timestamp_seconds{{chain="...mail.pem",name="localhost"}} ...
{submission_part}
What the servers see of it is shown here, below:
       dovecot    ID sent: ... tls=TLS_AES_256_GCM_SHA384: ... rip=127.0.0.1 ... {secured}
       deepproxy  event=session ... cipher=TLS_AES_256_GCM_SHA384 ... latch=tls12

Ctrl-C ends and removes all of it.
"""

SUBMISSION_PART = """
6. DEEP in EHLO, and the answer to CLIENT, which Postfix does not know:
     $ printf 'EHLO me\\nCLIENT name=me latch=tls12\\nQUIT\\n' | {s_client}:{submission}
       -> 250 DEEP tls11 tls12 <https://...>
       -> 250 2.0.0 OK

7. Send a message; Postfix sees who it is from, and delivers it into the same mailbox:
     $ printf 'Subject: by curl\\n\\nHello.\\n' | curl -sS --crlf -T - --cacert ca.pem -u {user}:{password} \\
           --mail-from {address} --mail-rcpt {address} smtps://localhost:{submission}
"""

S_CLIENT = "openssl s_client -quiet -crlf -verify_quiet -CAfile ca.pem -servername localhost -connect localhost"

# What is worth showing of each server's log.
SAYS = backend_files.DOVECOT_SAYS[backend_files.dovecot_dialect()]
WORTH = {"dovecot": ("ID sent", SAYS["login"]), "postfix": ("client=", "status=")}


def can_bind(host, port):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def listen_places(port):
    """The port at each loopback address that the machine has; one that the system gives, where it is taken."""
    hosts = [host for host in ("127.0.0.1", "::1") if can_bind(host, 0)]
    if not all(can_bind(host, port) for host in hosts):
        return ["127.0.0.1:0"]
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in hosts]


def version(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


class Demo:
    """Everything that runs, in one temporary directory; leaving the context ends and removes it."""

    def __init__(self, program):
        self.program = program
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="deepproxy.", dir="/tmp"))
        self.directory.chmod(0o755)
        self.backends = self.proxy = None
        self.log = self.directory / "deepproxy.log"
        self.printing = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        with contextlib.ExitStack() as rest:
            rest.callback(shutil.rmtree, self.directory)
            for part in (self.backends, self.proxy):
                if part:
                    rest.callback(part.stop)

    def start(self):
        with_postfix = os.access(backends.PROGRAMS["postfix"], os.X_OK)
        print("Making a certificate, starting Dovecot" + " and Postfix" * with_postfix, flush=True)
        certificates.make(self.directory, names=list(dict.fromkeys(["localhost", socket.gethostname()])))
        self.backends = backends.Backends(self.directory / "backends", with_postfix)
        servers = {name: [f"127.0.0.1:{port}"] for name, port in self.backends.ports.items() if "-" not in name}
        listen = {name: listen_places(port) for name, port in PREFERRED_PORTS.items()}
        extra = 'admin = { listen = "127.0.0.1:0"; };\n' + ('user = "nobody";\n' if os.geteuid() == 0 else "")
        path = self.directory / "deepproxy.conf"
        path.write_text(proxy.configuration("The demo of ./dev run", servers, listen, extra=extra))
        self.proxy = proxy.Proxy(path, self.program, self.proxy_line)
        self.backends.watch(self.proxy.main_pid)

    def proxy_line(self, line, text):
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(text)
        if line.get("event") == "session":
            self.show("deepproxy", text)

    def show(self, who, text):
        with self.printing:
            print(f"{who:9}  {text.rstrip()}", flush=True)

    def screen(self):
        ports = self.proxy.ports
        postfix = "submission" in ports
        values = {"user": backend_files.USER, "password": backend_files.PASSWORD, "address": backend_files.ADDRESS,
                  "secured": SAYS["secured"], "here": self.directory, "count": len(backend_files.MESSAGES), "s_client": S_CLIENT,
                  "starttls": ports["imap-starttls"], "admin": self.proxy.admin_port, **ports}
        rows = [f"  {name:21}localhost:{port:<11}127.0.0.1:{self.backends.ports[name.removesuffix('-starttls')]}"
                for name, port in ports.items()]
        dovecot = "Dovecot " + version(["dovecot", "--version"])[0]
        mail_version = " and a Postfix " + version(["postconf", "-hd", "mail_version"])[0] if postfix else ""
        return SCREEN.format(dovecot=dovecot, and_postfix=mail_version, table="\n".join(rows) + "\n",
                             submission_part=SUBMISSION_PART.format(**values) if postfix else "", **values)

    def follow(self):
        """Shows the backends' own words until something ends."""
        logs = {"dovecot": self.backends.dovecot_log, "postfix": self.backends.postfix_log}
        files = {who: open(path, encoding="utf-8", errors="replace") for who, path in logs.items() if path.exists()}
        while self.proxy.process.poll() is None and not self.backends.failed():
            for who, file in files.items():
                for line in file:
                    if any(sign in line for sign in WORTH[who]):
                        self.show(who, line)
            time.sleep(0.2)
        print("deepproxy or a server ended by itself:\n" + self.proxy.text, file=sys.stderr)


def interrupt(*_):
    raise KeyboardInterrupt


def main(program):
    for number in ENDING_SIGNALS:
        signal.signal(number, interrupt)
    try:
        with Demo(program) as demo:
            demo.start()
            print(demo.screen(), flush=True)
            demo.follow()
            return 1
    except KeyboardInterrupt:
        print("\nEnded: all is stopped and removed.")
        return 0
    except (keeper.BackendError, proxy.ProxyError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
