# SPDX-License-Identifier: BSD-2-Clause
"""deepproxy as the demo and the tests start it: a configuration, the process, and its log read as it comes."""

import os
import pathlib
import re
import subprocess
import threading

START_SECONDS = 30
STOP_SECONDS = 30
PAIR = re.compile(r'([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
ESCAPE = re.compile(r"\\(x[0-9A-F]{2}|.)")

CONFIGURATION = """\
# {name}
{extra}tls = {{ certificates = ( {{ chain = "mail.pem"; key = "mail.key"; }} );{tls} }};
deep = {{ tags = [ "tls11", "tls12" ]; url = "https://localhost/mail-security"; }};
services = (
{services});
backends = (
{pools});
"""


class ProxyError(Exception):
    """The program did not start, or did not do in time what was waited for."""


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
    return CONFIGURATION.format(name=name, extra=extra, tls=tls, services=",\n".join(services) + "\n",
                                pools=",\n".join(pools) + "\n")


def parse_line(line):
    """A logfmt line as a dict."""
    def unescape(match):
        return chr(int(match[1][1:], 16)) if match[1][0] == "x" and len(match[1]) == 3 else match[1]
    return {key: bare or ESCAPE.sub(unescape, quoted or "") for key, quoted, bare in PAIR.findall(line)}


class Proxy:
    """A running `deepproxy run -c FILE`. It leads a session of its own: a Ctrl-C at the terminal is not for it."""

    def __init__(self, path, program=None, on_line=None):
        self.lines = []
        self.text = ""
        self._on_line = on_line
        self._changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen([program or default_program(), "run", "-c", path], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_for("ready")
        except BaseException:
            self.stop()
            raise
        self.ports = {}
        self.admin_port = None  # where the configuration has such an endpoint
        for line in self.lines:
            if line.get("event") == "listening":
                self.ports.setdefault(line["service"], int(line["address"].rsplit(":", 1)[1]))
            elif line.get("event") == "admin-listening":
                self.admin_port = int(line["address"].rsplit(":", 1)[1])

    def _read(self):
        for text in self.process.stderr:
            line = parse_line(text)
            with self._changed:
                self.lines.append(line)
                self.text += text
                self._changed.notify_all()
            if self._on_line:
                self._on_line(line, text)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, event, after=0, **fields):
        """The first line with this event and these fields, from the one numbered `after` on."""
        def find():
            return next((line for line in self.lines[after:] if line.get("event") == event
                         and all(line.get(key) == value for key, value in fields.items())), None)
        with self._changed:
            self._changed.wait_for(lambda: find() or self._ended, START_SECONDS)
            found = find()
        if found is None:
            raise ProxyError(f"no event={event} {fields} in what deepproxy wrote:\n{self.text}")
        return found

    def terminate(self):
        self.process.terminate()

    def _ends_within(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self):
        """Ends it, and gives its exit status; a second SIGTERM is the one that does not wait for sessions."""
        self.terminate()
        if not self._ends_within(1):
            self.terminate()
        in_time = self._ends_within(STOP_SECONDS)
        if not in_time:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        self.process.stderr.close()
        if not in_time:
            raise ProxyError(f"deepproxy did not end by SIGTERM:\n{self.text}")
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        status = self.stop()
        if status and failure is None:
            raise ProxyError(f"deepproxy ended with status {status}:\n{self.text}")
