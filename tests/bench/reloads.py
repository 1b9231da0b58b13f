#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
What reloads cost: memory that each one leaves while an old session stays, and how long a worker is not there.

    tests/bench/reloads.py build/release/deepproxy --pools 20 --hosts 5000 --certificates 5000

Each reload has one session that began before it and stays. A worker answers NOOP of POP3 before STARTTLS by itself: the
longest round trip is the time in which it did something else, or the machine did. So NOOP is asked during every second
reload alone; of the others the worker's own time on a processor is told, which a busy machine does not change.
"""

import argparse
import os
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import certificates  # noqa: E402
from proxy import Proxy, who_stays  # noqa: E402


def write_configuration(folder, options):
    """Pools that verify their servers by one file; hosts, each with a pool and a status; a folder of certificates."""
    ca = f'ca = "{options.ca}"; ' if options.ca else ""
    pools = [f'{{ name = "pool-{i}"; identity = "none"; servers = ( {{ address = "127.0.0.1:{20000 + i}"; }} ); '
             f'tls = {{ mode = "implicit"; {ca}name = "localhost"; }}; }}' for i in range(options.pools)]
    hosts = [f'{{ names = [ "mail.host-{i}.example", "pop.host-{i}.example" ]; backends = {{ pop3 = "pool-{i % options.pools}"; }};'
             f' deep = {{ tags = [ "tls11", "tls12" ]; url = "https://www.example.com/security"; }}; }}'
             for i in range(options.hosts)]
    texts = {"deepproxy.conf": 'workers = %d; %s\n' % (options.workers, who_stays("")) +
             ('@include "hosts.conf"\n' if hosts else "") +
             'tls = { certificates = ( { chain = "mail.pem"; key = "mail.key"; } ); certificate_dir = "certificates"; };\n'
             'deep = { tags = [ "tls11", "tls12" ]; };\n'
             'services = ( { name = "pop3"; protocol = "pop3"; listen = [ "127.0.0.1:0" ]; backend = "pool-0"; '
             'tls = "starttls"; } );\n'
             f'backends = ( {", ".join(pools)} );\n'
             'timeouts = { login = "1 h"; handshake = "1 h"; };\n',
             "hosts.conf": "hosts = (\n" + ",\n".join(hosts) + " );\n"}
    for name, text in texts.items():
        (folder / name).write_text(text)
    place = folder / "certificates"
    place.mkdir()
    for i in range(options.certificates):
        for suffix in ("pem", "key"):
            shutil.copy(folder / f"mail.{suffix}", place / f"{i:05}.{suffix}")
    if not options.certificates:
        shutil.copy(folder / "mail.pem", place / "only.pem")
        shutil.copy(folder / "mail.key", place / "only.key")
    return folder / "deepproxy.conf"


def memory(pid):
    """Octets of memory that nobody shares: the heap, most of all."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"Private_(?:Clean|Dirty):\s+(\d+) kB", text)) * 1024


def connect(port):
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.recv(512)
    return client


class Pulse(threading.Thread):
    """Asks again and again, and knows the longest time that an answer took."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.client = connect(port)
        self.longest = 0.0
        self.ends = False
        self.start()

    def run(self):
        while not self.ends:
            begun = time.perf_counter()
            self.client.send(b"NOOP\r\n")
            self.client.recv(512)
            self.longest = max(self.longest, time.perf_counter() - begun)
            time.sleep(0.0002)

    def stop(self):
        self.ends = True
        self.join()
        self.client.close()
        return 1000 * self.longest


def renew(folder):
    """As if each certificate had been written anew."""
    for path in (folder / "certificates").iterdir():
        os.utime(path)


def middle(values):
    return sorted(values)[len(values) // 2] if values else 0.0


class Thread:
    """The worker: of all threads the one that is busiest while NOOP is asked."""

    def __init__(self, pid, port):
        self.path = None
        paths = list(pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))
        before = {path: self.read(path) for path in paths}
        client = connect(port)
        for _ in range(500):
            client.send(b"NOOP\r\n")
            client.recv(512)
        client.close()
        self.path = max(paths, key=lambda path: self.read(path) - before[path])

    @staticmethod
    def read(path):
        return int(path.read_text().split()[0]) / 1e6

    def spent(self):
        """Milliseconds on a processor so far."""
        return self.read(self.path)


def change_hosts(folder, number):
    """Another last host: the list is another one."""
    path = folder / "hosts.conf"
    text = path.read_text().removesuffix(" );\n")
    text = text.split(",\n{ names = [ \"changed")[0]
    path.write_text(f'{text},\n{{ names = [ "changed-{number}.example" ]; backends = {{ pop3 = "pool-0"; }}; }} );\n')


def measure(proxy, options, folder):
    pid, port = proxy.pid, proxy.port("pop3")
    for _ in range(3):  # what is allocated once
        proxy.reload()
    worker = Thread(pid, port)
    begun, old, times, noops, spent = memory(pid), [], [], [], []
    for i in range(options.reloads):
        old.append(connect(port))
        if options.renew:
            renew(folder)
        if options.change:
            change_hosts(folder, i)
        pulse = Pulse(port) if i % 2 else None
        started, before = time.perf_counter(), worker.spent()
        proxy.reload()
        times.append(1000 * (time.perf_counter() - started))
        if pulse:
            noops.append(pulse.stop())
        else:
            spent.append(worker.spent() - before)
    grown = memory(pid) - begun
    ends = []
    for client in old:  # each the last of its generation
        before = worker.spent()
        client.close()
        time.sleep(0.05)
        ends.append(worker.spent() - before)
    left = memory(pid) - begun
    idle = Pulse(port)
    time.sleep(1)
    noise = idle.stop()
    print(f"a reload: {grown / options.reloads / 1024:.0f} KB, {middle(times):.0f} ms; of the worker's {middle(spent):.2f} ms "
          f"(at most {max(spent):.2f}), and {middle(ends):.2f} (at most {max(ends):.2f}) as an old generation ends; NOOP took "
          f"at most {middle(noops):.1f} ms (worst {max(noops, default=0):.1f}), without a reload {noise:.1f}; "
          f"{begun / 1048576:.1f} MB before, {left / 1048576:+.1f} MB after all old sessions", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pools", type=int, default=1, help="pools that verify their servers")
    parser.add_argument("--ca", default="", help="the pools' file of authorities; the system's")
    parser.add_argument("--hosts", type=int, default=0)
    parser.add_argument("--certificates", type=int, default=0)
    parser.add_argument("--renew", action="store_true", help="all certificates change before each reload")
    parser.add_argument("--change", action="store_true", help="a host changes before each reload")
    parser.add_argument("--reloads", type=int, default=30)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="deepproxy-"))
    try:
        certificates.make(folder)
        with Proxy(write_configuration(folder, options), options.program.resolve()) as proxy:
            measure(proxy, options, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
