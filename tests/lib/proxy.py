# SPDX-License-Identifier: BSD-2-Clause
"""deepproxy as the demo and the tests start it: a configuration, the process, and its log read as it comes."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading

# For what should happen at once. Generous: a sanitizer on a busy machine is slow, and only a failure waits this long.
PATIENCE = float(os.environ.get("DEEPPROXY_TEST_PATIENCE", 60))
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:halt_on_error=1:exitcode=66:abort_on_error=0:handle_sigill=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=66",
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=66:second_deadlock_stack=1",
}
PAIR = re.compile(r'([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
ESCAPE = re.compile(r"\\(x[0-9A-F]{2}|.)")

CONFIGURATION = """\
# {name}
{extra}{user}tls = {{ certificates = ( {{ chain = "mail.pem"; key = "mail.key"; }} );{tls} }};
deep = {{ tags = [ "tls11", "tls12" ]; url = "https://localhost/mail-security"; }};
services = (
{services});
backends = (
{pools});
"""


def default_program():
    root = pathlib.Path(__file__).resolve().parents[2]
    return pathlib.Path(os.environ.get("DEEPPROXY", root / "build/release/deepproxy"))


def quoted_list(values, begin, end):
    return begin + " " + ", ".join(values) + " " + end


def service(protocol, listen, name, more=""):
    places = quoted_list([f'"{place}"' for place in (listen or {}).get(name, ["127.0.0.1:0"])], "[", "]")
    return (f'  {{ name = "{name}"; protocol = "{protocol}"; listen = {places}; '
            f'backend = "{protocol}-servers"; {more}}}')


def configuration(name, servers, listen=None, identity="proxy-v2", extra="", tls="", keys=None, pool=""):
    """
    The text of a file. `servers`: the addresses behind each protocol; each gets a service of its name, and one of its
    name and "-starttls". `listen`: where these listen, default a free port; `keys`: further ones of a protocol's; `pool`:
    of all pools.
    """
    services, pools = [], []
    for protocol, addresses in servers.items():
        more = (keys or {}).get(protocol, "")
        services.append(service(protocol, listen, protocol, more))
        services.append(service(protocol, listen, protocol + "-starttls", f'tls = "starttls"; {more}'))
        entries = quoted_list([f'{{ address = "{address}"; }}' for address in addresses], "(", ")")
        pools.append(f'  {{ name = "{protocol}-servers"; identity = "{identity}"; servers = {entries}; {pool}}}')
    return CONFIGURATION.format(name=name, extra=extra, user=who_stays(extra), tls=tls, services=",\n".join(services) + "\n",
                                pools=",\n".join(pools) + "\n")


def parse_line(line):
    """A logfmt line as a dict."""
    def unescape(match):
        return chr(int(match[1][1:], 16)) if match[1][0] == "x" and len(match[1]) == 3 else match[1]
    return {key: bare or ESCAPE.sub(unescape, quoted or "") for key, quoted, bare in PAIR.findall(line)}


def children(pid):
    """Those that are there; none if the process has ended meanwhile."""
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in path.read_text().split()]
    return found


def command_of(pid):
    """Its words; none if the process has ended meanwhile."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []


def serving_process(main_pid):
    """Of the processes of a `deepproxy run`: the one with the sockets and the sessions, if there is one at present."""
    return next((pid for pid in children(main_pid) if command_of(pid)[:2] == [b"deepproxy", b"serve"]), main_pid)


def who_stays(extra):
    """
    For a configuration that names no user: root stays root, as a test's files are its own, and no test needs a user that
    the machine may not have.
    """
    named = os.geteuid() != 0 or re.search(r"^\s*(?:[^#\n]*[;\s])?user\s*=", extra, re.MULTILINE)
    return "" if named else 'user = "root"; '


def port_of(address):
    return int(address.rsplit(":", 1)[1])


class ProxyError(AssertionError):
    """The program did not start, did not do in time what was waited for, or did not end well. A test has failed then."""


