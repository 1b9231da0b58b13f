# SPDX-License-Identifier: BSD-2-Clause
"""Adds up what a run of the tests came to, from ctest's JUnit files: every Check case and every unittest counts.

    totals.py part LOGS NAME STATUS        one line on one part, and what failed in it
    totals.py all LOGS NAME:STATUS...      the last line of all: N passed, N failed[, N skipped]
A part without a JUnit file is one case: its exit status.
"""

import dataclasses
import pathlib
import re
import sys
import xml.etree.ElementTree

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)
UNITTEST = re.compile(r"^Ran (\d+) tests? in [\d.]+s\n\n(?:OK|FAILED)(?: \((.*)\))?$", re.MULTILINE)


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed" + f", {self.skipped} skipped" * bool(self.skipped)


def of_check(match):
    cases, failures, errors = map(int, match.groups())
    return Count(cases - failures - errors, failures + errors)


def of_unittest(match):
    told = dict(item.split("=") for item in (match.group(2) or "").split(", ") if "=" in item)
    failed = sum(int(told.get(name, 0)) for name in ("failures", "errors", "unexpected successes"))
    skipped = int(told.get("skipped", 0))
    return Count(max(int(match.group(1)) - failed - skipped, 0), failed, skipped)


def of_test(output, status):
    """The cases of one ctest test: as its own summaries tell; one where it has none, or died before it wrote one."""
    count = sum((of_check(match) for match in CHECK.finditer(output)), Count())
    count = sum((of_unittest(match) for match in UNITTEST.finditer(output)), count)
    if status == "run" and count == Count():
        return Count(passed=1)
    if status == "fail" and not count.failed:
        return count + Count(failed=1)
    return Count(skipped=1) if status in ("notrun", "disabled") else count


def of_part(logs, name, status):
    """The count of a part, and what failed in it with its output."""
    path = logs / f"{name}.xml"
    if not path.exists():
        log = logs / f"{name}.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return (Count(failed=1), {name: text}) if status else (Count(passed=1), {})
    count, failures = Count(), {}
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        output = case.findtext("system-out") or ""
        this = of_test(output, case.get("status"))
        count += this
        if this.failed:
            failures[case.get("name")] = output
    if status and not count.failed:
        return count + Count(failed=1), {name: f"ctest ended with status {status}"}
    return count, failures


def main(command, folder, *arguments):
    logs = pathlib.Path(folder)
    if command == "part":
        count, failures = of_part(logs, arguments[0], int(arguments[1]))
        for name, output in failures.items():
            print(f"-- {name} failed:", "\n".join(output.strip().splitlines()[-60:]), sep="\n")
        print(f"   {arguments[0]}: {count}")
        return 0
    parts = (argument.split(":") for argument in arguments)
    total = sum((of_part(logs, name, int(status))[0] for name, status in parts), Count())
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
