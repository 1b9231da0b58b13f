# SPDX-License-Identifier: BSD-2-Clause
"""How far a part is, by its log, and how long the rest takes."""

import unittest

from progress import State, left, state_of, times_of

BUILDING = "-- Configuring done\n[1/448] Building C object a.o\n[12/448] Building C object b.o\n"
TESTING = BUILDING + "Test project /x\n      Start 82: a\n 1/18 Test #83: b ....   Passed   17.10 sec\n"


class Progress(unittest.TestCase):
    def test_state(self):
        for log, text in (("", "begins"), ("-- Configuring done\n", "begins"), (BUILDING, "built 12 of 448"),
                          (TESTING, "tested 1 of 18"), (TESTING + "18/18 Test  #1: c ..   Passed\n", "tested 18 of 18"),
                          (TESTING + "[2/9] Building\n", "built 2 of 9"), (BUILDING + "[448/448] x\n", "tests have begun")):
            with self.subTest(log=log):
                self.assertEqual(str(state_of(log)), text)

    def test_times_are_those_of_the_last_run_of_the_kind(self):
        text = "standard unit 100\nfull unit 900\nstandard unit 80\nstandard asan\n"
        self.assertEqual(times_of(text, "standard"), {"unit": 80})
        self.assertEqual(times_of(text, "full"), {"unit": 900})

    def test_what_is_left(self):
        times = {"unit": 100, "asan": 200}
        for state, seconds, part, later, known, text in (
                (State("tested", 5, 10), 40, "unit", ["asan"], times, ", 4 min left of the run"),
                (State("tested", 5, 10), 40, "unit", ["tsan"], times, ", 1 min left"),
                (State("built", 5, 10), 300, "unit", [], times, ", less than a minute left of the run"),
                (State("tested", 2, 10), 60, "unit", [], {}, ", 4 min left"), (State("built", 5, 10), 60, "unit", [], {}, ""),
                (State(), 1, "unit", [], {}, ""), (State("tested", 0, 10), 9, "unit", [], {}, "")):
            with self.subTest(state=state, part=part, later=later):
                self.assertEqual(left(state, seconds, seconds, part, later, known), text)


if __name__ == "__main__":
    unittest.main()
