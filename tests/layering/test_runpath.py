# SPDX-License-Identifier: BSD-2-Clause
"""That the check of the programs' RUNPATH can fail."""

import unittest

from runpath import faults

DYNAMIC = """
Dynamic section at offset 0x9adc8 contains 34 entries:
  Tag        Type                         Name/Value
 0x0000000000000001 (NEEDED)             Shared library: [libssl.so.0]
 {entry}
 0x000000000000000c (INIT)               0x9000
"""


def dynamic(kind, path):
    return DYNAMIC.format(entry=f"0x000000000000001d ({kind})            Library {kind.lower()}: [{path}]")


class Faults(unittest.TestCase):
    def test_none(self):
        for path in ["/usr/lib/android", "/usr/lib/android:/opt/lib"]:
            self.assertEqual(faults(dynamic("RUNPATH", path)), [])
        self.assertEqual(faults(DYNAMIC.format(entry="")), [])

    def test_an_empty_element(self):
        for kind in ["RUNPATH", "RPATH"]:
            for path in ["/usr/lib:", ":/usr/lib", "/usr/lib::/opt/lib", ""]:
                self.assertEqual(faults(dynamic(kind, path)), [f'{kind} "{path}" has the element ""'])

    def test_a_relative_element(self):
        for element in ["lib", ".", "../lib", "$ORIGIN/lib"]:
            path = "/usr/lib:" + element
            self.assertEqual(faults(dynamic("RUNPATH", path)), [f'RUNPATH "{path}" has the element "{element}"'])

    def test_what_is_no_program(self):
        self.assertEqual(faults("There is no dynamic section in this file.\n"), ["has no dynamic section"])


if __name__ == "__main__":
    unittest.main()
