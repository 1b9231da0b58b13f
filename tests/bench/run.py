#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark: deepproxy beside HAProxy and nginx, in CPU time and memory for each unit of work. See README.md."""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import types

import figures
import measure
import profiler
import systems

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build" / "release"
WARM_UP_SECONDS = 1


def say(text):
    print(text, file=sys.stderr, flush=True)


def options(arguments):
    known = [figure.name for figure in figures.FIGURES]
    parser = argparse.ArgumentParser(prog="bench", description=__doc__,
                                     epilog="Figures: " + ", ".join(known) + ". Takes about six minutes.")
    parser.add_argument("--quick", action="store_true", help="one short repetition: to see that all works")
    parser.add_argument("--only", metavar="FIGURE[,..]", default=",".join(known), help="only these figures")
    parser.add_argument("--systems", metavar="LIST", default="deepproxy,haproxy,nginx", help="only these proxies")
    parser.add_argument("--key", choices=["ecdsa", "rsa"], default="ecdsa",
                        help="the certificate's: ECDSA P-256 (the default), or RSA with 2048 bits")
    parser.add_argument("--repeat", metavar="N", type=int, help="repetitions, of which the median counts (9)")
    parser.add_argument("--seconds", metavar="N", type=int, default=1, help="length of one measurement (1)")
    parser.add_argument("--build", metavar="DIR", type=pathlib.Path, default=BUILD,
                        help="where the project is built (build/release)")
    parser.add_argument("--proxy", metavar="PATH", type=pathlib.Path, help="the deepproxy to measure (DIR/deepproxy)")
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="where results go (DIR/bench.json)")
    parser.add_argument("--profile", metavar="DIR", type=pathlib.Path,
                        help="no figures: where the proxies' CPU time goes, by perf, into DIR")
    chosen = parser.parse_args(arguments)
    if chosen.repeat is None:
        chosen.repeat = 1 if chosen.quick else 9
    chosen.proxy = chosen.proxy or chosen.build / "deepproxy"
    chosen.json = chosen.json or chosen.build / "bench.json"
    chosen.only = chosen.only.split(",")
    chosen.systems = chosen.systems.split(",")
    for what, names, allowed in (("figure", chosen.only, known),
                                 ("system", chosen.systems, [*systems.OURS, *systems.PEERS])):
        for name in names:
            if name not in allowed:
                parser.error(f"there is no {what} {name}: choose from {', '.join(allowed)}")
    if chosen.repeat < 1 or chosen.seconds < 1:
        parser.error("--repeat and --seconds want a number of 1 or more")
    return chosen


def two_cores():
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("bench: two cores are needed, one for the proxy and one for its load; there is one")
    return cores[0], cores[1]


def programs(build):
    found = types.SimpleNamespace(load=build / "tests/bench/deepproxy-load",
                                  backend=build / "tests/bench/deepproxy-bench-backend")
    for program in (found.load, found.backend):
        if not program.exists():
            sys.exit(f"bench: {program} is not built: cmake --preset release && cmake --build --preset release")
    return found


def allow_many_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_certificate(directory, key):
    """One for all."""
    kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ecdsa" else ["rsa:2048"]
    certificate = types.SimpleNamespace(chain=directory / "cert.pem", key=directory / "key.pem",
                                        both=directory / "both.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-keyout",
                    certificate.key, "-out", certificate.chain, "-days", "7", "-subj",
                    "/CN=mail.example.com", "-addext", "subjectAltName=DNS:mail.example.com"],
                   check=True, stderr=subprocess.DEVNULL)
    certificate.both.write_text(certificate.chain.read_text() + certificate.key.read_text())
    return certificate


