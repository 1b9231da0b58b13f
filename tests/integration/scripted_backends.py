# SPDX-License-Identifier: BSD-2-Clause
"""
Backends that follow a script, each connection in a thread of the test; the scripts of servers that do no harm; and TLS
around a script.
"""

import contextlib
import socket
import ssl
import threading

from connections import Connection
from proxy import PATIENCE


class Backend:
    """
    A server with a script, which is called for each connection with a Connection, in a thread of its own, and closes
    it by returning. What goes wrong in it is raised again at the end of the test. `path`: it listens on a Unix socket
    there; `place`: on this host and port; `backlog`: how many may wait.
    """

    def __init__(self, script, family=socket.AF_INET, path=None, place=None, backlog=512):
        self.script = script
        self.count = 0
        self.errors = []
        self.connections = []
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.listener.listen(backlog)
            self.address = f"unix:{path}"
        else:
            self.listener = socket.create_server(place or ("127.0.0.1" if family == socket.AF_INET else "::1", 0),
                                                 family=family, backlog=backlog)
            host, self.port = self.listener.getsockname()[:2]
            self.address = f"{host}:{self.port}" if family == socket.AF_INET else f"[{host}]:{self.port}"
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


# ---- over TLS ----

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