class Proxy:
    """
    A running `deepproxy run -c FILE`: its addresses, its log as it is written, and its end, which must be an orderly
    one. The demo, the interop tests and the integration tests have this class. The program leads a session of its own: a
    Ctrl-C at the terminal is not for it. As a context it is stopped at the end.
    """

    def __init__(self, path, program=None, on_line=None):
        """
        Returns when the program is ready. `on_line(line, text)` is called with each line of its log, parsed and as it
        is, in a thread of its own.
        """
        self.path = path
        self.lines = []
        self.text = ""
        self._on_line = on_line
        self._changed = threading.Condition()
        self._ended = False
        self.reads_log = threading.Event()  # cleared: what it writes stays in the pipe
        self.reads_log.set()
        self._holds_log = threading.Event()  # set: nobody reads the pipe until reads_log is set
        self.process = subprocess.Popen([program or default_program(), "run", "-c", path], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
                                        env={**os.environ, **SANITIZERS})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_line(event="ready")
        except BaseException:
            self.kill()
            raise
        self.addresses = [(line["service"], line["address"]) for line in self._read_so_far(event="listening")]

    def _read(self):
        for text in self.process.stderr:
            if not self.reads_log.is_set():
                self._holds_log.set()
                self.reads_log.wait()
            line = parse_line(text)
            with self._changed:
                self.text += text
                self.lines.append(line)
                self._changed.notify_all()
            if self._on_line:
                self._on_line(line, text)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # ---- its processes ----

    @property
    def main_pid(self):
        """The process that was started: a supervisor knows this one, and sends its signals there."""
        return self.process.pid

    @property
    def pid(self):
        """The process that serves: what it uses and what it holds is to be seen there."""
        return serving_process(self.main_pid)

    # ---- its addresses ----

    @property
    def ports(self):
        """By service, that of its first address."""
        ports = {}
        for name, address in self.addresses:
            ports.setdefault(name, port_of(address))
        return ports

    def port(self, service):
        return self.ports[service]

    @property
    def admin_port(self):
        """The latest, if the configuration has such an endpoint."""
        lines = self._read_so_far(event="admin-listening")
        return port_of(lines[-1]["address"]) if lines else None

    # ---- its log ----

    def _read_so_far(self, that=None, **fields):
        with self._changed:
            lines = [line for line in self.lines if all(line.get(key) == value for key, value in fields.items())]
        return lines if that is None else list(filter(that, lines))

    def _wait_for(self, condition):
        """Whether it came true, before the program ended and before patience did."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or condition(), PATIENCE)
            return condition()

    def catch_up(self):
        """
        Returns when all that the program has logged so far has been read. The log takes the lines of one thread after
        those of another: the first answer of the main thread may come before what a worker has said earlier, but the
        second one, which is asked for after the first has come, comes after it.
        """
        with self._changed:
            start = len(self.lines)

        def answers():
            """Those of the service that is the first to be told of."""
            told = [line["service"] for line in self.lines[start:] if line.get("event") == "reports" and "tag" not in line]
            return told.count(told[0]) if told else 0
        for count in (1, 2):
            if self._ended:
                return
            self.process.send_signal(signal.SIGUSR1)
            if not self._wait_for(lambda: answers() >= count) and not self._ended:
                raise ProxyError(f"no answer to SIGUSR1 in the log:\n{self.text}")

    def find(self, **fields):
        """The lines with these fields that it has logged so far: all of them, as it is asked whether there are more."""
        self.catch_up()
        return self._read_so_far(**fields)

    def wait_lines(self, count, **fields):
        """
        The lines with these fields, as soon as there are `count` of them, which is at least one. As everywhere here, a
        function given as `that` has to be true of each as well.
        """
        if count < 1:
            raise ValueError("nothing is waited for")
        self._wait_for(lambda: len(self._read_so_far(**fields)) >= count)
        found = self._read_so_far(**fields)
        if len(found) < count:
            raise ProxyError(f"{len(found)} of {count} lines with {fields} in the log:\n{self.text}")
        return found

    def wait_line(self, **fields):
        """The first line with these fields, as soon as it is there."""
        return self.wait_lines(1, **fields)[0]

    def session(self, **fields):
        """The line of a session's end."""
        return self.wait_line(event="session", **fields)

    def stall_log(self):
        """Its pipe is full and nobody reads it, until `reads_log` is set."""
        self.reads_log.clear()
        pipe = os.open(f"/proc/{self.pid}/fd/2", os.O_WRONLY)
        try:
            os.write(pipe, b"\n")
            if not self._holds_log.wait(PATIENCE):
                raise ProxyError("the reader of the log did not stop")
        finally:
            os.close(pipe)
        pipe = os.open(f"/proc/{self.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(pipe, b"\n" * 512)
        except BlockingIOError:
            pass
        finally:
            os.close(pipe)

    # ---- what it uses ----

    def rss(self):
        """Resident memory, in octets."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    # ---- its life ----

    def reload(self):
        """Has it read its configuration anew; what came of it, as the log has it."""
        count = len(self._read_so_far(event="reload", of="configuration")) + 1
        self.process.send_signal(signal.SIGHUP)
        return self.wait_lines(count, event="reload", of="configuration")[-1]["result"]

    def terminate(self):
        """The first time it lets sessions finish, the second time it does not."""
        self.process.terminate()

    def wait(self, seconds=PATIENCE):
        """Its end, within so many seconds and an orderly one: a leak or a sanitizer's finding is another."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProxyError(f"deepproxy did not end within {seconds} s:\n{self.text}") from None
        self._close()
        if status != 0 or "Sanitizer" in self.text or "internal error" in self.text:
            raise ProxyError(f"deepproxy ended with status {status}:\n{self.text}")

    def stop(self):
        """Ends it without waiting for sessions; one that has ended by itself must have ended well."""
        if self.process.poll() is None:
            self.terminate()
            self._wait_for(lambda: self._read_so_far(event="shutdown"))
            self.terminate()
        self.wait()

    def kill(self):
        serving = self.pid
        self.process.kill()
        if serving != self.main_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(serving, signal.SIGKILL)
        self.process.wait()
        self._close()

    def _close(self):
        self.reads_log.set()
        self._reader.join()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        try:
            self.stop()
        except ProxyError:
            if failure is None:  # the first failure tells more
                raise
