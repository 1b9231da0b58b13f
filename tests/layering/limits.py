# SPDX-License-Identifier: BSD-2-Clause
"""
Holds the section LIMITS of the manual page against the constants of the sources: each "NAME = NUMBER" must be what the
preprocessor and the compiler make of NAME.

    limits.py PAGE SOURCE...      prints what differs; exit status 0 where nothing does
"""

import ast
import operator
import pathlib
import re
import sys

ENTRY = re.compile(r"^\.It Li ([A-Z][A-Z0-9_]*) = (\d+)$", re.MULTILINE)
CONSTANT = re.compile(r"^\s*(?:enum \{ *)?([A-Z][A-Z0-9_]*) =\s*([^,;/}]+)", re.MULTILINE)
DEFINE = re.compile(r"^#define ([A-Z][A-Z0-9_]*) +(.+)$", re.MULTILINE)
KNOWN = {"INT32_MAX": 2**31 - 1}
OPERATORS = {ast.Add: operator.add, ast.Mult: operator.mul, ast.Sub: operator.sub}


def constants(texts):
    """By name, the expressions that enumerators and macros stand for."""
    found = {}
    for text in texts:
        for pattern in (CONSTANT, DEFINE):
            found.update((name, value.strip()) for name, value in pattern.findall(text))
    return found


def evaluate(expression, names):
    """Sums and products of numbers and other constants; no more is needed."""
    def value(node):
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return KNOWN[node.id] if node.id in KNOWN else evaluate(names[node.id], names)
        return OPERATORS[type(node.op)](value(node.left), value(node.right))
    return value(ast.parse(expression, mode="eval").body)


def differences(page, texts):
    section = re.search(r"^\.Sh LIMITS$(.*?)(?=^\.Sh |\Z)", page, re.MULTILINE | re.DOTALL)
    entries = ENTRY.findall(section[1]) if section else []
    if not entries:
        return ["the page has no limits"]
    names, wrong = constants(texts), []
    for name, number in entries:
        if name not in names:
            wrong.append(f"{name} is not in the sources")
        elif evaluate(names[name], names) != int(number):
            wrong.append(f"{name} is {evaluate(names[name], names)} in the sources and {number} in the page")
    return wrong


def main(page, *sources):
    wrong = differences(pathlib.Path(page).read_text(), [pathlib.Path(source).read_text() for source in sources])
    print("\n".join(wrong) or "the page's limits are those of the sources")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
