# SPDX-License-Identifier: BSD-2-Clause
"""That the check of the log's page can fail."""

import unittest

from log_page import differences

SOURCES = ['log_line_begin(&line, CFG_LOG_ERROR, "key-lost");\nlog_line_begin(line, level, "ticket-keys");\n',
           'log_line_begin(&line, left > 0 ? CFG_LOG_WARNING : CFG_LOG_ERROR,\n  left > 0 ? "soon" : "late");\n',
           'log_line_add_number(&line, "days", left);\nlog_event(x, CFG_LOG_ERROR, "lost", "error", text);\n',
           '    [END_NONE] = NULL,\n    [END_LOGOUT] = "logout",\n    [END_OVERLOAD] = "overload",\n']
PAGE = (".It Li event=key-lost No (error)\n.Ql days ,\n.Pq Ql error\n.It Li event=ticket-keys No (info or error)\n"
        ".It Li event=lost No (error)\n.It Li event=soon No (warning), Li event=late No (error)\n"
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

    def test_levels(self):
        for old, new, wrong in (("(warning), Li", "(error), Li", "event=soon has the level warning"),
                                ("late No (error)", "late No (error or warning)", "event=late has the level error"),
                                ("lost No (error)\n.It", "lost\n.It", "event=lost has no level in the page")):
            with self.subTest(wrong=wrong):
                self.assertEqual(differences(PAGE.replace(old, new), SOURCES), [wrong])

    def test_fields(self):
        for word in ("days", "error"):
            self.assertEqual(differences(PAGE.replace(f"Ql {word}", "Ql key"), SOURCES), [f"the field {word} is not in the page"])
        self.assertEqual(differences(PAGE + ".Ql weeks\n", SOURCES), ["the field weeks is in the page, and no source has it"])

    def test_no_sources(self):
        self.assertIn("the sources have no event", differences(PAGE, []))


if __name__ == "__main__":
    unittest.main()
