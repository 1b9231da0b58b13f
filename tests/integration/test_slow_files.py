# SPDX-License-Identifier: BSD-2-Clause
"""Files that do not answer: a pipe without a reader stands for the state file that is to be written."""

import os
import urllib.request

import harness

LAST_FILES = 5  # how long the end of the program waits for them


class SlowFiles(harness.TestCase):
    def start_on_a_slow_disk(self):
        self.draft = self.folder.path / "state.new"
        self.draft.unlink(missing_ok=True)
        (self.folder.path / "state").unlink(missing_ok=True)
        os.mkfifo(self.draft)
        return self.start({"pop3": [self.backend(harness.pop3)]},
                          extra='state_file = "state"; admin = { listen = [ "127.0.0.1:0" ]; };')

    def let_it_answer(self):
        return os.open(self.draft, os.O_RDONLY | os.O_NONBLOCK)

    def is_healthy(self, proxy):
        with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin_port}/healthz", timeout=harness.PATIENCE) as answer:
            return answer.status == 200

    def test_the_control_loop_goes_on(self):
        proxy = self.start_on_a_slow_disk()
        for _ in range(3):
            self.assertTrue(self.is_healthy(proxy))
            self.assertEqual(proxy.reload(), "done")
        self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")
        self.assertEqual(proxy.find(event="promises-not-remembered"), [])
        # A pipe has nothing to be synchronized; the next one is written to a file.
        reader = self.let_it_answer()
        self.addCleanup(os.close, reader)
        line = proxy.wait_line(event="promises-not-remembered")
        self.assertEqual(line["level"], "error")
        self.draft.unlink()
        self.assertEqual(proxy.reload(), "done")
        self.wait_until((self.folder.path / "state").exists)

    def test_the_end_does_not_wait_for_long(self):
        proxy = self.start_on_a_slow_disk()
        with self.takes(LAST_FILES, LAST_FILES + harness.SOON):
            proxy.terminate()
            proxy.wait()
        self.assertIn("the disk has not answered", proxy.wait_line(event="promises-not-remembered")["error"])
        self.assertEqual(proxy.find(event="shutdown")[-1]["step"],
                         "time is up, without an answer of the file system")

    def test_the_end_waits_for_the_last_write(self):
        proxy = self.start_on_a_slow_disk()
        with self.takes(0, LAST_FILES):
            proxy.terminate()
            proxy.wait_line(event="shutdown")
            os.close(self.let_it_answer())
            proxy.wait()


if __name__ == "__main__":
    harness.main()
