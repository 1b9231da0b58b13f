# SPDX-License-Identifier: BSD-2-Clause
"""Where a proxy's CPU time goes while it works for one figure, by Linux' perf."""

import os
import shutil
import signal
import subprocess
import sys
import time

import figures
import measure

FREQUENCY = "1999"  # samples a second; odd, so as not to beat with a timer
START_SECONDS = 0.5


def take(figure, system, load_program, core, chosen):
    """Leaves FIGURE-SYSTEM.data for perf, and FIGURE-SYSTEM.txt to read, of which it returns the path."""
    perf = shutil.which("perf") or sys.exit("bench: --profile needs perf: install linux-perf")
    chosen.profile.mkdir(parents=True, exist_ok=True)
    data = chosen.profile / f"{figure.name}-{system.name}.data"
    with figures.Load(load_program, core, system.port, figure.mode, "--seconds", chosen.seconds) as load:
        pids = ",".join(map(str, measure.process_tree(system.pid)))
        # cpu-clock: virtual machines have no counters of cycles.
        recorder = subprocess.Popen([perf, "record", "-q", "-e", "cpu-clock", "-F", FREQUENCY, "-g", "-p", pids,
                                     "-o", data], stdin=subprocess.DEVNULL)
        time.sleep(START_SECONDS)
        load.work()
        os.kill(recorder.pid, signal.SIGINT)
        recorder.wait()
    report = data.with_suffix(".txt")
    with open(report, "wb") as text:
        for sort in ("comm,tid", "dso", "dso,symbol"):
            subprocess.run([perf, "report", "-i", data, "--stdio", "--no-children", "-g", "none", "--percent-limit",
                            "0.4", "-s", sort], stdout=text, stderr=subprocess.DEVNULL, check=False)
    return report
