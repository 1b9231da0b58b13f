# SPDX-License-Identifier: BSD-2-Clause
"""
What the integration tests stand on: the built program as a child process, scripted backends in threads of the test,
and TLS clients whose every octet the test decides. All sockets are on loopback, on ports that the system gives.
"""

import contextlib
import os
import pathlib
import queue
import re
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import certificates  # noqa: E402
from proxy import parse_line  # noqa: E402

# For what should happen at once. Generous: a sanitizer on a busy machine is slow, and only a failure waits this long.
PATIENCE = float(os.environ.get("DEEPPROXY_TEST_PATIENCE", 60))
PROGRAM = None
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:halt_on_error=1:exitcode=66:abort_on_error=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=66",
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=66:second_deadlock_stack=1",
}


def main():
    """Runs the tests of a file; its first argument is the program to test."""
    global PROGRAM
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} PATH-OF-DEEPPROXY [TEST...]")
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)


def is_sanitized():
    """Memory and time are no measure in a program that a sanitizer watches."""
    with open(PROGRAM, "rb") as file:
        return re.search(rb"__(asan|tsan)_init", file.read()) is not None


# ---- files ----

class Folder:
    """A temporary folder with a certificate and its key, shared by the tests of a file."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="deepproxy-"))
        certificates.make(self.path, names=("localhost", "mail.example.com"))

    def write(self, name, text):
        path = self.path / name
        path.write_text(text)
        return path

    def remove(self):
        shutil.rmtree(self.path)


def configuration(services, extra="", timeouts="", tls="", keys="", pool=""):
    """
    The text of a file. `services`: by name, (protocol, listening addresses, servers, identity); a backend of the test
    stands for its address. `keys`: further keys of every service, or by name; `pool`: of every pool.
    """
    parts, pools = [], []
    for name, (protocol, listen, servers, identity) in services.items():
        places = ", ".join(f'"{place}"' for place in listen)
        entries = ", ".join(f'{{ address = "{getattr(server, "address", server)}"; }}' for server in servers)
        parts.append(f'{{ name = "{name}"; protocol = "{protocol}"; listen = [ {places} ]; backend = "{name}-pool"; '
                     f"{keys if isinstance(keys, str) else keys.get(name, '')} }}")
        pools.append(f'{{ name = "{name}-pool"; identity = "{identity}"; servers = ( {entries} ); {pool} }}')
    return (f'hostname = "proxy.example.com";\n{extra}\n'
            f'tls = {{ certificates = ( {{ chain = "mail.pem"; key = "mail.key"; }} ); {tls} }};\n'
            f'deep = {{ tags = [ "tls11", "tls12" ]; url = "https://www.example.com/security"; }};\n'
            f"services = ( {', '.join(parts)} );\nbackends = ( {', '.join(pools)} );\n"
            f"timeouts = {{ {timeouts} }};\n")


# ---- the program ----

def run_program(*arguments, stdin=subprocess.DEVNULL):
    """A command that ends by itself."""
    return subprocess.run([PROGRAM, *map(str, arguments)], stdin=stdin, capture_output=True, text=True,
                          timeout=PATIENCE, env={**os.environ, **SANITIZERS})


class Proxy:
    """`deepproxy run`, its log read as it is written, and its exit status checked at the end."""

    def __init__(self, path):
        self.path = path
        self.lines = []
        self.text = ""
        self._changed = threading.Condition()
        self._ended = False
        self.reads_log = threading.Event()  # cleared: nobody reads what it writes
        self.reads_log.set()
        self.process = subprocess.Popen([PROGRAM, "run", "-c", str(path)], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, errors="replace",
                                        env={**os.environ, **SANITIZERS})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_line(event="ready")
            self.addresses = [(line["service"], line["address"]) for line in self.find(event="listening")]
        except BaseException:
            self.kill()
            raise

    def _read(self):
        for text in self.process.stderr:
            self.reads_log.wait()
            with self._changed:
                self.text += text
                self.lines.append(parse_line(text))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def port(self, service):
        return next(int(address.rsplit(":", 1)[1]) for name, address in self.addresses if name == service)

    def find(self, **fields):
        with self._changed:
            return [line for line in self.lines if all(line.get(key) == value for key, value in fields.items())]

    def wait_lines(self, count, **fields):
        """The lines with these fields, as soon as there are `count` of them."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self.find(**fields)) >= count, PATIENCE)
            found = self.find(**fields)
        if len(found) < count:
            raise AssertionError(f"{len(found)} of {count} lines with {fields} in the log:\n{self.text}")
        return found

    def wait_line(self, **fields):
        return self.wait_lines(1, **fields)[0]

    def session(self, **fields):
        """The line of a session's end."""
        return self.wait_line(event="session", **fields)

    def rss(self):
        """Resident memory, in octets."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def terminate(self):
        self.process.terminate()

    def wait(self):
        """Its end, which must be an orderly one: a sanitizer's findings and leaks end it otherwise."""
        status = self.process.wait(PATIENCE)
        self._reader.join()
        self.process.stderr.close()
        if status != 0 or "Sanitizer" in self.text or "internal error" in self.text:
            raise AssertionError(f"deepproxy ended with status {status}:\n{self.text}")

    def stop(self):
        if self.process.poll() is None:
            self.terminate()
            self.wait_line(event="shutdown")
            self.terminate()
        self.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()


