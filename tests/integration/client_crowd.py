# SPDX-License-Identifier: BSD-2-Clause
"""
Many TLS clients in one thread: each has a short session, or none, and remembers how long it has waited for what. How long
this process itself stood still meanwhile, on a busy machine, counts against nobody.
"""

import asyncio
import contextlib
import dataclasses
import time

from proxy import PATIENCE
from tls_client import client_context

GOODBYES = (b"-ERR", b"* BYE", b"421")
PULSE = 0.02


@dataclasses.dataclass
class Visit:
    """What one client has seen."""

    begun: float
    ended: float = 0
    waited: float = 0  # from the end of its handshake to its greeting, or to what came in place of it
    greeting: bytes = b""  # the first line; nothing if there was none
    served: bool = False  # it was greeted, and its session has ended as it should
    error: str = ""
    server: str = ""  # "s7"

    @property
    def turned_away(self):
        return not self.greeting or self.greeting.startswith(GOODBYES)


class Crowd:
    def __init__(self, port, host="127.0.0.1"):
        self.port, self.host = port, host
        self.context = client_context()
        self.stalls = []  # when, how long

    async def pulse(self):
        """Notes when this process stood still."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(PULSE)
            now = time.monotonic()
            if now - before > 3 * PULSE:
                self.stalls.append((now, now - before - PULSE))
            before = now

    def stalled(self, begin, end):
        return sum(length for when, length in self.stalls if begin <= when <= end + 2 * PULSE)

    async def visit(self, source=None, talk=None):
        visit = Visit(time.monotonic())
        writer = None
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self.context, server_hostname="localhost",
                                                               local_addr=source and (source, 0), limit=1 << 23)
                begun = time.monotonic()
                visit.greeting = (await reader.readline()).rstrip(b"\r\n")
                end = time.monotonic()
                await asyncio.sleep(0)
                visit.waited = max(0, end - begun - self.stalled(begun, end))
                visit.server = next((word for word in visit.greeting.decode().split() if word[:1] == "s" and word[1:].isdigit()), "")
                if not visit.turned_away:
                    await (talk or short_pop3)(reader, writer)
                    visit.served = True
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError, AssertionError) as error:
            visit.error = repr(error)
        finally:
            visit.ended = time.monotonic()
            if writer:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        return visit

    async def flow(self, rate, seconds, **options):
        """So many clients a second, for so long, whatever becomes of those before. Their visits."""
        begun = time.monotonic()
        tasks = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0, begun + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(self.visit(**options)))
        return await asyncio.gather(*tasks)

    async def stay(self, count, seconds, **options):
        """So many clients all the time, each after another's end, for so long. The visits."""
        end = time.monotonic() + seconds

        async def come_again():
            visits = []
            while time.monotonic() < end:
                visits.append(await self.visit(**options))
            return visits
        return [visit for visits in await asyncio.gather(*[come_again() for _ in range(count)]) for visit in visits]


async def short_pop3(reader, writer):
    writer.write(b"CAPA\r\n")
    while (line := await reader.readline()) != b".\r\n":
        assert line, "the end in the middle of an answer"
    writer.write(b"QUIT\r\n")
    line = await reader.readline()
    assert line.startswith(b"+OK"), line
    assert await reader.read() == b""


@contextlib.asynccontextmanager
async def watched(*crowds):
    """Their processes' stalls are noted while in this context."""
    tasks = [asyncio.create_task(crowd.pulse()) for crowd in crowds]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
