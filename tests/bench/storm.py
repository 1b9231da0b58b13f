#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a logged-in session feels of a storm of full handshakes: the time from when a NOOP is due to its answer. See README.md."""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import figures
import options
import stage
import systems

QUANTILES = ("p50", "p99", "p999")


def parse(arguments):
    parser = argparse.ArgumentParser(prog="storm", description=__doc__)
    parser.add_argument("--systems", metavar="LIST", default="deepproxy,haproxy,nginx", help="only these proxies")
    parser.add_argument("--repeat", metavar="N", type=int, default=5, help="repetitions, of which the median counts (5)")
    parser.add_argument("--seconds", metavar="N", type=int, default=3, help="length of one measurement (3)")
    parser.add_argument("--storm", metavar="N", type=int, default=256, help="handshakes at once (256)")
    parser.add_argument("--rsa", action="store_true", help="a certificate of RSA-2048 in place of P-256")
    parser.add_argument("--build", metavar="DIR", type=pathlib.Path, default=options.BUILD,
                        help="where the project is built")
    parser.add_argument("--proxy", metavar="PATH", type=pathlib.Path, help="the deepproxy to measure (DIR/deepproxy)")
    parser.add_argument("--beside", metavar="PATH", type=pathlib.Path, help="another deepproxy, measured in turn with it")
    chosen = parser.parse_args(arguments)
    chosen.proxy = chosen.proxy or chosen.build / "deepproxy"
    return chosen


def in_real_time(command):
    """The probe and what answers it are never kept waiting by the storm's own clients, where we may say so."""
    may = subprocess.run(["chrt", "-f", "2", "true"], capture_output=True, check=False).returncode == 0
    return ["chrt", "-f", "2", *command] if may else command


def chosen_systems(chosen):
    """By name, those that are there. The storm comes from one address."""
    found = {}
    for name in chosen.systems.split(","):
        found[name] = systems.PEERS[name]() if name in systems.PEERS else systems.Deepproxy(chosen.proxy.resolve())
        found[name].extra = "limits = { handshakes_per_address = 0; };"
    if chosen.beside:
        found["beside"] = systems.Deepproxy(chosen.beside.resolve())
        found["beside"].name = "beside"
    return {name: system for name, system in found.items() if system.available()}


def probe(program, core, port, seconds):
    """A deepproxy-latency that is ready."""
    command = systems.pinned(core, [str(program), "--port", str(port), "--seconds", str(seconds)])
    process = subprocess.Popen(in_real_time(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdout.readline().strip() != "ready":
        process.kill()
        raise figures.Trouble("the probe is not ready")
    return process


def hear(process):
    text, _ = process.communicate("\n")
    if process.returncode != 0:
        raise figures.Trouble("the probe has failed")
    return json.loads(text)


def measure(programs, core, system, chosen):
    """Latencies without and with the storm, and how many handshakes there were in a second of it."""
    quiet = hear(probe(programs.latency, core, system.port, chosen.seconds))
    process = probe(programs.latency, core, system.port, chosen.seconds)
    # It begins before the probe and ends behind it.
    with figures.Load(programs.load, core, system.port, "full", "--sessions", chosen.storm, "--seconds",
                      chosen.seconds + 1) as load:
        load.say()
        stormy = hear(process)
        result = load.check(json.loads(load.hear()))
        load.end()
    return quiet, stormy, result["units"] / result["seconds"]


def start(system, directory, core, certificate, backend_port):
    system.start(directory, core, certificate, backend_port)
    # As the probe: what others do on this core is no latency of the proxy's.
    subprocess.run(["chrt", "-a", "-f", "-p", "1", str(system.serving_pid())], capture_output=True, check=False)


def print_table(results):
    print(f"{'microseconds':24}" + "".join(f"{name:>9}" for name in QUANTILES) + f"{'handshakes/s':>15}")
    for name, taken in results.items():
        for kind, index in (("alone", 0), ("in a storm", 1)):
            cells = "".join(f"{statistics.median(one[index][key] for one in taken):9,.0f}" for key in QUANTILES)
            rate = f"{statistics.median(one[2] for one in taken):15,.0f}" if index else ""
            print(f"{name + ' ' + kind:24}{cells}{rate}")


def main():
    chosen = parse(sys.argv[1:])
    stage.allow_many_files()
    proxy_core, load_core = stage.two_cores()
    programs = stage.programs(chosen.build)
    programs.latency = chosen.build / "tests/bench/deepproxy-latency"
    if os.getloadavg()[0] > 0.5:
        stage.say("storm: the machine is busy: take the figures with care")
    results = {}
    with tempfile.TemporaryDirectory(prefix="deepproxy-storm-") as directory, contextlib.ExitStack() as stack:
        directory = pathlib.Path(directory)
        certificate = stage.make_certificate(directory, "rsa" if chosen.rsa else "ecdsa")
        port = stack.enter_context(stage.backend(programs.backend, load_core, in_real_time))
        for repetition in range(chosen.repeat):
            for name, system in chosen_systems(chosen).items():
                stack.callback(system.stop)
                start(system, directory, proxy_core, certificate, port)
                results.setdefault(name, []).append(measure(programs, load_core, system, chosen))
                system.stop()
                stage.say(f"  {repetition + 1} {name:10} {results[name][-1]}")
    print_table(results)


if __name__ == "__main__":
    main()
