# SPDX-License-Identifier: BSD-2-Clause
"""That the check of the manual page's limits can fail."""

import unittest

from limits import differences

SOURCES = ["enum {\n    /* why */\n    A_MAX = 10, /* x */\n    B_MAX =\n        2 * 1024 + A_MAX\n};\n", "#define C_MAX (64 * 1024)\n",
           "enum { D_MAX = INT32_MAX };\n"]
PAGE = ".Sh LIMITS\n.It Li A_MAX = 10\n.It Li B_MAX = 2058\n.It Li C_MAX = 65536\n.It Li D_MAX = 2147483647\n.Sh NEXT\n"


class Differences(unittest.TestCase):
    def test_none(self):
        self.assertEqual(differences(PAGE, SOURCES), [])

    def test_another_number(self):
        self.assertEqual(differences(PAGE.replace("2058", "2059"), SOURCES),
                         ["B_MAX is 2058 in the sources and 2059 in the page"])

    def test_a_name_that_is_gone(self):
        self.assertEqual(differences(PAGE.replace("C_MAX", "E_MAX"), SOURCES), ["E_MAX is not in the sources"])

    def test_a_page_without_the_section(self):
        self.assertEqual(differences(PAGE.replace(".Sh LIMITS", ".Sh OTHER"), SOURCES), ["the page has no limits"])

    def test_what_stands_in_another_section(self):
        self.assertEqual(differences(PAGE + ".It Li A_MAX = 11\n", SOURCES), [])


if __name__ == "__main__":
    unittest.main()
