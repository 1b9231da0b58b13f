# SPDX-License-Identifier: BSD-2-Clause
"""Lines and branches of protocols/ that a build with coverage counters has reached, and those that it has not.

    coverage.py BUILD
Each line that is not reached stands in coverage.md with the reason. Exit status 1 where one does not, where one that stands
there is reached, or where less than 95 % of the lines are.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
REASONS = ROOT / "tests/coverage.md"
ENOUGH = 95
ROW = re.compile(r"^\| `([^`]+)` \| `(.+?)` \| (.+) \|$", re.MULTILINE)


def measure(build):
    """By file: its lines as gcovr has them."""
    out = subprocess.run(["gcovr", "--root", ROOT, "--filter", f"{ROOT}/protocols/", "--json", "-", build], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    files = {}
    for file in json.loads(out)["files"]:
        files[file["file"]] = [line for line in file["lines"] if not line.get("gcovr/noncode")]
    return files


def count(lines):
    branches = [branch for line in lines for branch in line["branches"]]
    return collections.Counter(lines=len(lines), reached=sum(line["count"] > 0 for line in lines),
                               branches=len(branches), taken=sum(branch["count"] > 0 for branch in branches))


def share(part, whole):
    return 100 * part / whole if whole else 100


def print_row(name, c):
    print(f"{name:36}{c['reached']:6}/{c['lines']:<6}{share(c['reached'], c['lines']):6.1f} %"
          f"{c['taken']:8}/{c['branches']:<6}{share(c['taken'], c['branches']):6.1f} %")


def missed(files):
    """(file, number, text) of each line that was not reached."""
    for name, lines in files.items():
        source = (ROOT / name).read_text().splitlines()
        for line in lines:
            if line["count"] == 0:
                yield name, line["line_number"], source[line["line_number"] - 1].strip()


def print_missed(files):
    """With their reasons, a row for each; returns how many lines have no row, and how many rows no line."""
    reasons = collections.defaultdict(list)
    for file, text, reason in ROW.findall(REASONS.read_text()):
        reasons[file, text].append(reason)
    wrong = 0
    for name, number, text in missed(files):
        reason = reasons[name, text].pop() if reasons[name, text] else None
        wrong += reason is None
        print(f"{name}:{number}: {text}\n    {reason or 'no reason in tests/coverage.md'}")
    for (name, text), left in reasons.items():
        wrong += len(left)
        print(*[f"tests/coverage.md: {name}: reached, or gone: {text}"] * len(left), sep="\n", end="\n" * bool(left))
    return wrong


def main(build):
    files = measure(build)
    print(f"{'':36}{'lines':>13}{'':14}{'branches':>9}")
    total = collections.Counter()
    for name, lines in sorted(files.items()):
        c = count(lines)
        total += c
        print_row(name, c)
    print_row("all", total)
    wrong = print_missed(files)
    reached = share(total["reached"], total["lines"])
    if reached < ENOUGH:
        print(f"less than {ENOUGH} % of the lines are reached")
    return 1 if reached < ENOUGH or wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
