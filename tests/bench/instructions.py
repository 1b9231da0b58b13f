# SPDX-License-Identifier: BSD-2-Clause
"""How many instructions a proxy takes for a turn, by `perf stat`. Most virtual machines can't count them."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import measure

EVENT = "instructions"
ATTACH_SECONDS = 0.3


def read(text):
    """The count in what `perf stat -x,` writes; None if there is none."""
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[2].startswith(EVENT) and fields[0].isdigit():
            return int(fields[0])
    return None


def command(output, *what):
    return ["perf", "stat", "-x,", "-e", EVENT, "-o", output, *what]


def are_counted():
    if shutil.which("perf") is None:
        return False
    with tempfile.NamedTemporaryFile() as output:
        done = subprocess.run(command(output.name, "true"), capture_output=True, check=False)
        return done.returncode == 0 and bool(read(pathlib.Path(output.name).read_text()))


def of_turn(contender, units):
    """For each unit, in all threads and processes of the proxy."""
    pids = ",".join(map(str, measure.process_tree(contender.system.pid)))
    with tempfile.NamedTemporaryFile() as output:
        counter = subprocess.Popen(command(output.name, "-p", pids), stdout=subprocess.DEVNULL)
        time.sleep(ATTACH_SECONDS)
        contender.turn(units)
        os.kill(counter.pid, signal.SIGINT)
        counter.wait()
        count = read(pathlib.Path(output.name).read_text())
    return None if count is None else count / units
