# SPDX-License-Identifier: BSD-2-Clause
"""Adds up what a run of the tests came to, from ctest's JUnit files: every Check case and every unittest counts.

    totals.py part LOGS NAME STATUS                one line on one part, what failed in it and what was skipped
    totals.py all LOGS KIND NAME:STATUS...         which run it was; last of all: N passed, N failed[, N skipped]
    totals.py again LOGS NAME                      says whether what failed in a part may be tried once more: exit status
A part without a JUnit file is one case: its exit status. What ran no test has failed, and so has what was skipped for a
reason that is not allowed below. LOGS/NAME.second.xml is the second try of what failed: what passes there is counted as
passed, and is named.
"""

import dataclasses
import os
import pathlib
import re
import sys
import xml.etree.ElementTree

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)
UNITTEST = re.compile(r"^Ran (\d+) tests? in [\d.]+s\n\n(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$", re.MULTILINE)
# What no second try takes back: it comes from the program, and not from the time that a busy machine takes.
FINDING = re.compile(r"(?:Address|Leak|Thread|UndefinedBehavior)Sanitizer|: runtime error: |internal error: ")
# More than a few at once don't fail by chance.
MOST_AGAIN = 8
REASON = re.compile(r"\bskipped (['\"])(.*)\1$|^skipped: (.*)$", re.MULTILINE)


@dataclasses.dataclass
class Allowed:
    """Why a test may be skipped: in any part, or in those named; `whole`: even if that leaves none of the part."""
    reason: str
    parts: tuple = ()
    whole: bool = False


ALLOWED = [
    Allowed(r"this machine has no IPv6.*|no IPv6 here.*"),
    Allowed(r"this process may not have a network of its own.*"),
    Allowed(r"no name space for mounts.*"),
    Allowed(r"this machine has the user"),
    Allowed(r"Dovecot 2\.4\.1 loses the name .*", ("interop", "debian13")),
    # What is in front is the same for every version of the servers behind.
    Allowed(r"no balancers are installed here", ("debian13",)),
    # Postfix is not installed beside another mail server of the machine's own.
    Allowed(r"postfix is not installed .*"),
    Allowed(r"the shadow memory of a sanitizer has no end|a sanitizer's memory .*", ("asan", "tsan", "clang-asan")),
    Allowed(r"no Docker Engine answers, and a private one needs root|the kernel refuses new namespaces|"
            r"dockerd does not run here: .*|not installed: .*", ("docker",), whole=True),
]
# Debian's sudo runs the servers alone.
if os.geteuid() != 0:
    ALLOWED.append(Allowed(r"(needs|only) root.*"))


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
    """A suite without a case in it fails."""
    cases, failures, errors = map(int, match.groups())
    return Count(cases - failures - errors, failures + errors) if cases else Count(failed=1)


def of_unittest(match):
    """A file without a test in it fails; a class that is skipped as a whole counts as one, and as none that was run."""
    told = dict(item.split("=") for item in (match.group(2) or "").split(", ") if "=" in item)
    failed = sum(int(told.get(name, 0)) for name in ("failures", "errors", "unexpected successes"))
    skipped = int(told.get("skipped", 0))
    ran = int(match.group(1))
    if not ran and not failed and not skipped:
        return Count(failed=1)
    return Count(max(ran - failed - skipped, 0), failed, skipped)


def of_test(output, status):
    """The cases of one ctest test: as its own summaries tell; one if it has none, or died before it wrote one."""
    count = sum((of_check(match) for match in CHECK.finditer(output)), Count())
    count = sum((of_unittest(match) for match in UNITTEST.finditer(output)), count)
    if status == "run" and count == Count():
        return Count(passed=1)
    if status == "fail" and not count.failed:
        return count + Count(failed=1)
    return Count(skipped=1) if status in ("notrun", "disabled") else count


def reasons_of(output, count):
    """Why so many were skipped; an empty reason for each that tells none."""
    told = [match.group(2) or match.group(3) or "" for match in REASON.finditer(output)]
    return told + [""] * (count.skipped - len(told))


def allowed(part, reason):
    return next((row for row in ALLOWED if re.fullmatch(row.reason, reason) and (not row.parts or part in row.parts)), None)


@dataclasses.dataclass
class Part:
    count: Count
    failures: dict = dataclasses.field(default_factory=dict)  # by name: output
    skips: list = dataclasses.field(default_factory=list)  # (name, reason)
    second: list = dataclasses.field(default_factory=list)  # names of what passed at the second try alone

    def fail(self, name, why):
        self.count += Count(failed=1)
        self.failures[name] = self.failures.get(name, "") + why


def judge_skips(name, part):
    rows = [(test, reason, allowed(name, reason)) for test, reason in part.skips]
    for test, reason, row in rows:
        if row is None:
            part.fail(test, f"\nskipped, for a reason that is not allowed: {reason or '(none told)'}")
    if rows and not part.count.passed and not part.count.failed and not all(row.whole for _, _, row in rows):
        part.fail(name, "everything was skipped")


def cases_of(path):
    """What ctest wrote of each test, by its name; none if it wrote nothing."""
    if not path.exists():
        return {}
    return {case.get("name"): (case.findtext("system-out") or "", case.get("status"))
            for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase")}


def may_try_again(logs, name):
    failed = [output for output, status in cases_of(logs / f"{name}.xml").values() if of_test(output, status).failed]
    return 0 < len(failed) <= MOST_AGAIN and not any(FINDING.search(output) for output in failed)


def with_second_try(first, second):
    """What each test came to in the end; and the names of those that only passed at the second try."""
    passed = [test for test, (output, status) in second.items()
              if of_test(*first[test]).failed and not of_test(output, status).failed]
    return {**first, **second}, passed


def of_part(logs, name, status):
    path, log = logs / f"{name}.xml", logs / f"{name}.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    if not path.exists():
        return Part(Count(failed=1), {name: text}) if status else Part(Count(passed=1))
    second = cases_of(logs / f"{name}.second.xml") if may_try_again(logs, name) else {}
    part = Part(Count())
    cases, part.second = with_second_try(cases_of(path), second)
    for test, (output, ended) in cases.items():
        this = of_test(output, ended)
        part.count += this
        if this.failed:
            part.failures[test] = output
        if this.skipped:
            part.skips += [(test, reason) for reason in reasons_of(output, this)]
    judge_skips(name, part)
    if part.count == Count():
        part.fail(name, "no test was run")
    if status and not part.count.failed:
        part.fail(name, f"{text}\nended with status {status}")
    return part


def tell(name, part):
    for test, output in part.failures.items():
        print(f"-- {test} failed:", "\n".join(output.strip().splitlines()[-60:]), sep="\n")
    for test, reason in sorted(set(part.skips)):
        print(f"   skipped {part.skips.count((test, reason))} of {test}: {reason}")
    for test in part.second:
        print(f"!! passed at the second try: {test} (the first is in {name}.log; it is to be mended)")
    print(f"   {name}: {part.count}")


def main(command, folder, *arguments):
    logs = pathlib.Path(folder)
    if command == "part":
        tell(arguments[0], of_part(logs, arguments[0], int(arguments[1])))
        return 0
    if command == "again":
        return 0 if may_try_again(logs, arguments[0]) else 1
    parts = {name: of_part(logs, name, int(status)) for name, status in (argument.split(":") for argument in arguments[1:])}
    total = sum((part.count for part in parts.values()), Count())
    print(f"{arguments[0]} run of", *parts)
    for name, part in parts.items():
        for test in part.second:
            print(f"!! passed at the second try: {test} of {name}")
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
