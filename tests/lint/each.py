# SPDX-License-Identifier: BSD-2-Clause
"""Runs a tool over the project's files of some kinds; fails if the tool fails for any of them, or if there are none.

    each.py [--at-once N] [--compiled BUILD] ENDING-OR-NAME... -- TOOL [ARGUMENT...]
The files are those below the working directory, without build folders and hidden ones, save those that a name with a
slash gives. `--compiled`: those alone that BUILD's compile_commands.json has, since the tool needs their options.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

FILES_A_RUN = 8


def files(root, kinds):
    """The files below a folder whose name ends with one of the kinds (".c"), is one (Makefile), or whose path is (.ci/run)."""
    found = [pathlib.Path(kind) for kind in kinds if "/" in kind]
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name != "build" and not name.startswith((".", "__")))
        found += [pathlib.Path(folder, name) for name in sorted(names)
                  if any(name.endswith(kind) if kind.startswith(".") else name == kind for kind in kinds)]
    return found


def compiled(build):
    entries = json.loads((build / "compile_commands.json").read_text())
    return {pathlib.Path(entry["directory"], entry["file"]).resolve() for entry in entries}


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.returncode, done.stdout


def main(arguments):
    split = arguments.index("--")
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--compiled", type=pathlib.Path)
    parser.add_argument("kinds", nargs="+")
    options, tool = parser.parse_args(arguments[:split]), arguments[split + 1:]
    chosen = files(".", options.kinds)
    if options.compiled:
        known = compiled(options.compiled)
        chosen = [path for path in chosen if path.resolve() in known]
    if not chosen:
        print("no files of", *options.kinds)
        return 1
    size = FILES_A_RUN if options.at_once > 1 else len(chosen)
    batches = [chosen[first:first + size] for first in range(0, len(chosen), size)]
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        results = list(pool.map(run, ([*tool, *map(str, batch)] for batch in batches)))
    for status, output in results:
        print(output if status else "", end="")
    print(f"{len(chosen)} files")
    return 1 if any(status for status, _ in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
