# SPDX-License-Identifier: BSD-2-Clause
"""What pairs of measurements tell: the median of their ratios, and how sure it is.

Nothing is assumed about how the noise is distributed: the interval of the median is that of the sign test. Half of
all ratios lie below the true median, so how many of n do is a matter of n throws of a coin."""

import dataclasses
import math
import statistics

CONFIDENCE = 0.95


def tail(throws, heads):
    """How likely it is that so many throws of a coin show at most so many heads."""
    return sum(math.comb(throws, k) for k in range(heads + 1)) / 2 ** throws


def median_interval(values, confidence=CONFIDENCE):
    """The narrowest pair of values, as far from one end as from the other, that holds the true median between them
    with at least this confidence. None if there are too few for it: six is the least for 95 %."""
    ordered = sorted(values)
    cut = 0
    while cut < len(ordered) // 2 and tail(len(ordered), cut) <= (1 - confidence) / 2:
        cut += 1
    return (ordered[cut - 1], ordered[-cut]) if cut > 0 else None


@dataclasses.dataclass(frozen=True)
class Change:
    """New costs by old ones, as a change: 0.01 is 1 % dearer."""

    pairs: int
    median: float
    interval: tuple | None  # of the median
    quartiles: tuple        # between them lies one half of the pairs

    @classmethod
    def of(cls, pairs):
        """`pairs`: (new cost, old cost)."""
        changes = [new / old - 1 for new, old in pairs]
        lower, _, upper = statistics.quantiles(changes, method="inclusive") if len(changes) > 1 else changes * 3
        return cls(len(changes), statistics.median(changes), median_interval(changes), (lower, upper))

    def is_worse(self, within):
        """Surely: the whole interval lies beyond."""
        return self.interval is not None and self.interval[0] > within

    def verdict(self, within):
        """In words. Without `within`, whether there is a difference at all; else whether it is small enough."""
        if self.interval is None:
            return "too few rounds"
        low, high = self.interval
        if self.is_worse(within or 0):
            return "worse"
        if within is None:
            return "better" if high < 0 else "no difference seen"
        return "within" if high <= within else "can't tell"
