# SPDX-License-Identifier: BSD-2-Clause
"""
Holds deepproxy-log(5) against the sources: each event that the program logs, each field of its lines, and each reason of a
session's end must be in the page, and the page must name no other. An event has the levels that the sources give it, if these
are words in the source and no variable.

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
LEVEL = re.compile(r"CFG_LOG_([A-Z]+)")
FIELD = re.compile(r'log_line_add(?:_text|_number|_seconds)?\([^;]*?,\s*"([a-z_]+)"'
                   r'|CFG_LOG_[A-Z]+,\s*"[a-z-]+",\s*"([a-z_]+)"')
WORD = re.compile(r'"([a-z_]+)"')
ENTRY = re.compile(r"(event|reason)=([a-z-]+)")
# Of a client that a limit has kept out: it has no line of its own.
WITHOUT_LINE = {"overload", "refused"}
# Values of step= in the event ticket-keys.
STEPS = {"exposed", "stale"}
# In format strings of log_line_begin.
INVENTED = {"time", "level", "event", "key"}


def in_sources(texts):
    events, reasons = set(), set()
    for text in texts:
        for match in LOGGED.finditer(text):
            events.update(name for name in match.groups()[1:] if name)
        events.update(DIRECTLY.findall(text))
        reasons.update(REASON.findall(text))
    return events - STEPS, reasons - WITHOUT_LINE


def levels_in_sources(texts):
    """By event; of two events between which one condition chooses, each has the level at its own place."""
    levels = {}
    for match in (match for text in texts for match in LOGGED.finditer(text)):
        told = [level.lower() for level in LEVEL.findall(match[1])]
        names = [name for name in match.groups()[1:] if name]
        for name, own in zip(names, zip(told) if len(told) == len(names) == 2 else [told] * len(names)):
            levels.setdefault(name, set()).update(own)
    return {name: found for name, found in levels.items() if name not in STEPS}


def levels_in_page(page):
    told = {}
    for line in page.splitlines():
        if line.startswith(".It Li event="):
            for name, words in re.findall(r"event=([a-z-]+)(?: No \(([a-z ,]+)\))?", line):
                told[name] = set(re.findall(r"[a-z]+", words)) - {"or"}
    return told


def wrong_levels(page, texts):
    sources, told = levels_in_sources(texts), levels_in_page(page)
    wrong = [f"event={name} has no level in the page" for name, words in sorted(told.items()) if not words]
    return wrong + [f"event={name} has the level {' or '.join(sorted(found))}" for name, found in sorted(sources.items())
                    if told.get(name) and told[name] != found]


def wrong_fields(page, texts):
    named = {word for line in page.splitlines() if re.search(r"(^\.| )Ql ", line) for word in re.findall(r"\b[a-z_]+\b", line[3:])}
    quoted = {word for line in page.splitlines() for word in re.findall(r"(?:^\.| )Ql ([a-z_]+)\b(?!=)", line)}
    has = {word for text in texts for pair in FIELD.findall(text) for word in pair if word}
    anywhere = {word for text in texts for word in WORD.findall(text)} | INVENTED
    return ([f"the field {word} is not in the page" for word in sorted(has - named)]
            + [f"the field {word} is in the page, and no source has it" for word in sorted(quoted - anywhere)])


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
    return wrong + wrong_levels(page, texts) + wrong_fields(page, texts)


def main(page, *sources):
    wrong = differences(pathlib.Path(page).read_text(), [pathlib.Path(source).read_text() for source in sources])
    print("\n".join(wrong) or "the page has the events and reasons of the sources")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
