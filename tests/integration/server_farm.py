# SPDX-License-Identifier: BSD-2-Clause
"""
Dozens of mail servers in one process, each of which fails as a test tells it. A test holds a Farm; this file, run as a
program, is the process.

Modes: `serve`; `refuse`: nobody listens; `full`: connections are not accepted, as the queue is full; `silent`: they are,
and nothing follows; `partition`: each segment that comes is dropped, of what was there before too; `close`: they end at
once; `slow SECONDS`: the greeting comes so late; `busy`: the greeting refuses. `kill` is no mode: it resets all
connections.
"""

import asyncio
import contextlib
import ctypes
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
DROP = struct.pack("HBBI", 0x06, 0, 0, 0)  # a filter that takes nothing
GREETINGS = {"pop3": ("+OK s%d ready", "-ERR [SYS/TEMP] s%d is busy"), "imap": ("* OK [CAPABILITY IMAP4rev1] s%d ready", "* BYE s%d is busy"),
             "submission": ("220 s%d ESMTP", "421 4.3.2 s%d is busy")}
CHUNK = 65536


def pattern(seed, size):
    """The octets of a message: lines of 72 hexadecimal digits, none of which begins with a dot."""
    lines, block = [], hashlib.sha512(seed.encode()).hexdigest()[:72].encode()
    for number in range(size // 74 + 1):
        lines.append(b"%08x" % number + block[8:] + b"\r\n")
    return b"".join(lines)[:size - 2] + b"\r\n"


def without_trace(message):
    """A message without the field Received that a proxy has put before it."""
    if not message.startswith(b"Received:"):
        return message
    lines = message.split(b"\r\n")
    end = next(number for number, line in enumerate(lines[1:], 1) if not line.startswith((b" ", b"\t")))
    return b"\r\n".join(lines[end:])


# ---- in the test ----

class Farm:
    """So many servers of a protocol, at addresses of this test's own. They serve at once."""

    def __init__(self, protocol, count, host=None):
        host = host or "127.%d.%d" % (64 + (os.getpid() >> 16 & 63), os.getpid() >> 8 & 255)
        self.process = subprocess.Popen([sys.executable, "-B", __file__, protocol, str(count), host, str(os.getpid() & 255)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addresses = json.loads(self.process.stdout.readline())

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def set(self, index, mode):
        """Returns when the server is in that mode."""
        self.ask("set", index, mode)

    def kill(self, index):
        """Resets its connections; returns how many there were."""
        return self.ask("kill", index)

    def counts(self):
        """Of each server: connections that were accepted since it was asked last, and the most at once."""
        return self.ask("counts")

    def digests(self):
        """Of the messages that were delivered since it was asked last, in order of their end."""
        return self.ask("digests")

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


# ---- in the process ----

class Server:
    def __init__(self, protocol, index, host):
        self.protocol, self.index = protocol, index
        self.listener = self.accepting = None
        self.host, self.port = host, 0
        self.mode, self.delay = "serve", 0
        self.sockets, self.waiting = {}, []  # by socket, its writer; those that fill the queue
        self.count = self.most = 0
        self.digests = []
        self.listen(512)

    def listen(self, backlog):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.host, self.port))
        self.listener.listen(backlog)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]

    def stop_listening(self):
        for sock in [self.listener, *self.waiting]:
            if sock:
                sock.close()
        self.listener, self.waiting = None, []

    def filter(self, drops):
        program = (ctypes.c_ubyte * len(DROP))(*DROP)
        option = struct.pack("HxxxxxxP", 1, ctypes.addressof(program)) if drops else struct.pack("i", 0)
        for sock in [*filter(None, [self.listener]), *self.sockets]:
            with contextlib.suppress(OSError):  # there is none to detach
                sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER if drops else SO_DETACH_FILTER, option)

    async def set(self, mode, delay=0):
        if self.accepting:
            self.accepting.cancel()
        self.accepting = None
        self.filter(False)
        if mode in ("refuse", "full") or self.mode in ("refuse", "full"):
            self.stop_listening()
        self.mode, self.delay = mode, float(delay)
        if mode != "refuse" and not self.listener:
            self.listen(0 if mode == "full" else 512)
        if mode == "full":
            for _ in range(4):
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(self.listener.getsockname())
                self.waiting.append(sock)
        elif mode == "partition":
            self.filter(True)
        elif mode != "refuse":
            self.accepting = asyncio.create_task(self.accept())

    async def accept(self):
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self.listener)
            asyncio.create_task(self.serve(sock))

    def kill(self):
        count = len(self.sockets)
        for sock, writer in list(self.sockets.items()):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return count

    async def serve(self, sock):
        self.count += 1
        reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 23)
        self.sockets[sock] = writer
        self.most = max(self.most, len(self.sockets))
        if self.mode == "partition":
            self.filter(True)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self.greet(reader, writer)
        del self.sockets[sock]
        writer.close()

    async def greet(self, reader, writer):
        mode, greetings = self.mode, GREETINGS[self.protocol]
        if mode == "close":
            return
        if mode == "silent":
            await reader.read()
            return
        if mode == "slow":
            await asyncio.sleep(self.delay)
        writer.write((greetings[mode == "busy"] % self.index).encode() + b"\r\n")
        if mode == "busy":
            await reader.read()
        else:
            await {"pop3": self.pop3, "imap": self.imap, "submission": self.submission}[self.protocol](reader, writer)

    async def send(self, writer, data):
        for at in range(0, len(data), CHUNK):
            writer.write(data[at:at + CHUNK])
            await writer.drain()

    async def pop3(self, reader, writer):
        while line := await reader.readline():
            word, _, argument = line.decode().strip().partition(" ")
            if word == "RETR":
                seed, size = argument.split("x")
                await self.send(writer, b"+OK\r\n" + pattern(seed, int(size)) + b".\r\n")
                continue
            writer.write(b"+OK\r\nUSER\r\n.\r\n" if word == "CAPA" else b"+OK %s\r\n" % word.encode())
            if word == "QUIT":
                return

    async def imap(self, reader, writer):
        while line := await reader.readline():
            tag, _, command = line.decode().strip().partition(" ")
            word, _, argument = command.partition(" ")
            if word == "APPEND":
                size = int(argument.rpartition("{")[2].rstrip("}"))
                writer.write(b"+ go\r\n")
                data = await reader.readexactly(size)
                self.digests.append(hashlib.sha256(data).hexdigest())
                await reader.readline()
            elif word == "FETCH":
                seed, size = argument.split("x")
                await self.send(writer, b"* 1 FETCH (BODY[] {%d}\r\n" % int(size) + pattern(seed, int(size)) + b")\r\n")
            elif word == "LOGOUT":
                writer.write(b"* BYE\r\n")
            writer.write(f"{tag} OK {word} done\r\n".encode())
            if word == "LOGOUT":
                return

    async def submission(self, reader, writer):
        while line := await reader.readline():
            word = line.decode().strip().split(" ")[0].upper()
            if word == "DATA":
                writer.write(b"354 go\r\n")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.digests.append(hashlib.sha256(without_trace(data[:-3])).hexdigest())
            writer.write(b"250-s\r\n250 8BITMIME\r\n" if word == "EHLO" else b"221 bye\r\n" if word == "QUIT" else b"250 2.0.0 ok\r\n")
            if word == "QUIT":
                return


async def obey(servers, words):
    verb = words[0]
    if verb == "set":
        for server in servers if words[1] == "all" else [servers[int(words[1])]]:
            await server.set(*words[2:])
    elif verb == "kill":
        return servers[int(words[1])].kill()
    elif verb == "counts":
        answer = [(server.count, server.most) for server in servers]
        for server in servers:
            server.count, server.most = 0, len(server.sockets)
        return answer
    elif verb == "digests":
        answer = [digest for server in servers for digest in server.digests]
        for server in servers:
            server.digests = []
        return answer
    return True


async def main(protocol, count, host, last):
    servers = [Server(protocol, index, f"{host}.{last}") for index in range(int(count))]
    for server in servers:
        await server.set("serve")
    print(json.dumps([f"{server.host}:{server.port}" for server in servers]), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await obey(servers, line.decode().split())), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
