#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark: deepproxy beside HAProxy and nginx, in CPU time and memory for each unit of work. See README.md."""

import contextlib
import json
import os
import pathlib
import platform
import signal
import statistics
import sys
import tempfile
import time

import against
import figures
import measure
import options
import profiler
import systems
from stage import allow_many_files, backend, cores_for, cpu_model, make_certificate, programs, say

WARM_UP_SECONDS = 1


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
        self.proxy_core, self.load_core = cores_for(chosen.workers)
        self.programs = programs(chosen.build)
        self.certificate = make_certificate(directory, chosen.key)
        self.backend_port = stack.enter_context(backend(self.programs.backend, self.load_core))
        self.systems = choose_systems(chosen)
        for system in self.systems:
            system.workers = chosen.workers
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
    chosen = options.parse(__doc__, sys.argv[1:])
    allow_many_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="deepproxy-bench-") as directory, contextlib.ExitStack() as stack:
        try:
            compare = against.run if chosen.against else run
            return compare(chosen, pathlib.Path(directory), stack)
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
