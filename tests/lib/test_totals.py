# SPDX-License-Identifier: BSD-2-Clause
"""What totals.py makes of the outputs that it meets."""

import pathlib
import tempfile
import unittest

import totals
from totals import Count, of_part, of_test

CHECK = "Running suite(s): x\n66%: Checks: 3, Failures: 1, Errors: 0\nx.c:1:F:y:z:0: said\n"
UNITTEST = "Ran 5 tests in 1.234s\n\nFAILED (failures=1, errors=1, skipped=2)\n"


class Totals(unittest.TestCase):
    def test_outputs(self):
        for output, status, count in (
                (CHECK, "fail", Count(2, 1)), ("100%: Checks: 7, Failures: 0, Errors: 0\n", "run", Count(7)),
                (UNITTEST, "fail", Count(1, 2, 2)), ("Ran 1 test in 0.1s\n\nOK\n", "run", Count(1)),
                ("Ran 2 tests in 0.1s\n\nOK (skipped=2)\n", "run", Count(0, 0, 2)), ("", "run", Count(1)),
                ("Segmentation fault\n", "fail", Count(0, 1)), ("", "notrun", Count(0, 0, 1)),
                ("100%: Checks: 7, Failures: 0, Errors: 0\nLeakSanitizer: leaks\n", "fail", Count(7, 1))):
            with self.subTest(output=output, status=status):
                self.assertEqual(of_test(output, status), count)

    def test_part(self):
        with tempfile.TemporaryDirectory() as folder:
            logs = pathlib.Path(folder)
            (logs / "broken.log").write_text("x.c:1: error: no\n")
            self.assertEqual(of_part(logs, "broken", 1), (Count(0, 1), {"broken": "x.c:1: error: no\n"}))
            self.assertEqual(of_part(logs, "lint", 0)[0], Count(1))
            (logs / "unit.xml").write_text('<testsuite><testcase name="a" status="run"><system-out>' + CHECK.replace(
                "Failures: 1", "Failures: 0") + '</system-out></testcase><testcase name="b" status="fail"/></testsuite>')
            self.assertEqual(of_part(logs, "unit", 8)[0], Count(3, 1))

    def test_exit_status(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(totals.main("all", folder, "lint:0"), 0)
            self.assertEqual(totals.main("all", folder, "lint:0", "unit:1"), 1)


if __name__ == "__main__":
    unittest.main()