# ---- backends ----

class Connection:
    """A backend's end of a connection, in plain."""

    def __init__(self, sock):
        self.socket = sock
        self.held = b""
        sock.settimeout(PATIENCE)

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        data = self.socket.recv(65536)
        self.held += data
        return data != b""

    def line(self):
        """The next line without its end; None at the end of input."""
        while b"\r\n" not in self.held:
            if not self.more():
                return None
        line, self.held = self.held.split(b"\r\n", 1)
        return line

    def exactly(self, count):
        while len(self.held) < count:
            if not self.more():
                raise AssertionError(f"{len(self.held)} octets of {count}, then the end")
        data, self.held = self.held[:count], self.held[count:]
        return data

    def rest(self):
        """All that comes before the end of input."""
        while self.more():
            pass
        data, self.held = self.held, b""
        return data

    def finish(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        reset(self.socket)


class Backend:
    """
    A server with a script, which is called for each connection with a Connection, in a thread of its own, and closes
    it by returning. What goes wrong in it is raised again at the end of the test.
    """

    def __init__(self, script, family=socket.AF_INET):
        self.script = script
        self.count = 0
        self.errors = []
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1" if family == socket.AF_INET else "::1", 0), family=family,
                                             backlog=512)
        host, port = self.listener.getsockname()[:2]
        self.port = port
        self.address = f"{host}:{port}" if family == socket.AF_INET else f"[{host}]:{port}"
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            self.connections.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, sock):
        with sock:
            try:
                self.script(Connection(sock))
            except (ConnectionError, BrokenPipeError):
                pass  # the proxy may go away at any time
            except BaseException as error:
                self.errors.append(error)

    def close(self):
        for sock in [self.listener, *self.connections]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(PATIENCE)
        if self.errors:
            raise self.errors[0]


def refusing_address():
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return "127.0.0.1:%d" % listener.getsockname()[1]


def can_bind_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def freeze(pid):
    """Stops a process, and returns when all of its threads have stopped: the signal alone is only on its way."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + PATIENCE
    tasks = pathlib.Path(f"/proc/{pid}/task")
    while not all("State:\tT" in (task / "status").read_text() for task in tasks.iterdir()):
        if time.monotonic() > end:
            raise AssertionError(f"process {pid} does not stop")
        time.sleep(0.001)


def reset(sock):
    """Ends a connection by RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# ---- clients ----

