# SPDX-License-Identifier: BSD-2-Clause
"""What the running program has given up, as the kernel tells it of each thread."""

import pathlib
import re

import harness
import processes


def status_of(process, tid):
    text = pathlib.Path(f"/proc/{process}/task/{tid}/status").read_text()
    return dict(re.findall(r"^(\w+):[ \t]*(.*)$", text, re.MULTILINE))


class Confinement(harness.TestCase):
    def filters(self, proxy):
        """How many filters each thread of the proxy has, by its name; each has one, and no_new_privs."""
        found = {}
        serving = {process for process, _, name in processes.threads(proxy.pid) if name == "worker-0"}
        for process, tid, name in processes.threads(proxy.pid):
            if process not in serving:
                continue
            status = status_of(process, tid)
            self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"), name)
            found.setdefault(name, []).append(int(status.get("Seccomp_filters", 0)))
        return found

    def test_every_thread_is_confined(self):
        """At the start, and when a reload has had files read, keys signed and names resolved."""
        for isolation in ("true", "false"):
            with self.subTest(key_isolation=isolation):
                proxy = self.start({"pop3": [self.backend(harness.pop3)]}, extra=f"workers = 2; key_isolation = {isolation};")
                if harness.is_sanitized():
                    return  # there is no filter: all that follows is the other tests'
                self.filters(proxy)
                self.assertEqual(proxy.reload(), "done")
                self.assertEqual(self.client(proxy, "pop3").line(), b"+OK ready")
                filters = self.filters(proxy)
                workers = {filters.pop(name)[0] for name in ("worker-0", "worker-1")}
                others = {count for counts in filters.values() for count in counts}
                if others != {0}:  # kernels before 5.9 do not count them
                    self.assertEqual(workers, {others.pop() + 1})
                    self.assertEqual(others, set())
                self.assertEqual(proxy.find(event="unconfined"), [])
                proxy.stop()


if __name__ == "__main__":
    harness.main()
