# SPDX-License-Identifier: BSD-2-Clause
"""Signals, more of them than a supervisor should send."""

import signal
import unittest

import harness


class Signals(harness.TestCase):
    def test_a_hail_of_sigterm_is_an_orderly_end(self):
        for _ in range(20):
            proxy = self.start({"pop3": [self.backend(harness.pop3)]})
            for _ in range(60):
                if proxy.process.poll() is None:
                    proxy.process.send_signal(signal.SIGTERM)
            proxy.wait()  # exit status 0


if __name__ == "__main__":
    harness.main()
