# SPDX-License-Identifier: BSD-2-Clause
"""
Where the loader looks for the libraries of built programs: every element of their RUNPATH and RPATH must be an absolute
path. An empty or relative one stands for the folder in which the program is started, which may be anybody's.

    runpath.py PROGRAM...      prints what is wrong; exit status 0 if nothing is
"""

import os
import re
import subprocess
import sys

ENTRY = re.compile(r"\((RUNPATH|RPATH)\)\s+Library (?:runpath|rpath): \[(.*)\]$", re.MULTILINE)


def faults(dynamic):
    """Of a program, by what `readelf -d` prints of it."""
    if "Dynamic section" not in dynamic:
        return ["has no dynamic section"]
    return [f'{kind} "{path}" has the element "{element}"' for kind, path in ENTRY.findall(dynamic)
            for element in path.split(":") if not element.startswith("/")]


def main(*programs):
    wrong = []
    for program in programs:
        dynamic = subprocess.run(["readelf", "-dW", program], check=True, capture_output=True, text=True,
                                 env={**os.environ, "LC_ALL": "C"}).stdout
        wrong += [f"{program}: {fault}" for fault in faults(dynamic)]
    print("\n".join(wrong) or f"{len(programs)} programs load their libraries from absolute paths alone")
    return 1 if wrong or not programs else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
