# SPDX-License-Identifier: BSD-2-Clause
"""
What comes while a reload is under way: further ones, which are done in their turn, and the end of the program. The
configuration is a pipe then, so that a test decides how long a reload takes, and what it reads.
"""

import os
import signal
import time

import harness

LOOKS_AFTER_SECONDS = 1  # at certificates, once it has begun to watch them: that would begin a reload that waits


class Pipe:
    """A configuration that a reload reads for as long as the test wants."""

    def __init__(self, path, wait_until):
        self.path = path
        self.wait_until = wait_until
        self.reading = None  # by a reload: our end of it
        self.make()

    def make(self):
        self.path.unlink(missing_ok=True)
        os.mkfifo(self.path)

    def try_to_open(self):
        try:
            self.reading = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # ENXIO: nobody reads
            return False
        self.make()  # whoever reads next reads another
        return True

    def wait_for_reader(self):
        """Until a reload has begun."""
        self.wait_until(self.try_to_open)

    def answer(self, text):
        """What that reload reads."""
        with open(self.reading, "w", encoding="utf-8") as file:
            file.write(text)
        self.reading = None

    def close(self):
        if self.reading is not None:
            os.close(self.reading)


class Order(harness.TestCase):
    def setUp(self):
        """The configuration has a folder of its own: what changes beside a certificate would be a reason to look at it."""
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)
        self.servers = [self.backend(harness.pop3)]
        self.path = self.folder.path / "configuration" / "deepproxy.conf"
        self.path.parent.mkdir()

    def begin(self, **options):
        """A proxy whose reload is under way, and has been for longer than after what it looks at files by itself."""
        self.path.write_text(self.text(**options))
        self.proxy = harness.Proxy(self.path)
        self.addCleanup(self.proxy.stop)
        self.pipe = Pipe(self.path, self.wait_until)
        self.addCleanup(self.pipe.close)
        self.proxy.process.send_signal(signal.SIGHUP)
        self.pipe.wait_for_reader()
        time.sleep(LOOKS_AFTER_SECONDS + 0.2)

    def ask(self):
        """For another reload, by a signal that has been taken when this returns."""
        self.proxy.process.send_signal(signal.SIGHUP)
        self.proxy.catch_up()  # by signals as well, which the program takes in their order

    def text(self, *more, **options):
        """With further services, by which it is known again."""
        services = {name: ("pop3", ["127.0.0.1:0"], self.servers, "none") for name in ("pop3", *more)}
        return harness.configuration(services, **options).replace('"mail.', '"../mail.')

    def results(self, count):
        lines = self.proxy.wait_lines(count, event="reload", of="configuration")
        return [line["result"].split(":")[0] for line in lines]

    def assert_serves(self, name):
        address = self.proxy.wait_line(event="listening", service=name)["address"]
        with harness.Client(int(address.rsplit(":", 1)[1])) as client:
            self.assertEqual(client.line(), b"+OK ready")

    def assert_no_reload_is_left(self, count):
        """The next is the one that is asked for now."""
        self.path.unlink()
        self.path.write_text(self.text())
        self.assertEqual(self.proxy.reload(), "done")
        self.assertEqual(len(self.results(count + 1)), count + 1)

    def test_two_in_a_row(self):
        """The second begins when the first is in effect, and reads what is there then."""
        self.begin()
        self.ask()
        self.pipe.answer(self.text("first"))
        self.pipe.wait_for_reader()
        self.assertEqual(self.results(1), ["done"])
        self.assert_serves("first")
        self.pipe.answer(self.text("second"))
        self.assertEqual(self.results(2), ["done", "done"])
        self.assert_serves("second")
        self.assert_no_reload_is_left(2)

    def test_many_in_a_row_are_one(self):
        self.begin()
        for _ in range(4):
            self.ask()
        self.assertEqual(self.proxy.find(event="reload"), [])
        self.pipe.answer(self.text("first"))
        self.pipe.wait_for_reader()
        self.pipe.answer(self.text("second"))
        self.assertEqual(self.results(2), ["done", "done"])
        self.assert_no_reload_is_left(2)

    def test_a_good_one_behind_one_that_is_refused(self):
        self.begin()
        self.ask()
        self.pipe.answer(self.text("first") + "wrokers = 1;\n")
        self.pipe.wait_for_reader()
        self.assertEqual(self.results(1), ["refused"])
        self.pipe.answer(self.text("second"))
        self.assertEqual(self.results(2), ["refused", "done"])
        self.assert_serves("second")
        self.assertEqual(self.proxy.find(event="listening", service="first"), [])

    def test_sessions_go_on_meanwhile(self):
        self.begin()
        with self.takes(0, harness.SOON):
            client = self.client(self.proxy, "pop3")
            self.assertEqual(client.line(), b"+OK ready")
            self.assertEqual(client.ask(b"STAT"), b"+OK 1 0")
        self.pipe.answer(self.text())
        self.assertEqual(self.results(1), ["done"])
        self.assertEqual(client.ask(b"STAT"), b"+OK 2 0")

    def test_the_end_does_not_wait_for_it_for_ever(self):
        """Nothing is left to do but to read a file that does not come: for as long as a shutdown may take."""
        self.begin(timeouts='shutdown = "1 s"; handshake = 60; connect = 60;')
        with self.takes(1, 1 + harness.SOON):
            self.proxy.terminate()
            self.proxy.wait()
        self.assertEqual(self.proxy.find(event="shutdown")[-1]["step"], "time is up, without the end of a reload")

    def test_an_end_at_once_does_not_wait_for_it(self):
        self.begin()
        with self.takes(0, harness.SOON):
            self.proxy.terminate()
            self.proxy.wait_line(event="shutdown")
            self.proxy.terminate()
            self.proxy.wait()

    def test_the_end_of_the_program_drops_what_is_read(self):
        """It ends in good order once the file has been read, which is of no effect any more while sessions finish."""
        self.begin(extra="workers = 1;")
        client = self.client(self.proxy, "pop3")
        client.line()
        self.proxy.terminate()
        self.proxy.wait_line(event="shutdown")
        self.pipe.answer(self.text("first"))
        self.assertFalse(harness.can_read(client.socket, 0.5))
        client.send(b"QUIT\r\n")
        self.assertEqual(client.rest(), b"+OK bye\r\n")
        with self.takes(0, harness.SOON):
            self.proxy.wait()
        self.assertEqual(self.proxy.find(event="reload"), [])
        self.assertEqual(self.proxy.find(event="listening", service="first"), [])


if __name__ == "__main__":
    harness.main()