class Client:
    """
    A TLS client on a socket, with the ciphertext in its own hands: it can half-close, go without a word, or send what
    is no TLS at all.
    """

    def __init__(self, port, host="127.0.0.1", name="mail.example.com", context=None, session=None, shake_hands=True,
                 before=None, source=None):
        """
        `before`: speaks in the clear with what goes before the handshake, a Connection. `source`: the address to come
        from; all of 127.0.0.0/8 are this machine's.
        """
        self.socket = socket.create_connection((host, port), PATIENCE, source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if before:
            before(Connection(self.socket))
        self.local = self.socket.getsockname()
        self.context = context or client_context()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)
        self.held = b""
        self.ended = None  # "close_notify", or "eof" for a connection that just ended
        if shake_hands:
            self.shake_hands()

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.socket.sendall(data)

    def fill(self):
        """More ciphertext; False at the end."""
        data = self.socket.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        return data != b""

    def shake_hands(self):
        while True:
            try:
                self.tls.do_handshake()
                self.cipher = self.tls.cipher()
                return self.flush()
            except ssl.SSLWantReadError:
                self.flush()
                if not self.fill():
                    raise AssertionError("closed in the handshake") from None

    def seal(self, data):
        """Ciphertext for the data, not sent yet."""
        self.tls.write(data)
        return self.outgoing.read()

    def send(self, data):
        self.socket.sendall(self.seal(data))

    def send_and_receive(self, sealed):
        """
        Sends ciphertext and takes in what comes meanwhile, to be read later, until all is out or the other side has
        ended. Nothing is flushed in between: it would land in the middle of a record.
        """
        left = memoryview(sealed)
        with contextlib.suppress(OSError):
            while left:
                readable, writable, _ = select.select([self.socket], [self.socket], [], PATIENCE)
                if readable and not self.fill():
                    return
                if writable:
                    left = left[self.socket.send(left[:65536]):]

    def more(self):
        """Reads on; False where the input has ended."""
        while self.ended is None:
            try:
                data = self.tls.read(65536)
                if data:
                    self.held += data
                    return True
                self.ended = "close_notify"
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()
            except ssl.SSLZeroReturnError:
                self.ended = "close_notify"
            except (ssl.SSLEOFError, ConnectionResetError):
                self.ended = "eof"
        return False

    def line(self):
        while b"\r\n" not in self.held:
            if not self.more():
                raise AssertionError(f"the end ({self.ended}) in place of a line; there was {self.held!r}")
        line, self.held = self.held.split(b"\r\n", 1)
        return line

    def exactly(self, count):
        parts, size = [self.held], len(self.held)
        while size < count:
            self.held = b""
            if not self.more():
                raise AssertionError(f"{size} octets of {count}, then the end ({self.ended})")
            parts.append(self.held)
            size += len(self.held)
        data = b"".join(parts)
        self.held = data[count:]
        return data[:count]

    def ask(self, line):
        self.send(line + b"\r\n")
        return self.line()

    def rest(self):
        """All that comes before the end, which must be by close_notify (draft section 4.4); then closes as well."""
        while self.more():
            pass
        self.close()
        if self.ended != "close_notify":
            raise AssertionError(f"closed without close_notify, after {self.held!r}")
        data, self.held = self.held, b""
        return data

    def last_flight(self):
        """Shakes hands as far as its own last flight, which is returned in place of being sent."""
        while True:
            try:
                self.tls.do_handshake()
                return self.outgoing.read()
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()

    def send_close_notify(self, before=b""):
        """Says that nothing more comes, in one write with the ciphertext before it; reading goes on."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.socket.sendall(before + self.outgoing.read())

    def finish(self):
        """FIN."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        reset(self.socket)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def client_context(minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.TLSv1_3, authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version, context.maximum_version = minimum, maximum
    if authority:
        context.load_verify_locations(authority)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def can_read(sock, seconds):
    return bool(select.select([sock], [], [], seconds)[0])


def can_write(sock, seconds):
    return bool(select.select([], [sock], [], seconds)[1])


# ---- scripts ----

def pop3(connection, greeting=b"+OK ready", messages=()):
    """A POP3 server: anybody may log in; STAT tells nothing but how many commands there were."""
    connection.send(greeting + b"\r\n")
    commands = 0
    while (line := connection.line()) is not None:
        commands += 1
        word, _, argument = line.partition(b" ")
        if word == b"QUIT":
            return connection.send(b"+OK bye\r\n")
        if word == b"RETR":
            connection.send(b"+OK\r\n" + messages[int(argument)] + b".\r\n")
        elif word == b"STAT":
            connection.send(b"+OK %d 0\r\n" % commands)
        elif word == b"CAPA":
            connection.send(b"+OK\r\nTOP\r\nUSER\r\n.\r\n")
        else:
            connection.send(b"+OK " + word + b"\r\n")


def imap(connection, greeting=b"* OK [CAPABILITY IMAP4rev1] ready"):
    connection.send(greeting + b"\r\n")
    while (line := connection.line()) is not None:
        tag, _, command = line.partition(b" ")
        word = command.split(b" ")[0].upper()
        if word == b"LOGOUT":
            return connection.send(b"* BYE see you\r\n" + tag + b" OK LOGOUT done\r\n")
        connection.send(tag + b" OK " + word + b" done\r\n")


