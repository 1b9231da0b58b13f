# SPDX-License-Identifier: BSD-2-Clause
"""Holds each line of C to 110 columns, comments too, which clang-format leaves as they are.

    columns.py ROOT ALLOWANCE
ALLOWANCE has lines `FOLDER COUNT`: so many longer lines a folder may still have, with what is below it. The numbers may
only shrink, and a folder that has fewer lines is named, so that its number follows. Without the file, or a row for a
folder, none is allowed.
"""

import collections
import pathlib
import sys

import each

COLUMNS = 110


def allowance(path):
    if not path.exists():
        return {}
    rows = (line.split() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return {folder: int(count) for folder, count in rows}


def folder_of(name, allowed):
    """The row that a file counts for: the longest that it lies below; else the file's own folder."""
    parents = [str(parent) for parent in pathlib.PurePath(name).parents]
    return next((parent for parent in parents if parent in allowed), parents[0])


def check(root, allowed):
    """What is wrong, and what the allowance could say by now, as lines of text."""
    longer = collections.defaultdict(list)
    for path in each.files(root, [".c", ".h"]):
        name = str(path.relative_to(root))
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if len(line) > COLUMNS:
                longer[folder_of(name, allowed)].append(f"{name}:{number}: {len(line)} columns")
    wrong, notes = [], []
    for folder in sorted(longer.keys() | allowed.keys()):
        count, most = len(longer[folder]), allowed.get(folder, 0)
        if count > most:
            wrong += [*longer[folder], f"{folder}: {count} lines of more than {COLUMNS} columns, {most} allowed"]
        elif count < most or count == 0:
            notes.append(f"{folder}: {count} lines of more than {COLUMNS} columns; {most} need not be allowed any more")
    return wrong, notes


def main(root, file):
    wrong, notes = check(pathlib.Path(root), allowance(pathlib.Path(file)))
    print("\n".join(wrong + notes))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
