# SPDX-License-Identifier: BSD-2-Clause
"""What ./dev says before it begins, rather than after minutes of installing and building."""

import os
import pathlib
import subprocess
import tempfile
import unittest

DEV = pathlib.Path(__file__).resolve().parents[2] / "dev"


class Dev(unittest.TestCase):
    def setUp(self):
        """A folder that everybody may enter, with the script and no more: whatever it begins fails there."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o755)
        (self.folder / "dev").write_text(DEV.read_text())
        tools = self.folder / "tools"
        tools.mkdir()
        for tool in ("sh", "dirname", "id", "cat", "grep", "rm", "nproc"):
            (tools / tool).symlink_to(f"/usr/bin/{tool}")

    def dev(self, *arguments):
        """As somebody who is not root, and without sudo."""
        other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.run(["/bin/sh", self.folder / "dev", *arguments], capture_output=True, text=True, check=False,
                              cwd=self.folder, env={"PATH": str(self.folder / "tools")}, **other)

    def test_a_run_without_root(self):
        done = self.dev("run")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("the mail servers need root to run", done.stderr)

    def test_a_run_of_a_file_that_is_not_there(self):
        done = self.dev("run", "-c", "nowhere.conf")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("can't read nowhere.conf", done.stderr)


if __name__ == "__main__":
    unittest.main()
