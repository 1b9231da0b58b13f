# SPDX-License-Identifier: BSD-2-Clause
"""That the check of the log's page can fail."""

import unittest

from log_page import differences

SOURCES = ['log_line_begin(&line, CFG_LOG_ERROR, "key-lost");\nlog_line_begin(line, level, "ticket-keys");\n',
           'log_line_begin(&line, left > 0 ? CFG_LOG_WARNING : CFG_LOG_ERROR,\n  left > 0 ? "soon" : "late");\n',
           '    [END_NONE] = NULL,\n    [END_LOGOUT] = "logout",\n    [END_OVERLOAD] = "overload",\n']
PAGE = (".It Li event=key-lost No (error)\n.It Li event=ticket-keys\n.It Li event=soon No (warning), Li event=late No (error)\n"
        ".It Li reason=logout\nand event=other in a sentence\n")


class Differences(unittest.TestCase):
    def test_none(self):
        self.assertEqual(differences(PAGE, SOURCES), [])

    def test_an_event_that_is_not_in_the_page(self):
        for event in ("key-lost", "ticket-keys", "soon", "late"):
            self.assertEqual(differences(PAGE.replace(f"event={event}", "event"), SOURCES), [f"event={event} is not in the page"])

    def test_a_reason_that_is_not_in_the_page(self):
        self.assertEqual(differences(PAGE.replace(".It Li reason=logout\n", ""), SOURCES), ["reason=logout is not in the page"])

    def test_what_no_source_has(self):
        self.assertEqual(differences(PAGE + ".It Li reason=boredom\n", SOURCES),
                         ["reason=boredom is in the page, and no source has it"])

    def test_no_sources(self):
        self.assertIn("the sources have no event", differences(PAGE, []))


if __name__ == "__main__":
    unittest.main()
