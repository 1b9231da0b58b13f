# SPDX-License-Identifier: BSD-2-Clause
"""Tells how far a part of `./dev test` is, by its log, now and then, until it is ended or whoever started it is gone.

    progress.py LOGS KIND PART [LATER-PART...]
LOGS/PART.log has the lines of ninja, `[3/448] ...`, and of ctest, `3/93 Test ...`. LOGS/times has what parts took before,
`KIND PART SECONDS`; without a row for this part, what is done of its tests tells how long the rest will take. What would
say nothing new is not said.
"""

import dataclasses
import os
import pathlib
import re
import sys
import time

SECONDS_AT_A_TERMINAL, SECONDS_IN_A_LOG = 15, 30
LOOK_SECONDS = 1
BUILT = re.compile(r"^\[(\d+)/(\d+)\] ", re.MULTILINE)
TESTED = re.compile(r"^ *(\d+)/(\d+) Test +#", re.MULTILINE)


@dataclasses.dataclass
class State:
    what: str = "begins"
    done: int = 0
    all: int = 0

    def __str__(self):
        """Once all is built nothing counts before the first test has ended."""
        if self.what == "built" and self.done == self.all:
            return "tests have begun"
        return f"{self.what} {self.done} of {self.all}" if self.all else self.what


def state_of(log):
    """What the last line that counts something has counted."""
    last = max((match for pattern in (BUILT, TESTED) for match in pattern.finditer(log)), key=lambda match: match.start(),
               default=None)
    if last is None:
        return State()
    return State("built" if last.re is BUILT else "tested", int(last[1]), int(last[2]))


def times_of(text, kind):
    """Seconds by part, of the last run of this kind."""
    rows = (line.split() for line in text.splitlines())
    return {row[1]: int(row[2]) for row in rows if len(row) == 3 and row[0] == kind}


def minutes(seconds):
    return "less than a minute" if seconds < 60 else f"{round(seconds / 60)} min"


def left(state, seconds, in_state, part, later, times):
    """The end of a line: how long it will take; empty if nothing tells. `in_state`: seconds since it began to count."""
    if part in times and all(name in times for name in later):
        return f", {minutes(max(times[part] - seconds, 0) + sum(times[name] for name in later))} left of the run"
    if part in times:
        return f", {minutes(max(times[part] - seconds, 0))} left"
    if state.what == "tested" and 0 < state.done < state.all:
        return f", {minutes(in_state * (state.all - state.done) / state.done)} left"
    return ""


def read(path):
    return path.read_text(errors="replace") if path.exists() else ""


def main(logs, kind, part, *later):
    logs = pathlib.Path(logs)
    times = times_of(read(logs / "times"), kind)
    every = SECONDS_AT_A_TERMINAL if sys.stdout.isatty() else SECONDS_IN_A_LOG
    parent, began = os.getppid(), time.monotonic()
    told, counts_since, what, line = began, began, None, None
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
        now = time.monotonic()
        state = state_of(read(logs / f"{part}.log"))
        if state.what != what:
            what, counts_since = state.what, now
        if now - told >= every:
            told, before = now, line
            line = (f"   {part}: {state}, {minutes(now - began)} so far"
                    f"{left(state, now - began, now - counts_since, part, later, times)}")
            if line != before:
                print(line, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
