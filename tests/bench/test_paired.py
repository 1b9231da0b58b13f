#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The statistics of the benchmark, against tables and worked examples."""

import random
import statistics
import unittest

from paired import Change, median_interval, tail


class Interval(unittest.TestCase):
    def test_tail_of_coins(self):
        self.assertEqual(tail(3, 0), 1 / 8)
        self.assertEqual(tail(3, 1), 4 / 8)
        self.assertEqual(tail(3, 3), 1)

    def test_ranks_of_the_tables(self):
        """Ranks of the 95 % interval of a median, as the sign test's tables have them."""
        for count, lower in ((6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (40, 14), (100, 40)):
            values = list(range(1, count + 1))
            random.Random(count).shuffle(values)
            with self.subTest(count=count):
                self.assertEqual(median_interval(values), (lower, count + 1 - lower))

    def test_too_few(self):
        for count in range(6):
            self.assertIsNone(median_interval([1.0] * count))

    def test_less_confidence_is_narrower(self):
        self.assertEqual(median_interval(range(1, 21), 0.5), (8, 13))

    def test_it_holds_the_median_as_often_as_it_promises(self):
        chance = random.Random(1)
        held = 0
        for _ in range(2000):
            low, high = median_interval([chance.lognormvariate(0, 0.3) for _ in range(20)])
            held += low <= 1 <= high
        self.assertTrue(0.94 < held / 2000 < 0.98, held)  # 0.9586 by the binomial


class Changes(unittest.TestCase):
    def test_median_of_ratios_is_no_ratio_of_medians(self):
        pairs = [(9.0, 3.0), (8.0, 8.0), (1.0, 2.0)]
        self.assertEqual(Change.of(pairs).median, 0.0)
        self.assertNotEqual(statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs), 1.0)

    def test_quartiles(self):
        change = Change.of([(1 + part / 100, 1) for part in (0, 1, 2, 3, 4)])
        self.assertAlmostEqual(change.quartiles[0], 0.01)
        self.assertAlmostEqual(change.quartiles[1], 0.03)
        self.assertEqual(Change.of([(2, 1)]).quartiles, (1, 1))

    def test_one_wild_pair_moves_nothing(self):
        change = Change.of([(1.01, 1)] * 40 + [(50, 1)])
        self.assertAlmostEqual(change.median, 0.01)
        self.assertAlmostEqual(change.interval[1], 0.01)

    def test_drift_cancels_out(self):
        pairs = [(1.02 * speed, speed) for speed in range(100, 200)]
        self.assertAlmostEqual(Change.of(pairs).median, 0.02)


def around(centre, spread):
    """Twenty pairs, with changes evenly over centre - spread to centre + spread."""
    return Change.of([(1 + centre + spread * (step / 9.5 - 1), 1) for step in range(20)])


class Verdicts(unittest.TestCase):
    def check(self, change, within, verdict):
        self.assertEqual(change.verdict(within), verdict)
        self.assertEqual(change.is_worse(within or 0), verdict == "worse")

    def test_within(self):
        self.check(around(0.00, 0.01), 0.02, "within")
        self.check(around(-0.10, 0.01), 0.02, "within")
        self.check(around(0.04, 0.01), 0.02, "worse")
        self.check(around(0.02, 0.01), 0.02, "can't tell")
        self.check(around(0.00, 0.10), 0.02, "can't tell")

    def test_any_difference(self):
        self.check(around(0.00, 0.01), None, "no difference seen")
        self.check(around(0.04, 0.01), None, "worse")
        self.check(around(-0.04, 0.01), None, "better")

    def test_too_few(self):
        self.check(Change.of([(9, 1)] * 5), 0.02, "too few rounds")


if __name__ == "__main__":
    unittest.main()
