# SPDX-License-Identifier: BSD-2-Clause
"""That the checks of `./dev test lint` which are our own, or follow our settings, find what they are for."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import columns
import each
import manual

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONG = "/* " + "x" * 110 + " */\n"
DEEP = ("int deep(int a);\nint deep(int a)\n{\n" + "".join("    " * n + f"while (a > {n}) {{\n" for n in range(1, 8))
        + "    " * 8 + "a--;\n" + "".join("    " * n + "}\n" for n in range(7, 0, -1)) + "    return a;\n}\n")
LENGTHY = "int lengthy(int a);\nint lengthy(int a)\n{\n" + "    a += a;\n" * 61 + "    return a;\n}\n"
CLONED = "int cloned(int a);\nint cloned(int a)\n{\n    if (a > 2) {\n        a++;\n    } else {\n        a++;\n    }\n    return a;\n}\n"


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="deepproxy-lint.")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class Columns(Folder):
    def verdict(self, allowed):
        with contextlib.redirect_stdout(io.StringIO()):
            return columns.main(self.root, self.write("allow", allowed) if allowed is not None else self.root / "none")

    def test_a_long_line_fails(self):
        self.write("proxy/room/a.h", "int a;\n" + LONG)
        self.write("build/b.c", LONG * 9)
        for allowed, status in ((None, 1), ("", 1), ("proxy 0\n", 1), ("proxy 1\n", 0), ("# none\nproxy/room 1\n", 0),
                                ("tls 1\n", 1), ("proxy 1\nproxy/room 0\n", 1)):
            with self.subTest(allowed=allowed):
                self.assertEqual(self.verdict(allowed), status)

    def test_110_columns_of_any_letters_are_right(self):
        self.write("a.c", "/* " + "ö" * 104 + " */\n")
        self.assertEqual(self.verdict(None), 0)

    def test_fewer_than_allowed_are_named(self):
        self.write("proxy/a.c", LONG)
        self.assertEqual(columns.check(self.root, {"proxy": 3, "tls": 0})[1], [
            "proxy: 1 lines of more than 110 columns; 3 need not be allowed any more",
            "tls: 0 lines of more than 110 columns; 0 need not be allowed any more"])


class Each(Folder):
    def verdict(self, *arguments):
        here = os.getcwd()
        os.chdir(self.root)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return each.main(list(arguments))
        finally:
            os.chdir(here)

    def test_any_file_can_fail(self):
        for number in range(20):
            self.write(f"some/{number}.txt", "good\n")
        for at_once in ("1", "2"):
            for text, status in (("good\n", 0), ("bad\n", 1)):
                self.write("some/7.txt", text)
                self.assertEqual(self.verdict("--at-once", at_once, ".txt", "--", "sh", "-c", '! grep bad "$@"', "sh"), status)

    def test_no_files_are_a_failure(self):
        self.assertEqual(self.verdict(".txt", "--", "true"), 1)

    def test_names_and_paths(self):
        for name in ("a/serve", "a/server", "b/build/serve", ".ci/run"):
            self.write(name, "")
        self.assertEqual([str(path.relative_to(self.root)) for path in each.files(self.root, ["serve"])], ["a/serve"])
        self.assertEqual([str(path) for path in each.files(self.root, [".ci/run"])], [".ci/run"])


class Tools(Folder):
    def found(self, *command):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_tidy(self):
        for name, text, check in (("deep.c", DEEP, "readability-function-cognitive-complexity"),
                                  ("lengthy.c", LENGTHY, "readability-function-size"),
                                  ("cloned.c", CLONED, "bugprone-branch-clone")):
            with self.subTest(check):
                status, said = self.found("clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}",
                                          self.write(name, text), "--")
                self.assertNotEqual(status, 0, said)
                self.assertIn(check, said)
        good = self.write("good.c", LENGTHY.replace("    a += a;\n" * 61, "    a += a;\n" * 50))
        self.assertEqual(self.found("clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}", good, "--")[0], 0)

    def test_format(self):
        style = f"--style=file:{ROOT / '.clang-format'}"
        for text, status in (("int  a;\n", 1), ("int a;\n", 0)):
            found = self.found("clang-format", "--dry-run", "-Werror", style, self.write("a.c", text))
            self.assertEqual(found[0], status, found[1])

    def test_python(self):
        self.assertEqual(self.found("pyflakes3", self.write("a.py", "import os\n"))[0], 1)
        self.assertEqual(self.found("shellcheck", self.write("a.sh", "#!/bin/sh\nrm $1\n"))[0], 1)


class Manual(Folder):
    HEAD = '.Dd November 30, 2026\n.Dt X 8\n.Os\n.Sh NAME\n.Nm x\n.Nd what it is\n.Sh DESCRIPTION\n'

    def verdict(self, text):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = manual.main(str(self.write("x.8", self.HEAD + text)))
        return status, out.getvalue()

    def test_what_is_right(self):
        self.assertEqual(self.verdict('It is the\n.Ql a = \\(dqb\\(dq .\n' + "Don't.\n"), (0, "1 pages are in order\n"))

    def test_what_is_wrong(self):
        for text, word in (('A "mark.\n', "without another"), ('.Ql a;\n', "delimiter"), ('.Zz a\n', "Zz"),
                           ('.Bl -tag -width 4n\n.It a\n', "Bl"), ('It is\n.Ql "\n', "without another")):
            with self.subTest(text=text):
                status, told = self.verdict(text)
                self.assertEqual(status, 1)
                self.assertIn(word, told)

    def test_no_page(self):
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(manual.main(), 1)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
