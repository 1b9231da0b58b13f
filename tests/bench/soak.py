#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
As many short sessions as a machine makes in some minutes, through two workers, while most servers of the pool fail in
turn, one that serves stands still now and then, and the configuration is reloaded: not one session may fail. See README.md.
"""

import argparse
import asyncio
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import figures
import options
import proxy
import stage
import systems

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from bad_weather import MODES, BadWeather  # noqa: E402
from server_farm import Farm  # noqa: E402

FAILING = 6
AT_ONCE = 24
RELOAD_SECONDS, FREEZE_SECONDS, FROZEN_SECONDS = 2, 7, 1.5
FULL_AND_SESSION = ("full", "session")  # greeting and goodbye alone; a whole dialogue


def parse(arguments):
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seconds", metavar="N", type=int, default=120, help="how long in all (120)")
    parser.add_argument("--build", metavar="DIR", type=pathlib.Path, default=options.BUILD, help="where the project is built")
    parser.add_argument("--proxy", metavar="PATH", type=pathlib.Path, help="the deepproxy to try (DIR/deepproxy)")
    chosen = parser.parse_args(arguments)
    chosen.proxy = chosen.proxy or chosen.build / "deepproxy"
    return chosen


class Soaked(systems.Deepproxy):
    """The servers' addresses are in `serving` and `failing`; each turn has other weights and another order."""

    turn = reloads = 0

    def configure(self, directory, certificate, backend_port):
        self.path, self.certificate = directory / "deepproxy.conf", certificate
        self.write()
        return [self.program, "run", "-c", str(self.path)]

    def write(self):
        addresses = [*self.failing[:FAILING // 2], self.serving[0], *self.failing[FAILING // 2:], self.serving[1]]
        addresses = addresses[self.turn % len(addresses):] + addresses[:self.turn % len(addresses)]
        balance = ("round-robin", "least-connections", "source-hash")[self.turn // 4 % 3]
        servers = ", ".join(f'{{ address = "{address}"; weight = {1 + (self.turn + number) % 3}; }}'
                            for number, address in enumerate(addresses))
        self.path.write_text(f"""hostname = "mail.example.com"; workers = 2; {proxy.who_stays("")}
limits = {{ handshakes_per_address = 0; }};
tls = {{ certificates = ( {{ chain = "{self.certificate.chain}"; key = "{self.certificate.key}"; }} ); }};
services = ( {{ protocol = "imap"; listen = [ "127.0.0.1:{self.port}" ]; backend = "bench"; }} );
backends = ( {{ name = "bench"; identity = "none"; balance = "{balance}"; check = false; servers = ( {servers} ); }} );
""")

    def reload(self):
        self.turn += 1
        self.write()
        os.kill(self.pid, signal.SIGHUP)

    def log_counts(self):
        lines = [proxy.parse_line(line) for line in self.log.read_text(errors="replace").splitlines()]
        bad = [line for line in lines if line.get("event") == "session" and line.get("reason") != "logout"
               and line.get("reason") != "client-closed"]
        return (bad, sum(line.get("event") == "reload" and line.get("result") == "done" for line in lines),
                sum(line.get("event") == "server-state" for line in lines))


def trouble(system, serving, ended):
    """Reloads, and servers that stand still for a while; in a thread."""
    begun = time.monotonic()
    reloads = freezes = 0
    while not ended.wait(0.2):
        passed = time.monotonic() - begun
        if passed > (reloads + 1) * RELOAD_SECONDS:
            reloads += 1
            system.reload()
        if passed > (freezes + 1) * FREEZE_SECONDS:
            freezes += 1
            process = serving[freezes % 2]
            process.send_signal(signal.SIGSTOP)
            ended.wait(FROZEN_SECONDS)
            process.send_signal(signal.SIGCONT)


def soak(chosen, programs, cores, system, serving, farm):
    # Those of the farm never serve: the octets of sessions are those of the two others.
    modes = tuple(mode for mode in MODES if mode != "serve" and not mode.startswith("slow"))
    weather = BadWeather(farm, range(FAILING), modes=modes, calm="refuse")
    ended = threading.Event()
    threads = [threading.Thread(target=trouble, args=(system, serving, ended)),
               threading.Thread(target=lambda: asyncio.run(weather.run(chosen.seconds)))]
    for thread in threads:
        thread.start()
    counts = dict.fromkeys(FULL_AND_SESSION, 0)
    try:
        for mode in FULL_AND_SESSION:
            with figures.Load(programs.load, cores[1], system.port, mode, "--sessions", AT_ONCE, "--seconds", chosen.seconds / 2) as load:
                counts[mode] = load.work()["units"]
                load.end()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    return counts, weather


def main():
    chosen = parse(sys.argv[1:])
    stage.allow_many_files()
    programs = stage.programs(chosen.build)
    cores = stage.two_cores()
    with tempfile.TemporaryDirectory(prefix="deepproxy-soak-") as directory, contextlib.ExitStack() as stack:
        directory = pathlib.Path(directory)
        farm = Farm("imap", FAILING)
        stack.callback(farm.close)
        farm.set("all", "refuse")
        serving = [stack.enter_context(subprocess.Popen([programs.backend], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
                   for _ in range(2)]
        system = Soaked(chosen.proxy.resolve())
        system.serving = [f"127.0.0.1:{int(process.stdout.readline())}" for process in serving]
        system.failing = farm.addresses
        stack.callback(system.stop)
        system.start(directory, "%d,%d" % cores, stage.make_certificate(directory, "ecdsa"), None)
        counts, weather = soak(chosen, programs, cores, system, serving, farm)
        system.stop()
        bad, reloads, states = system.log_counts()
        for process in serving:
            process.stdin.close()
        print(f"{sum(counts.values())} sessions ({', '.join(f'{count} of {mode}' for mode, count in counts.items())}), "
              f"{weather.changes} changes of servers, {states} of their states, {reloads} reloads; {len(bad)} sessions failed")
        for line in bad[:10]:
            print(line)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