@contextlib.contextmanager
def backend(program, core, prefixed=list):
    """`prefixed`: makes another command of the one that starts it."""
    process = subprocess.Popen(prefixed(systems.pinned(core, [program])), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def choose_systems(chosen):
    """Those asked for that are there; the others are said to be missing."""
    found = []
    for name in chosen.systems:
        system = systems.OURS[name](chosen.proxy.resolve()) if name in systems.OURS else systems.PEERS[name]()
        if system.available():
            found.append(system)
        else:
            need = f"install {' and '.join(system.packages)}" if system.packages else f"{chosen.proxy} is not there"
            say(f"bench: without {name}: {need}")
    return found


class Bench:
    """One run: what all measurements share, and their results."""

    def __init__(self, chosen, directory, stack):
        self.chosen = chosen
        self.stack = stack
        self.directory = directory
        self.proxy_core, self.load_core = two_cores()
        self.programs = programs(chosen.build)
        self.certificate = make_certificate(directory, chosen.key)
        self.backend_port = stack.enter_context(backend(self.programs.backend, self.load_core))
        self.systems = choose_systems(chosen)
        self.values = {}   # (figure, system) -> values, one a repetition
        self.details = {}  # the same -> what else was measured
        self.troubles = {} # the same -> why it is not valid

    def start(self, system):
        system.start(self.directory, self.proxy_core, self.certificate, self.backend_port)

    def start_all(self):
        """Those that don't start are left out."""
        for system in list(self.systems):
            self.stack.callback(system.stop)
            try:
                self.start(system)
                warm_up = figures.Load(self.programs.load, self.load_core, system.port, "session", "--seconds",
                                       WARM_UP_SECONDS)
                with warm_up as load:
                    load.work()
            except (systems.Unavailable, figures.Trouble) as trouble:
                say(f"bench: without {system.name}: {trouble}; log: {system.last_words()}")
                system.stop()
                self.systems.remove(system)

    def take(self, figure, system):
        """One measurement."""
        key = (figure.name, system.name)
        try:
            if figure.mode == "idle":
                system.stop()
                self.start(system)
                value, detail = figures.take_idle(system, self.programs.load, self.load_core)
            else:
                value, detail = figures.take_cpu(figure, system, self.programs.load, self.load_core,
                                                 self.chosen.seconds)
        except (figures.Trouble, measure.Vanished, systems.Unavailable, FileNotFoundError) as trouble:
            self.troubles[key] = str(trouble)
            say(f"  {figure.name:9} {system.name:10} not valid: {trouble}")
            if not system.alive():
                say(f"bench: {system.name} has ended: {system.last_words()}")
                self.start(system)
            return
        self.values.setdefault(key, []).append(value)
        self.details.setdefault(key, []).append(detail)
        say(f"  {figure.name:9} {system.name:10} {figure.format.format(value)} {figure.unit}")

    def measure_all(self):
        """Repetitions alternate between the systems, and turn their order round: the speed of a machine drifts."""
        for figure in figures.FIGURES:
            if figure.name not in self.chosen.only:
                continue
            for repetition in range(min(self.chosen.repeat, figure.repeat_at_most)):
                for system in self.systems if repetition % 2 == 0 else reversed(self.systems):
                    self.take(figure, system)

    def profile_all(self):
        for figure in figures.FIGURES:
            if figure.name in self.chosen.only and figure.mode != "idle":
                for system in self.systems:
                    path = profiler.take(figure, system, self.programs.load, self.load_core, self.chosen)
                    say(f"  {figure.name:9} {system.name:10} {path}")

    def median(self, figure, name):
        """None where it was not measured, or is not valid."""
        key = (figure.name, name)
        return None if key in self.troubles or key not in self.values else statistics.median(self.values[key])


def comparison(bench, figure):
    """deepproxy's value by that of the peer it compares worst with, and whether it is ahead; None where there is
    nothing to compare. Repetition by repetition, then the median: what drifts from one to the next cancels out."""
    ratios = []
    for system in bench.systems:
        key = (figure.name, system.name)
        if system.is_peer and bench.median(figure, system.name) is not None:
            pairs = zip(bench.values.get((figure.name, "deepproxy"), []), bench.values[key])
            ratios.append(statistics.median(ours / theirs for ours, theirs in pairs))
    if bench.median(figure, "deepproxy") is None or not ratios:
        return None
    ratio = min(ratios) if figure.higher_is_better else max(ratios)
    return ratio, ratio > 1 if figure.higher_is_better else ratio < 1


def print_table(bench):
    names = [system.name for system in bench.systems]
    rows = [["", "", *names, "deepproxy by the better peer"]]
    for figure in figures.FIGURES:
        if figure.name not in bench.chosen.only:
            continue
        values = [bench.median(figure, name) for name in names]
        compared = comparison(bench, figure)
        verdict = f"{compared[0]:.2f}  {'ahead' if compared[1] else 'behind'}" if compared else "-"
        rows.append([figure.title, figure.unit,
                     *("not valid" if value is None else figure.format.format(value) for value in values), verdict])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) if column < 2 else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())
    for (figure, name), trouble in bench.troubles.items():
        print(f"not valid: {figure} of {name}: {trouble}")


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def as_json(bench, load_before):
    results = []
    for figure in figures.FIGURES:
        for system in bench.systems:
            key = (figure.name, system.name)
            if key in bench.values or key in bench.troubles:
                results.append({"figure": figure.name, "system": system.name, "unit": figure.unit,
                                "higher_is_better": figure.higher_is_better,
                                "median": bench.median(figure, system.name), "values": bench.values.get(key, []),
                                "details": bench.details.get(key, []), "trouble": bench.troubles.get(key)})
    return {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cpu": cpu_model(),
            "kernel": platform.release(),
            "congestion_control": pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
            "load_average_before": load_before, "cipher": figures.CIPHER,
            "key": bench.chosen.key, "seconds": bench.chosen.seconds, "repeat": bench.chosen.repeat,
            "versions": {system.name: system.version() for system in bench.systems}, "results": results,
            "deepproxy_by_better_peer": {figure.name: compared[0] for figure in figures.FIGURES
                                         if (compared := comparison(bench, figure))}}


def run(chosen, directory, stack):
    load_before = os.getloadavg()
    if load_before[0] > 0.5:
        say(f"bench: the machine is busy (load {load_before[0]:.2f}): take the figures with care")
    bench = Bench(chosen, directory, stack)
    bench.start_all()
    if not bench.systems:
        say("bench: nothing to measure")
        return 1
    if chosen.profile:
        bench.profile_all()
        return 0
    bench.measure_all()
    print_table(bench)
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(as_json(bench, load_before), indent=2) + "\n")
    say(f"bench: all values are in {chosen.json}")
    return 1 if bench.troubles or len(bench.systems) < len(chosen.systems) else 0


def main():
    chosen = options(sys.argv[1:])
    allow_many_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="deepproxy-bench-") as directory, contextlib.ExitStack() as stack:
        try:
            return run(chosen, pathlib.Path(directory), stack)
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
