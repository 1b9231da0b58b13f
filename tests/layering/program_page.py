# SPDX-License-Identifier: BSD-2-Clause
"""
Holds deepproxy(8) against the sources: each command that main.c has in its table, but for what the parent alone may
start, must be in the page, and the page must have no other; likewise each signal that the parent takes.

    program_page.py PAGE MAIN PARENT-SOURCE...      prints what differs; exit status 0 if nothing does
"""

import pathlib
import re
import sys

COMMAND = re.compile(r'^    \{"([a-z-]+)", (?:[a-z_]+_command|NULL), [A-Z_]+\},$', re.MULTILINE)
TAKEN = re.compile(r"\bSIG(?:TERM|INT|HUP|QUIT|USR[12])\b")
INNER = {"serve"}


def in_page(page):
    """Commands and signals that it describes. A command with dashes in front is an option to the page."""
    commands = set(re.findall(r"^\.It Cm ([a-z-]+)", page, re.MULTILINE))
    commands |= {"-" + option for option in re.findall(r"^\.Fl (-?[a-z]+)", page, re.MULTILINE)}
    signals = {name for line in re.findall(r"^\.It Dv (.*)", page, re.MULTILINE) for name in TAKEN.findall(line)}
    return commands, signals


def differences(page, main, parent):
    sources = set(COMMAND.findall(main)) - INNER, {name for text in parent for name in TAKEN.findall(text)}
    wrong = []
    for kind, has, named in zip(("command", "signal"), sources, in_page(page)):
        if not has:
            wrong.append(f"the sources have no {kind}")
        wrong += [f"{kind} {name} is not in the page" for name in sorted(has - named)]
        wrong += [f"{kind} {name} is in the page, and no source has it" for name in sorted(named - has)]
    return wrong


def main(page, program, *parent):
    texts = [pathlib.Path(path).read_text() for path in (page, program, *parent)]
    wrong = differences(*texts[:2], texts[2:])
    print("\n".join(wrong) or "the page has the commands and signals of the sources")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
