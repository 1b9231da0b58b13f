# SPDX-License-Identifier: BSD-2-Clause
"""That check.py finds what is wrong."""

import contextlib
import io
import pathlib
import tempfile
import unittest

import check

FILES = {
    "transcripts/a.txt": "# == no\n== a dialogue: with (signs)\nclient > x\n",
    "unit/test_a.c": "START_TEST(run)\n{\n}\nSTART_TEST(left_out)\n{\n}\n    tcase_add_loop_test(tcase, run, 0, 3);\n",
    "integration/test_a.py": "class A(B):\n    def test_it(self):\n        pass\n    def helper(self):\n        pass\n",
}
GOOD = """# Words
- of the row
  - `transcripts/a.txt: a dialogue: with (signs)`
  - `unit/test_a.c: run`
  - `integration/test_a.py: A.test_it`
- of two
  lines
  - open: later,
    with a reason
"""


class Check(unittest.TestCase):
    def run_on(self, table):
        with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()) as output:
            folder = pathlib.Path(name)
            for file, text in FILES.items():
                (folder / file).parent.mkdir(exist_ok=True)
                (folder / file).write_text(text)
            (folder / "table.md").write_text(table)
            check.tests_of.cache_clear()
            status = check.main(folder, folder / "table.md")
        return status, output.getvalue()

    def test_good(self):
        status, output = self.run_on(GOOD)
        self.assertEqual(status, 0, output)
        self.assertIn("table.md:6: open: of two lines: later, with a reason\n", output)
        self.assertTrue(output.endswith("table.md: 2 rows, 3 tests named, 1 rows open\n"), output)

    def test_rules_of_the_draft(self):
        good = "- 4.4 SHOULD: x\n  - does: y\n  - `unit/test_a.c: run`\n- 5: z\n  - not ours: a client's\n"
        self.assertEqual(self.run_on(good)[0], 0)
        for wrong, words in ((good.replace("  - does: y\n", ""), "does not say"),
                             (good.replace("y", "y\n  - not ours: no"), "is not ours"),
                             (good.replace("  - not ours: a client's\n", "  - does: all\n"), "has no test")):
            status, output = self.run_on(wrong)
            self.assertEqual(status, 1, wrong)
            self.assertIn(words, output)

    def test_what_is_wrong(self):
        for wrong in ("", "# No rows\n", "- a row\n", "- a row\n  - open:\n", "- a row\n  - open: a\n  - open: b\n",
                      "- a row\n  - open: x\n  - whatever\n"):
            self.assertEqual(self.run_on(wrong)[0], 1, wrong)
        for test in ("transcripts/a.txt: a dialogue", "transcripts/a.txt: no", "transcripts/b.txt: x", "unit/test_a.c: a",
                     "unit/test_a.c: left_out", "integration/test_a.py: test_it", "integration/test_a.py: A.helper"):
            status, output = self.run_on(f"- a row\n  - `{test}`\n")
            self.assertEqual(status, 1, test)
            self.assertIn("no such", output)


if __name__ == "__main__":
    unittest.main()
