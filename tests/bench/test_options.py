#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command line of the benchmark, and what it reads of perf."""

import contextlib
import io
import pathlib
import tempfile
import unittest

import instructions
import options


def parse(*arguments):
    return options.parse("", list(map(str, arguments)))


class Options(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.proxy = self.build("new")
        self.other = self.build("old")

    def build(self, name):
        (self.directory / name).mkdir()
        (self.directory / name / "deepproxy-keys").touch()
        (self.directory / name / "deepproxy").touch()
        return self.directory / name / "deepproxy"

    def refuses(self, words, *arguments):
        with contextlib.redirect_stderr(io.StringIO()) as errors, self.assertRaises(SystemExit) as ended:
            parse(*arguments)
        self.assertEqual(ended.exception.code, 2)
        self.assertIn(words, errors.getvalue())

    def test_within_is_a_share(self):
        for text, share in (("2%", 0.02), ("2", 0.02), ("0.5 %", 0.005)):
            chosen = parse("--proxy", self.proxy, "--against", self.other, "--within", text)
            self.assertAlmostEqual(chosen.within, share)
        for text in ("-1%", "two"):
            self.refuses("--within", "--proxy", self.proxy, "--against", self.other, f"--within={text}")

    def test_defaults(self):
        chosen = parse()
        self.assertEqual((chosen.repeat, chosen.seconds, len(chosen.systems), chosen.workers), (9, 1, 3, 1))
        self.assertEqual(parse("--workers", 2).workers, 2)
        self.refuses("--workers", "--workers", 0)
        chosen = parse("--proxy", self.proxy, "--against", self.other)
        self.assertEqual((chosen.repeat, chosen.seconds, chosen.within), (160, 0.1, None))

    def test_names(self):
        self.assertEqual(parse("--figures", "noop,idle").only, ["noop", "idle"])
        self.refuses("there is no figure nap", "--figures", "nap")
        self.refuses("there is no system apache", "--systems", "apache")

    def test_what_does_not_go_together(self):
        self.refuses("--within needs --against", "--within", "2%")
        self.refuses("neither", "--proxy", self.proxy, "--against", self.other, "--systems", "nginx")

    def test_another_build_brings_its_keys(self):
        (self.other.parent / "deepproxy-keys").unlink()
        self.refuses("old/deepproxy-keys is not there", "--proxy", self.proxy, "--against", self.other)


class Instructions(unittest.TestCase):
    def test_count(self):
        self.assertEqual(instructions.read("# started\n\n12345,,instructions:u,1000,100.00,,\n"), 12345)

    def test_none(self):
        self.assertIsNone(instructions.read("<not supported>,,instructions,0,100.00,,\n"))
        self.assertIsNone(instructions.read(""))


if __name__ == "__main__":
    unittest.main()
