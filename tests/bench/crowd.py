#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A crowd of idle IMAP sessions: what it costs, what it feels of reloads, and how it ends. See README.md."""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import signal
import statistics
import sys
import tempfile
import time
import types

import figures
import measure
import options
import stage
import storm
import systems

MARGIN = 400  # descriptors that the proxy needs besides those of sessions
OPENING_SECONDS = 120
RELOAD_SECONDS = 60
END_SECONDS = 120
STEP_SECONDS = 0.001
RELOADED = b"event=reload of=configuration"


class Crowded(systems.Deepproxy):
    """One address has all the sessions, and they end as soon as the program is told to."""

    extra = "limits = { handshakes_per_address = 0; }; timeouts = { shutdown = 0; };"

    def wait_until_it_listens(self):
        """Not by a connection, which would be a session more."""
        return wait_for(lambda: b" event=ready " in self.log.read_bytes() or self.process.poll() is not None,
                        systems.START_SECONDS) and self.process.poll() is None


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(STEP_SECONDS)
    return False


def parse(arguments):
    parser = argparse.ArgumentParser(prog="crowd", description=__doc__)
    parser.add_argument("--sessions", metavar="N", type=int, default=10000, help="at most, as files may be open (10000)")
    parser.add_argument("--reloads", metavar="N", type=int, default=5, help="of the configuration, by SIGHUP (5)")
    parser.add_argument("--seconds", metavar="N", type=int, default=5, help="of NOOPs at rest, and while it reloads (5)")
    parser.add_argument("--build", metavar="DIR", type=pathlib.Path, default=options.BUILD,
                        help="where the project is built")
    parser.add_argument("--proxy", metavar="PATH", type=pathlib.Path, help="the deepproxy to measure (DIR/deepproxy)")
    chosen = parser.parse_args(arguments)
    chosen.proxy = chosen.proxy or chosen.build / "deepproxy"
    return chosen


def how_many(wanted):
    """Sessions; each has two descriptors in the proxy."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = (soft - MARGIN) // 2
    if possible < wanted:
        stage.say(f"crowd: {possible:,} sessions in place of {wanted:,}: no more than {soft:,} files may be open here")
    return min(wanted, possible)


def memory(system):
    time.sleep(figures.SETTLE_IDLE_SECONDS)
    return measure.pss_kib(system.pid)


def reload(system):
    """Seconds until it is in effect."""
    count = system.log.read_bytes().count(RELOADED) + 1
    begun = time.monotonic()
    os.kill(system.pid, signal.SIGHUP)
    if not wait_for(lambda: system.log.read_bytes().count(RELOADED) >= count, RELOAD_SECONDS):
        raise figures.Trouble("the reload does not end")
    return time.monotonic() - begun


def say_goodbye(system, load):
    """Seconds until each session has ended, and until the program has; and what became of them."""
    load.say()
    begun = time.monotonic()
    system.process.terminate()
    told = json.loads(load.hear())
    all_told = time.monotonic() - begun
    status = system.process.wait(END_SECONDS)
    log = system.log.read_bytes()
    return types.SimpleNamespace(told=all_told, ended=time.monotonic() - begun, status=status, goodbyes=told["units"],
                                 unclean=told["unclean"], errors=told["errors"], trouble=told["trouble"],
                                 lines=log.count(b" event=session "), dropped=log.count(b" event=log-lines-dropped "))


def probe_while(programs, core, system, seconds, work):
    """How long NOOPs of other sessions take while something is done, and what came of that."""
    process = storm.probe(programs.latency, core, system.port, seconds)
    with contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        process.stdin.write("\n")
        process.stdin.flush()
        done = work()
        text, _ = process.communicate()
        stack.pop_all()
    if process.returncode != 0:
        raise figures.Trouble("the probe has failed")
    return json.loads(text), done


def take(programs, core, system, count, chosen):
    with figures.Load(programs.load, core, system.port, "idle", "--sessions", figures.WARM_UP_SESSIONS) as load:
        load.work()
        load.end()
    before = memory(system)
    with figures.Load(programs.load, core, system.port, "crowd", "--sessions", count, "--seconds",
                      OPENING_SECONDS) as load:
        opened = load.work()
        if opened["units"] != count:
            raise figures.Trouble(f"of {count} sessions only {opened['units']} came to IDLE")
        held = memory(system)
        rest, _ = probe_while(programs, core, system, chosen.seconds, lambda: None)

        def reloads():
            pause = chosen.seconds / (chosen.reloads + 1)
            return [reload(system) for _ in range(chosen.reloads) if not time.sleep(pause)]
        busy, times = probe_while(programs, core, system, chosen.seconds, reloads)
        after = memory(system)
        end = say_goodbye(system, load)
    return types.SimpleNamespace(opening=opened["seconds"], before=before, held=held, after=after, rest=rest, busy=busy,
                                 times=times, end=end)


def print_figures(count, taken):
    end = taken.end
    kib = (taken.held - taken.before) / count
    rows = [("idle sessions", f"{count:,}, opened in {taken.opening:.1f} s"),
            ("memory of each", f"{kib:.2f} KiB of PSS"),
            (f"after {len(taken.times)} reloads", f"{(taken.after - taken.held) / 1024:+.1f} MiB in all"),
            ("a reload is in effect after", f"{statistics.median(taken.times) * 1000:,.0f} ms, "
             f"at most {max(taken.times) * 1000:,.0f} ms")]
    for name, probe in (("NOOP at rest", taken.rest), ("NOOP while it reloads", taken.busy)):
        rows.append((name, f"{probe['p50']:,.0f} µs, 99 of 100 within {probe['p99']:,.0f} µs, "
                     f"at most {probe['max'] / 1000:,.1f} ms"))
    rows += [("SIGTERM: all sessions told after", f"{end.told:.2f} s"),
             ("the program has ended after", f"{end.ended:.2f} s, with status {end.status}"),
             ("with BYE, and without close_notify", f"{end.goodbyes:,}, and {end.unclean:,}"),
             ("sessions in its log", f"{end.lines:,}" + f", and {end.dropped} times lines were dropped" * (end.dropped > 0))]
    for name, value in rows:
        print(f"{name:36}{value}")


def main():
    chosen = parse(sys.argv[1:])
    stage.allow_many_files()
    count = how_many(chosen.sessions)
    proxy_core, load_core = stage.two_cores()
    programs = stage.programs(chosen.build)
    programs.latency = chosen.build / "tests/bench/deepproxy-latency"
    system = Crowded(chosen.proxy.resolve())
    with tempfile.TemporaryDirectory(prefix="deepproxy-crowd-") as directory, contextlib.ExitStack() as stack:
        directory = pathlib.Path(directory)
        port = stack.enter_context(stage.backend(programs.backend, load_core))
        stack.callback(system.stop)
        system.start(directory, proxy_core, stage.make_certificate(directory, "ecdsa"), port)
        taken = take(programs, load_core, system, count, chosen)
    print_figures(count, taken)
    end = taken.end
    if end.status or end.errors or end.unclean or end.goodbyes != count:
        sys.exit(f"crowd: the end was not in order: {end.errors} errors, the first: {end.trouble or 'none'}")


if __name__ == "__main__":
    main()
