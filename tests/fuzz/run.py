# SPDX-License-Identifier: BSD-2-Clause
"""Runs fuzz targets, two at a time at most, each for so many minutes of CPU, and says what came of it.

    run.py TARGETS FINDS [NAME...] [--minutes N]
TARGETS is the folder of the built fuzz_NAME and their corpus/NAME. What is new goes to FINDS/NAME and is where the next
run begins; what breaks something goes to FINDS/NAME-broken. A target that breaks ends there: the rest can wait until
that is mended. Exit status 1 where something broke.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ENGINES = ("imap", "pop3", "submission")
# Longer inputs teach little and take long; the transcripts are run whole elsewhere.
LONGEST = {True: 4096, False: 2048}
SECONDS_A_RUN = 20
TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Result:
    name: str
    inputs: int
    kept: int
    edges: int
    minutes: float
    broken: list
    status: int
    log: pathlib.Path


def cpu_seconds(pid):
    """What a process has used; the last of it is not known once it has ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(fields[11]) + int(fields[12])) / TICKS


def command(options, name, finds, broken):
    folders = [finds, options.targets / "corpus" / name]
    folders += [folder for kind in ("seeds", "regressions") if (folder := HERE / kind / name).is_dir()]
    return [options.targets / f"fuzz_{name}", f"-dict={HERE / 'dictionaries' / name}.dict",
            f"-artifact_prefix={broken}/", f"-max_len={LONGEST[name in ENGINES]}", f"-timeout={SECONDS_A_RUN}",
            "-print_final_stats=1", "-reload=0", *folders]


def wait(process, seconds):
    """Until it ends, or has had its share of the CPU; then SIGUSR1, on which libFuzzer sums up and goes."""
    used = 0
    while process.poll() is None:
        used = max(used, cpu_seconds(process.pid))
        if used >= seconds:
            process.send_signal(signal.SIGUSR1)
            seconds = float("inf")
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            pass
    return used


def last(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def fuzz(options, name):
    finds, broken = options.finds / name, options.finds / f"{name}-broken"
    finds.mkdir(parents=True, exist_ok=True)
    broken.mkdir(exist_ok=True)
    before = set(broken.iterdir())
    log = options.finds / f"{name}.log"
    with open(log, "wb") as to:
        process = subprocess.Popen(command(options, name, finds, broken), stdin=subprocess.DEVNULL, stdout=to,
                                   stderr=subprocess.STDOUT)
        try:
            used = wait(process, options.minutes * 60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    text = log.read_text(errors="replace")
    return Result(name, last(r"number_of_executed_units: *(\d+)", text) or last(r"(?m)^#(\d+)", text),
                  sum(1 for _ in finds.iterdir()), last(r" cov: (\d+)", text), used / 60,
                  sorted(set(broken.iterdir()) - before), process.returncode, log)


def report(options, results):
    print(f"{'target':14}{'inputs':>12}{'kept':>8}{'edges':>8}{'CPU-min':>9}{'findings':>10}")
    for r in results:
        print(f"{r.name:14}{r.inputs:12}{r.kept:8}{r.edges:8}{r.minutes:9.1f}{len(r.broken) or (r.status != 0):>10}")
    for r in results:
        if not r.broken and r.status != 0:
            print(f"\n{r.name} ended with status {r.status}: {r.log}")
        for path in r.broken:
            what = re.findall(r"^(broken: .*|SUMMARY: .*)$", r.log.read_text(errors="replace"), re.MULTILINE)
            print(f"\n{r.name}: {what[0] if what else 'broken'}")
            print(f"  replay: {options.targets}/fuzz_{r.name} {path}")
            print(f"  keep:   install -D -t tests/fuzz/regressions/{r.name} {path}")
        if r.inputs == 0:
            print(f"\n{r.name} has run no input: {r.log}")
    return any(r.broken or r.status != 0 or r.inputs == 0 for r in results)


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz")
    parser.add_argument("targets", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("finds", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("names", metavar="NAME", nargs="*")
    parser.add_argument("--minutes", type=float, default=5, help="of CPU for each target (5)")
    options = parser.parse_intermixed_args()
    there = sorted(path.name[5:] for path in options.targets.glob("fuzz_*") if path.is_file())
    if not there:
        parser.error(f"no targets in {options.targets}")
    wrong = [name for name in options.names if name not in there]
    if wrong:
        parser.error(f"no such target: {' '.join(wrong)} (they are: {' '.join(there)})")
    options.finds.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        results = list(pool.map(lambda name: fuzz(options, name), options.names or there))
    return report(options, results)


if __name__ == "__main__":
    sys.exit(main())