def submission(connection, greeting=b"220 msa.example.com ESMTP"):
    connection.send(greeting + b"\r\n")
    while (line := connection.line()) is not None:
        word = line.split(b" ")[0].upper()
        if word == b"QUIT":
            return connection.send(b"221 2.0.0 bye\r\n")
        if word == b"EHLO":
            connection.send(b"250-msa.example.com\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        else:
            connection.send(b"250 2.0.0 " + word + b"\r\n")


SCRIPTS = {"imap": imap, "pop3": pop3, "submission": submission}
STARTTLS = {"imap": (b"a STARTTLS", b"a OK"), "pop3": (b"STLS", b"+OK"), "submission": (b"STARTTLS", b"220")}


def starttls(protocol, behind=b""):
    """For Client: asks for TLS, with octets in the same segment that an attacker might have put there."""
    def speak(connection):
        command, answer = STARTTLS[protocol]
        connection.line()
        connection.send(command + b"\r\n" + behind)
        line = connection.line()
        assert line.startswith(answer), line
    return speak


# ---- TLS of the backends' ----

def server_context(folder, minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.TLSv1_3, clients=None):
    """With the certificate that certificates.make has put there. `clients`: the authority of those that may come."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = minimum, maximum
    context.load_cert_chain(folder / "mail.pem", folder / "mail.key")
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context


# By protocol: the dialogue in the clear, and the question over TLS; what the server says, and what it wants to hear.
ASKED_FOR_TLS = {
    "imap": [(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] in the clear\r\n", b"s1 STARTTLS"), (b"s1 OK go\r\n", None)],
    "pop3": [(b"+OK in the clear <1.2@3>\r\n", b"STLS"), (b"+OK go\r\n", None)],
    "submission": [(b"220-in the\r\n220 clear\r\n", b"EHLO proxy.example.com"),
                   (b"250-in.the.clear\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", b"STARTTLS"), (b"220 go\r\n", None)],
}
ASKED_OVER_TLS = {
    "imap": (b"s2 CAPABILITY", b"* CAPABILITY IMAP4rev1 XSECURED\r\ns2 OK done\r\n"),
    "pop3": (b"CAPA", b"+OK\r\nUSER\r\n.\r\n"),
    "submission": (b"NOOP", b"250 2.0.0 here I am\r\n"),
}


def speak_before_tls(connection, protocol):
    for words, wanted in ASKED_FOR_TLS[protocol]:
        connection.send(words)
        if wanted:
            heard = connection.line()
            assert heard == wanted, heard


class Unheard(Connection):
    """Says the greeting of a script to nobody: behind STARTTLS there is none."""

    greeted = False

    def send(self, data):
        super().send(data if self.greeted else data.partition(b"\n")[2])
        self.greeted = True


def over_tls(script, context, starttls=None, on_secured=None):
    """The script behind TLS, implicit or, in the protocol `starttls`, asked for. `on_secured` gets the SSLSocket."""
    def serve(connection):
        if starttls:
            speak_before_tls(connection, starttls)
        try:
            secured = context.wrap_socket(connection.socket, server_side=True)
        except (ssl.SSLError, ConnectionError):
            return  # the proxy does not take it: that is for the test to find out
        with secured:
            if on_secured:
                on_secured(secured)
            talk = Unheard(secured) if starttls else Connection(secured)
            if starttls:
                question, answer = ASKED_OVER_TLS[starttls]
                heard = talk.line()
                if heard is None:
                    return
                assert heard == question, heard
                secured.sendall(answer)
            with contextlib.suppress(ssl.SSLZeroReturnError, ssl.SSLEOFError):  # the proxy may go away at any time
                script(talk)
            with contextlib.suppress(OSError, ValueError):
                secured.unwrap()
    return serve


# ---- tests ----

class TestCase(unittest.TestCase):
    """A folder for the file's tests; what a test starts is ended with it, the proxy first, all of it checked."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()

    @classmethod
    def tearDownClass(cls):
        cls.folder.remove()

    def backend(self, script, **options):
        backend = Backend(script, **options)
        self.addCleanup(backend.close)
        return backend

    def start(self, services, **options):
        """A proxy with services as in configuration(); given as {name: servers} they are of the protocol so named."""
        full = {}
        for name, service in services.items():
            full[name] = service if isinstance(service, tuple) else (name, ["127.0.0.1:0"], service, "none")
        path = self.folder.write("deepproxy.conf", configuration(full, **options))
        proxy = Proxy(path)
        self.addCleanup(proxy.stop)
        return proxy

    def client(self, proxy, service, **options):
        client = Client(proxy.port(service), **options)
        self.addCleanup(client.close)
        return client

    def wait_until(self, condition):
        """For the few things that nobody tells about."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, "what was waited for did not come")
            time.sleep(0.01)


class Events:
    """What a script tells its test."""

    def __init__(self):
        self.queue = queue.Queue()

    def tell(self, event):
        self.queue.put(event)

    def wait(self):
        return self.queue.get(timeout=PATIENCE)
