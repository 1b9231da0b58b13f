# SPDX-License-Identifier: BSD-2-Clause
"""
A server in a Debian root of its own (tests/interop/roots), where it can't meet another that its package excludes: with
processes, mounts and changes of its own, all of which end with it. Only its ports are this machine's, on loopback.

Rooted is what a test holds; this file, run as a program, looks after the server (see keeper.py).
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading

import keeper

RECIPES = pathlib.Path(__file__).resolve().parents[1] / "interop" / "roots"
BUILT = pathlib.Path(__file__).resolve().parents[2] / "build" / "roots"
PRIORITY = re.compile(r"^<\d+>")


class Rooted(keeper.Kept):
    """
    The server while it runs. Ports: one for each service, and the same with -direct behind: another one where the
    server wants PROXY v2 on the first.
    """

    def __init__(self, server, directory, services, proxied):
        self.directory = pathlib.Path(directory)
        self.log = self.directory / f"{server}.log"
        self.logs = dict.fromkeys(services, self.log)
        self.mail = self.directory / "mail"
        kind = "proxied" if proxied else "plain"
        super().__init__(os.path.abspath(__file__), server, self.directory, kind, *services)


def unusable(server):
    """What keeps the server from being started here, as a sentence; None where nothing does."""
    if not (BUILT / f"{server}.stamp").exists():
        return f"there is no root for {server}; ./dev interop makes it"
    root = ["sudo", "-n"] * (os.geteuid() != 0)
    tried = subprocess.run([*root, "unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        return "a server in a root of its own needs root privileges and a kernel that gives namespaces: " + \
            tried.stderr.decode(errors="replace").strip()
    return None


class World(subprocess.Popen):
    """Process 1 of the namespaces takes the signal; that is not the process that was started here."""

    def terminate(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)


def take_log(path, log):
    """The server's /dev/log, to the file, without the priorities."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(path))
    path.chmod(0o666)

    def receive():
        while True:
            text = receiver.recv(65536).decode(errors="replace").rstrip("\0\n")
            log.write(PRIORITY.sub("", text) + "\n")
            log.flush()
    threading.Thread(target=receive, daemon=True).start()


def start(server, directory, ports, servers):
    for name in ("dev", "mail"):
        (directory / name).mkdir()
    log = open(directory / f"{server}.log", "w", encoding="utf-8")
    take_log(directory / "dev" / "log", log)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    environment |= {f"PORT_{name.upper().replace('-', '_')}": str(port) for name, port in ports.items()}
    # However the keeper ends, the namespaces end with it.
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child",
               RECIPES / "inside.sh", BUILT / server, directory, RECIPES / server / "serve"]
    servers.append(World(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                         start_new_session=True))


def start_all(server, directory, proxied, services, servers):
    names = [name for service in services for name in (service, f"{service}-direct")]
    ports = dict(zip(names, keeper.free_ports(len(names))))
    if not proxied:
        ports |= {f"{service}-direct": ports[service] for service in services}
    start(server, directory, ports, servers)
    for service in services:
        keeper.wait_for_port(ports[f"{service}-direct"], servers[0], directory / f"{server}.log")
    return ports


def main(server, directory, kind, *services):
    directory = pathlib.Path(directory).absolute()
    return keeper.keep(directory, lambda servers: start_all(server, directory, kind == "proxied", services, servers))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
