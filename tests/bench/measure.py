# SPDX-License-Identifier: BSD-2-Clause
"""What processes cost, as /proc tells it: CPU time in nanoseconds and memory as PSS."""

import pathlib
import time

QUIET_READINGS = 3
QUIET_STEP_SECONDS = 0.004  # no thread that works goes so long without a count: the scheduler's tick
QUIET_AT_MOST_SECONDS = 2


class Vanished(Exception):
    """A thread that was measured has ended, and its CPU time is lost."""


def process_tree(pid):
    """The process and all that it has started, and those in turn."""
    tree = [pid]
    for parent in tree:
        for children in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
            tree += [int(child) for child in children.read_text().split()]
    return tree


def cpu_time(pid):
    """Nanoseconds on a CPU so far, for each thread of the tree. schedstat counts them exactly; utime and stime of
    /proc/PID/stat come in ticks."""
    times = {}
    for process in process_tree(pid):
        for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
            times[thread.name] = int((thread / "schedstat").read_text().split()[0])
    return times


def cpu_seconds_between(before, after):
    if before.keys() - after.keys():
        raise Vanished("a thread of the proxy has ended during the measurement")
    return sum(time - before.get(thread, 0) for thread, time in after.items()) / 1e9


def cpu_time_when_quiet(pid):
    """As soon as readings in a row are the same: what was still to do is done, and all of it is counted."""
    deadline = time.monotonic() + QUIET_AT_MOST_SECONDS
    times, same = cpu_time(pid), 0
    while same < QUIET_READINGS and time.monotonic() < deadline:
        time.sleep(QUIET_STEP_SECONDS)
        again = cpu_time(pid)
        same = same + 1 if again == times else 0
        times = again
    return times


def pss_kib(pid, part="Pss"):
    """Proportional set size: what is shared with other processes counts by its share. Or a part of it: Pss_Anon
    leaves out files, whose share depends on which other programs use the same libraries."""
    total = 0
    for process in process_tree(pid):
        for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{part}:"):
                total += int(line.split()[1])
    return total
