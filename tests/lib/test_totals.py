# SPDX-License-Identifier: BSD-2-Clause
"""What totals.py makes of the outputs that it meets, and that it fails if nothing was tested."""

import contextlib
import io
import pathlib
import tempfile
import unittest
import xml.sax.saxutils

import totals
from totals import Count, of_part, of_test

CHECK = "Running suite(s): x\n66%: Checks: 3, Failures: 1, Errors: 0\nx.c:1:F:y:z:0: said\n"
UNITTEST = "Ran 5 tests in 1.234s\n\nFAILED (failures=1, errors=1, skipped=2)\n"
IPV6 = "test_a (X.test_a) ... skipped 'this machine has no IPv6'\n"
SHADOW = "test_b (X.test_b) ... skipped \"a sanitizer's memory tells nothing\"\n"
IDLE = "test_c (X.test_c) ... skipped 'not in the mood'\n"
OK = "Ran {} tests in 0.1s\n\nOK (skipped={})\n"


class Totals(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.logs = pathlib.Path(folder.name)

    def write(self, part, *tests):
        """A JUnit file of tests: (name, status, output)."""
        cases = (f'<testcase name="{name}" status="{status}"><system-out>{xml.sax.saxutils.escape(output)}</system-out>'
                 "</testcase>" for name, status, output in tests)
        (self.logs / f"{part}.xml").write_text(f"<testsuite>{''.join(cases)}</testsuite>")

    def judge(self, part, *tests, status=0):
        self.write(part, *tests)
        return of_part(self.logs, part, status)

    def test_outputs(self):
        for output, status, count in (
                (CHECK, "fail", Count(2, 1)), ("100%: Checks: 7, Failures: 0, Errors: 0\n", "run", Count(7)),
                (UNITTEST, "fail", Count(1, 2, 2)), ("Ran 1 test in 0.1s\n\nOK\n", "run", Count(1)),
                ("Ran 2 tests in 0.1s\n\nOK (skipped=2)\n", "run", Count(0, 0, 2)), ("", "run", Count(1)),
                ("Segmentation fault\n", "fail", Count(0, 1)), ("", "notrun", Count(0, 0, 1)),
                ("100%: Checks: 7, Failures: 0, Errors: 0\nLeakSanitizer: leaks\n", "fail", Count(7, 1))):
            with self.subTest(output=output, status=status):
                self.assertEqual(of_test(output, status), count)

    def test_nothing_run_is_a_failure(self):
        for output in ("100%: Checks: 0, Failures: 0, Errors: 0\n", "0%: Checks: 0, Failures: 0, Errors: 0\n",
                       "Ran 0 tests in 0.000s\n\nOK\n", "Ran 0 tests in 0.000s\n\nNO TESTS RAN\n"):
            with self.subTest(output=output):
                self.assertEqual(of_test(output, "run"), Count(failed=1))
        self.assertEqual(of_test("Ran 0 tests in 0.000s\n\nOK (skipped=1)\n", "run"), Count(skipped=1))
        part = self.judge("unit")
        self.assertEqual((part.count, part.failures), (Count(failed=1), {"unit": "no test was run"}))

    def test_part(self):
        (self.logs / "broken.log").write_text("x.c:1: error: no\n")
        broken = of_part(self.logs, "broken", 1)
        self.assertEqual((broken.count, broken.failures), (Count(0, 1), {"broken": "x.c:1: error: no\n"}))
        self.assertEqual(of_part(self.logs, "coverage", 0).count, Count(1))
        good = CHECK.replace("Failures: 1", "Failures: 0")
        self.assertEqual(self.judge("unit", ("a", "run", good), ("b", "fail", ""), status=8).count, Count(3, 1))
        self.assertEqual(self.judge("unit", ("a", "run", good), status=8).count, Count(3, 1))

    def test_skips(self):
        some = ("y", "run", "Ran 1 test in 0.1s\n\nOK\n")
        for part, output, count in (
                ("integration", IPV6 + OK.format(2, 1), Count(2, 0, 1)), ("asan", SHADOW + OK.format(2, 1), Count(2, 0, 1)),
                ("integration", SHADOW + OK.format(2, 1), Count(2, 1, 1)),
                ("asan", IPV6 + IDLE + OK.format(3, 2), Count(2, 1, 2)),
                ("asan", OK.format(2, 1), Count(2, 1, 1))):
            with self.subTest(part=part, output=output):
                self.assertEqual(self.judge(part, ("x", "run", output), some).count, count)
        self.assertEqual(self.judge("asan", ("x", "run", IPV6 + OK.format(2, 1))).skips, [("x", "this machine has no IPv6")])
        self.assertEqual(self.judge("unit", ("x", "notrun", "Unable to find executable"), some).count, Count(1, 1, 1))

    def test_everything_skipped(self):
        part = self.judge("integration", ("x", "run", IPV6 + OK.format(1, 1)))
        self.assertEqual((part.count, part.failures), (Count(0, 1, 1), {"integration": "everything was skipped"}))
        refused = ("docker", "notrun", "so it goes\nskipped: the kernel refuses new namespaces\n")
        self.assertEqual(self.judge("docker", refused).count, Count(skipped=1))
        self.assertEqual(self.judge("unit", refused).count, Count(0, 1, 1))
        self.assertEqual(self.judge("docker", ("docker", "notrun", "skipped: it rains\n")).count, Count(0, 1, 1))

    def second_try(self, *tests, first=(), status=0):
        self.write("asan", *first)
        self.write("asan.second", *tests)
        return of_part(self.logs, "asan", status)

    def test_second_try(self):
        late = ("x", "fail", "Ran 2 tests in 9.0s\n\nFAILED (failures=1)\n")
        late_too, other = ("y", "fail", "took too long\n"), ("z", "run", "Ran 3 tests in 0.1s\n\nOK\n")
        good = ("x", "run", OK.format(2, 0).replace(" (skipped=0)", ""))
        part = self.second_try(good, first=(late, other))
        self.assertEqual((part.count, part.second, part.failures), (Count(5), ["x"], {}))
        part = self.second_try(good, ("y", "fail", "again\n"), first=(late, late_too, other), status=8)
        self.assertEqual((part.count, part.second, part.failures), (Count(5, 1), ["x"], {"y": "again\n"}))
        part = self.second_try(good, first=(late, late_too, other), status=8)
        self.assertEqual((part.count, part.second), (Count(5, 1), ["x"]))
        part = self.second_try(("x", "run", IDLE + OK.format(2, 1)), first=(late, other))
        self.assertEqual(part.count, Count(4, 1, 1))

    def test_what_gets_no_second_try(self):
        good = ("x", "run", "Ran 1 test in 0.1s\n\nOK\n")
        for output in ("==1==ERROR: AddressSanitizer: heap-use-after-free\n", "WARNING: ThreadSanitizer: data race\n",
                       "==1==ERROR: LeakSanitizer: detected memory leaks\n", "a.c:1:2: runtime error: shift\n",
                       "deepproxy: internal error: x does not hold (a.c:1)\n"):
            with self.subTest(output=output):
                part = self.second_try(good, first=[("x", "fail", output)], status=8)
                self.assertEqual((part.count, part.second), (Count(0, 1), []))
                self.assertEqual(totals.main("again", self.logs, "asan"), 1)
        many = [(f"x{number}", "fail", "late\n") for number in range(totals.MOST_AGAIN + 1)]
        self.write("asan", *many)
        self.assertEqual(totals.main("again", self.logs, "asan"), 1)
        self.write("asan", *many[1:])
        self.assertEqual(totals.main("again", self.logs, "asan"), 0)
        self.write("asan", good)
        self.assertEqual(totals.main("again", self.logs, "asan"), 1)
        self.assertEqual(totals.main("again", self.logs, "nothing"), 1)

    def test_second_try_is_told(self):
        self.second_try(("x", "run", ""), first=[("x", "fail", "late\n")])
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            totals.main("part", self.logs, "asan", "0")
        self.assertEqual(out.getvalue(), "!! passed at the second try: x (the first is in asan.log; it is to be mended)\n"
                                         "   asan: 1 passed, 0 failed\n")
        self.assertEqual(self.run_all("standard", "asan:0"),
                         (0, "standard run of asan\n!! passed at the second try: x of asan\n1 passed, 0 failed\n"))

    def run_all(self, *arguments):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = totals.main("all", self.logs, *arguments)
        return status, out.getvalue()

    def test_last_lines_and_exit_status(self):
        self.assertEqual(self.run_all("standard", "image:0"), (0, "standard run of image\n1 passed, 0 failed\n"))
        self.assertEqual(self.run_all("full", "image:0", "unit:1"),
                         (1, "full run of image unit\n1 passed, 1 failed\n"))
        self.write("docker", ("docker", "notrun", "skipped: the kernel refuses new namespaces\n"))
        self.assertEqual(self.run_all("standard", "image:0", "docker:0"),
                         (0, "standard run of image docker\n1 passed, 0 failed, 1 skipped\n"))
        self.assertEqual(self.run_all("standard")[0], 1)

    def test_what_is_told_of_a_part(self):
        self.write("asan", ("x", "run", IPV6 + SHADOW + IPV6 + OK.format(4, 3)), ("y", "fail", "it broke\n"))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            totals.main("part", self.logs, "asan", "8")
        self.assertEqual(out.getvalue(), "-- y failed:\nit broke\n   skipped 1 of x: a sanitizer's memory tells nothing\n"
                                         "   skipped 2 of x: this machine has no IPv6\n   asan: 1 passed, 1 failed, 3 skipped\n")


if __name__ == "__main__":
    unittest.main()
