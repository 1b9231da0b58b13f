# SPDX-License-Identifier: BSD-2-Clause
"""The figures of the benchmark and how each is taken from a running proxy."""

import dataclasses
import json
import subprocess
import time

import measure
import systems

CIPHER = "TLS_AES_128_GCM_SHA256"
HELD_SESSIONS = 2000
MESSAGE_OCTETS = 16 << 20  # of download and upload
WARM_UP_SESSIONS = 8
SETTLE_SECONDS = 0.2  # for the last connections to be taken down, before a clock is read
SETTLE_IDLE_SECONDS = 1
PATIENCE_SECONDS = 120


class Trouble(Exception):
    """A measurement that is worth nothing; the message says why."""


@dataclasses.dataclass(frozen=True)
class Figure:
    name: str
    mode: str  # of deepproxy-load
    title: str
    unit: str
    higher_is_better: bool
    format: str
    cost: tuple = ("", 0)  # with --against: its unit, and how many of it are a CPU-nanosecond a unit of work (or KiB)
    connections: int = 0   # at once, by default
    repeat_at_most: int = 1000


EACH = ("CPU-µs each", 1e-3)
PER_GB = ("CPU-seconds per GB", 1 / MESSAGE_OCTETS)
FIGURES = [
    Figure("full", "full", "full handshakes", "per CPU-second", True, "{:,.0f}", EACH, 32),
    Figure("resumed", "resumed", "resumed handshakes", "per CPU-second", True, "{:,.0f}", EACH, 32),
    Figure("session", "session", "whole IMAP sessions", "per CPU-second", True, "{:,.0f}", EACH, 32),
    Figure("noop", "noop", "NOOP round trips", "per CPU-second", True, "{:,.0f}", EACH, 32),
    Figure("download", "download", "download", "CPU-seconds per GB", False, "{:.3f}", PER_GB, 4),
    Figure("upload", "upload", "upload", "CPU-seconds per GB", False, "{:.3f}", PER_GB, 4),
    Figure("idle", "idle", f"memory, {HELD_SESSIONS:,} idle sessions", "KiB of PSS per session", False, "{:.2f}",
           ("KiB per session", 1), repeat_at_most=3),
]


class Load:
    """A run of deepproxy-load, which waits for a word before it works and another before it ends."""

    def __init__(self, program, core, port, mode, *options):
        command = [program, "--port", str(port), *map(str, options), mode]
        self.process = subprocess.Popen(systems.pinned(core, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.hear() != "ready":
            raise Trouble("the load generator is not ready")
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def hear(self):
        line = self.process.stdout.readline().strip()
        if not line:
            self.process.kill()
            raise Trouble(self.process.stderr.read().strip() or "the load generator has ended")
        return line

    def say(self, word=""):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def work(self, units=""):
        """So many units, as often as it is asked to; once those of its options without a number."""
        self.say(units)
        return self.check(json.loads(self.hear()))

    def end(self):
        """How the sessions that were left have ended."""
        self.say()
        result = self.check(json.loads(self.hear()))
        if self.process.wait() != 0:
            raise Trouble(self.process.stderr.read().strip() or f"exit status {self.process.returncode}")
        return result

    @staticmethod
    def check(result):
        if result["errors"]:
            raise Trouble(f"{result['errors']} errors, the first: {result['trouble']}")
        if result["cipher"] not in ("", CIPHER):
            raise Trouble(f"{result['cipher']} was negotiated, not {CIPHER}")
        return result


def value_of(figure, result, cpu_seconds):
    if figure.higher_is_better:
        return result["units"] / cpu_seconds
    return cpu_seconds / (result["octets"] / 1e9)


def take_cpu(figure, system, load_program, core, seconds):
    """CPU time for each unit of work. Returns the value and what else is worth keeping."""
    with Load(load_program, core, system.port, figure.mode, "--seconds", seconds) as load:
        before = measure.cpu_time(system.pid)
        result = load.work()
        time.sleep(SETTLE_SECONDS)
        cpu = measure.cpu_seconds_between(before, measure.cpu_time(system.pid))
        load.end()
    if result["units"] == 0 or cpu == 0:
        raise Trouble("nothing was done")
    return value_of(figure, result, cpu), {"cpu_seconds": cpu, "seconds": result["seconds"],
                                           "units": result["units"], "octets": result["octets"],
                                           "without_close_notify": result["unclean"]}


def take_idle(system, load_program, core, part="Pss"):
    """PSS, or a part of it, for each session after LOGIN, SELECT and IDLE, in a process that has served a few before:
    code that has to be there once is not counted."""
    with Load(load_program, core, system.port, "idle", "--sessions", WARM_UP_SESSIONS) as load:
        load.work()
        load.end()
    time.sleep(SETTLE_SECONDS)
    before = measure.pss_kib(system.pid, part)
    options = ("--sessions", HELD_SESSIONS, "--seconds", PATIENCE_SECONDS)
    with Load(load_program, core, system.port, "idle", *options) as load:
        result = load.work()
        time.sleep(SETTLE_IDLE_SECONDS)
        held = measure.pss_kib(system.pid, part)
        if result["units"] != HELD_SESSIONS or load.end()["units"] != HELD_SESSIONS:
            raise Trouble(f"of {HELD_SESSIONS} sessions only {result['units']} came to IDLE")
    return (held - before) / HELD_SESSIONS, {"before_kib": before, "held_kib": held}
