# SPDX-License-Identifier: BSD-2-Clause
"""
Holds deepproxy-log(5) against the sources: each event that the program logs, and each reason of a session's end
must be in the page, and the page must name no other.

    log_page.py PAGE SOURCE...      prints what differs; exit status 0 if nothing does
"""

import pathlib
import re
import sys

# The level, maybe chosen between two, then the event's name, which may be chosen as well.
LOGGED = re.compile(r"((?:CFG_LOG_[A-Z]+\s*:\s*)?CFG_LOG_[A-Z]+),\s*"
                    r"(?:[^\";(){}]*\?\s*\"([a-z-]+)\"\s*:\s*)?\"([a-z][a-z-]+)\"")
DIRECTLY = re.compile(r"log_line_begin\([^;]*?,\s*\"([a-z][a-z-]+)\"\);")
REASON = re.compile(r"\[END_[A-Z_]+\] = \"([a-z-]+)\"")
ENTRY = re.compile(r"(event|reason)=([a-z-]+)")
# Of a client that a limit has kept out: it has no line of its own.
WITHOUT_LINE = {"overload"}
# Values of step= in the event ticket-keys.
STEPS = {"exposed", "stale"}


def in_sources(texts):
    events, reasons = set(), set()
    for text in texts:
        for match in LOGGED.finditer(text):
            events.update(name for name in match.groups()[1:] if name)
        events.update(DIRECTLY.findall(text))
        reasons.update(REASON.findall(text))
    return events - STEPS, reasons - WITHOUT_LINE


def in_page(page):
    entries = [ENTRY.findall(line) for line in page.splitlines() if line.startswith(".It Li ")]
    named = {pair for entry in entries for pair in entry}
    return ({name for kind, name in named if kind == "event"}, {name for kind, name in named if kind == "reason"})


def differences(page, texts):
    wrong = []
    for kind, sources, named in zip(("event", "reason"), in_sources(texts), in_page(page)):
        if not sources:
            wrong.append(f"the sources have no {kind}")
        wrong += [f"{kind}={name} is not in the page" for name in sorted(sources - named)]
        wrong += [f"{kind}={name} is in the page, and no source has it" for name in sorted(named - sources)]
    return wrong


def main(page, *sources):
    wrong = differences(pathlib.Path(page).read_text(), [pathlib.Path(source).read_text() for source in sources])
    print("\n".join(wrong) or "the page has the events and reasons of the sources")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
