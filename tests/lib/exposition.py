# SPDX-License-Identifier: BSD-2-Clause
"""
A strict reader of the Prometheus text exposition format, version 0.0.4: what a scraper would take, and what the
conventions of its naming ask for besides.
"""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"# HELP ({NAME}) (.+)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram|summary)")
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (-?\d+(?:\.\d+)?)")
PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
ESCAPE = re.compile(r"\\(.)")


class FormatError(Exception):
    """What a scraper would not take."""


def read_labels(text):
    labels, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match or (match[3] == "," and match.end() == len(text)):
            raise FormatError(f"not a list of labels: {text!r}")
        labels.append((match[1], ESCAPE.sub(lambda escape: {"n": "\n"}.get(escape[1], escape[1]), match[2])))
        at = match.end()
    if len(dict(labels)) != len(labels):
        raise FormatError(f"a label twice: {text!r}")
    return tuple(sorted(labels))


def check_name(name, kind):
    if (kind == "counter") != name.endswith("_total"):
        raise FormatError(f"the counters alone end in _total: {name} is a {kind}")
    if kind in PARTS and not name.endswith("_seconds"):
        raise FormatError(f"{name} is a {kind}, and does not name its unit")
    if "timestamp" in name and not name.endswith("_seconds"):
        raise FormatError(f"{name} does not name its unit")


def check_histogram(name, samples):
    """Its classes grow, and the last one has all."""
    bounds = {}
    for (sample, labels), value in samples.items():
        if sample == name + "_bucket":
            rest = tuple(pair for pair in labels if pair[0] != "le")
            bounds.setdefault(rest, []).append((float(dict(labels)["le"]), value))
    for labels, classes in bounds.items():
        if classes != sorted(classes) or [value for _, value in classes] != sorted(value for _, value in classes):
            raise FormatError(f"classes of {name}{labels} do not grow: {classes}")
        if classes[-1] != (float("inf"), samples[name + "_count", labels]) or (name + "_sum", labels) not in samples:
            raise FormatError(f"{name}{labels} does not add up")


def parse(octets):
    """The samples, by (name, sorted pairs of labels)."""
    text = octets.decode("utf-8")
    if not text.endswith("\n"):
        raise FormatError("the last line does not end")
    samples, families, family, kind, helped = {}, set(), None, None, None
    histograms = []
    for line in text[:-1].split("\n"):
        if match := HELP.fullmatch(line):
            if match[1] in families:
                raise FormatError(f"the family {match[1]} comes twice")
            helped = match[1]
        elif match := TYPE.fullmatch(line):
            if match[1] != helped:
                raise FormatError(f"no HELP before {line!r}")
            family, kind = match[1], match[2]
            families.add(family)
            check_name(family, kind)
            if kind == "histogram":
                histograms.append(family)
        elif match := SAMPLE.fullmatch(line):
            key = match[1], read_labels(match[2] or "")
            names = [family + part for part in PARTS.get(kind, [""])] if family else []
            if match[1] not in names or helped != family or key in samples:
                raise FormatError(f"outside of its family, or twice: {line!r}")
            samples[key] = float(match[3]) if "." in match[3] else int(match[3])
        else:
            raise FormatError(f"not understood: {line!r}")
    for family in histograms:
        check_histogram(family, samples)
    return samples
