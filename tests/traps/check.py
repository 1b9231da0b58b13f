# SPDX-License-Identifier: BSD-2-Clause
"""
Holds the tables tests/traps.md and tests/draft.md against the tests that they name.

A row is a list item, what stands below it says how it is met:

    - 5.3 MUST: servers advertise a DEEP status
      - does: DEEP in capabilities, CAPA and EHLO
      - `transcripts/pop3/capa.txt: an empty DEEP status is announced too`
      - `unit/protocols/test_deep_status.c: status`
      - `integration/test_sessions.py: Sessions.test_deep_is_announced`

or "not ours: REASON" or "open: REASON", or tests for a part and "open" for the rest. A row that begins with a section
of the draft needs a "does" beside its tests.

    check.py FOLDER TABLE...      FOLDER: what the names of the files begin at; prints what is wrong, and the open rows
"""

import ast
import functools
import pathlib
import re
import sys

RULE = re.compile(r"[0-9.]+( [A-Z ]+)?:")
TEST = re.compile(r"`(?P<file>[^`:]+): (?P<name>[^`]+)`")
WORDS = ("does", "not ours", "open")


class Row:
    def __init__(self, number, title):
        self.number, self.title = number, title
        self.tests, self.unknown = [], []
        self.words = {}

    def take(self, text):
        word, colon, rest = text.partition(":")
        if test := TEST.fullmatch(text):
            self.tests.append((test["file"], test["name"]))
        elif word in WORDS and colon and rest.strip() and word not in self.words:
            self.words[word] = rest.strip()
        else:
            self.unknown.append(text)


def items(text):
    """The items of the lists as (line number, depth, text), continued lines joined; the rest is for people."""
    found, open_item = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if item := re.fullmatch(r"( *)- (.*)", line):
            found.append([number, len(item[1]) // 2, item[2]])
            open_item = True
        elif open_item and line.startswith("  "):
            found[-1][2] += " " + line.strip()
        else:
            open_item = False
    return found


def rows(text):
    found = []
    for number, depth, item in items(text):
        if depth == 0:
            found.append(Row(number, item))
        elif found:
            found[-1].take(item)
    return found


def methods(source):
    """CLASS.NAME of each test method, as unittest finds them."""
    return {f"{group.name}.{test.name}" for group in ast.parse(source).body if isinstance(group, ast.ClassDef)
            for test in group.body if isinstance(test, ast.FunctionDef) and test.name.startswith("test")}


def check_tests(source):
    """Those that are in a test case: one that is only written is not run."""
    return {name for name in re.findall(r"^START_TEST\((\w+)\)", source, re.MULTILINE)
            if re.search(rf"tcase_add_\w+\(\s*\w+,\s*{name}\b", source)}


@functools.cache
def tests_of(path):
    """The names of a file's tests; None where there is no such file."""
    if not path.is_file():
        return None
    source = path.read_text()
    if path.suffix == ".txt":
        return set(re.findall(r"^== (.*)$", source, re.MULTILINE))
    return methods(source) if path.suffix == ".py" else check_tests(source)


def problems_of(row, folder):
    for text in row.unknown:
        yield f"neither a test nor {', '.join(WORDS)}: {text}"
    if not row.tests and not {"not ours", "open"} & row.words.keys():
        yield "has no test, and no reason for it"
    if row.tests and "not ours" in row.words:
        yield "has tests, and is not ours"
    if RULE.match(row.title) and row.tests and "does" not in row.words:
        yield "does not say what the program does"
    for file, name in row.tests:
        known = tests_of(folder / file)
        if known is None:
            yield f"no such file: {file}"
        elif name not in known:
            yield f"no such test in {file}: {name}"


def check(folder, table):
    """Prints; true where nothing is wrong."""
    good = True
    found = rows(table.read_text())
    for row in found:
        for problem in problems_of(row, folder):
            print(f"{table}:{row.number}: {row.title}: {problem}")
            good = False
    if not found:
        print(f"{table}: no rows")
    unmet = [row for row in found if "open" in row.words]
    for row in unmet:
        print(f"{table.name}:{row.number}: open: {row.title}: {row.words['open']}")
    print(f"{table.name}: {len(found)} rows, {sum(len(row.tests) for row in found)} tests named, {len(unmet)} rows open")
    return good and bool(found)


def main(folder, *tables):
    results = [check(pathlib.Path(folder), pathlib.Path(table)) for table in tables]
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
