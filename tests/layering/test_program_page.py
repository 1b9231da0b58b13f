# SPDX-License-Identifier: BSD-2-Clause
"""That the check of the program's page can fail."""

import unittest

from program_page import differences

MAIN = '    {"run", run_command, CONFIGURATION},\n    {"serve", serve_command, CONFIGURATION},\n    {"-h", help_command, NOTHING},\n'
PARENT = ["sigaddset(&set, SIGTERM);\n", "case SIGHUP:\n    kill(pid, SIGKILL);\n"]
PAGE = ".It Cm run\n.Fl h .\n.It Dv SIGTERM , SIGHUP\n"


class Differences(unittest.TestCase):
    def test_none(self):
        self.assertEqual(differences(PAGE, MAIN, PARENT), [])

    def test_what_is_not_in_the_page(self):
        for old, new, name in (("Cm run", "", "command run"), (".Fl h", "", "command -h"), ("SIGTERM ,", "", "signal SIGTERM"),
                               (", SIGHUP", "", "signal SIGHUP")):
            with self.subTest(name=name):
                self.assertEqual(differences(PAGE.replace(old, new), MAIN, PARENT), [f"{name} is not in the page"])

    def test_what_no_source_has(self):
        self.assertEqual(differences(PAGE + ".It Cm stop\n", MAIN, PARENT), ["command stop is in the page, and no source has it"])
        self.assertEqual(differences(PAGE + ".It Dv SIGQUIT\n", MAIN, PARENT),
                         ["signal SIGQUIT is in the page, and no source has it"])

    def test_no_sources(self):
        self.assertIn("the sources have no command", differences(PAGE, "", PARENT))


if __name__ == "__main__":
    unittest.main()
