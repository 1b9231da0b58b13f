# SPDX-License-Identifier: BSD-2-Clause
"""
Messages on their way while servers fail around them, or are cut off for a while and come back: no octet is lost, none comes
twice, and whoever is told that a message has arrived has had it delivered whole.
"""

import asyncio
import hashlib
import os
import random

import harness
from bad_weather import BadWeather
from client_crowd import Crowd
from server_farm import Farm, pattern

SCALE = max(1.0, float(os.environ.get("DEEPPROXY_TEST_SCALE", 1)))
SECONDS, CLIENTS = 12, 6
SIZES = (100, 400_000)


class Transfers(harness.TestCase):
    def setUp(self):
        self.random = random.Random(7)
        self.delivered = []  # of messages whose end was confirmed: digests
        self.begun = set()

    def message(self):
        return pattern(str(self.random.random()), self.random.randint(*SIZES))

    def begin(self, message):
        digest = hashlib.sha256(message).hexdigest()
        self.begun.add(digest)
        return digest

    async def imap(self, reader, writer):
        for number in range(3):
            message = self.message()
            digest = self.begin(message)
            writer.write(b"a%d APPEND INBOX {%d}\r\n" % (number, len(message)))
            await expect(reader, b"+ ")
            writer.write(message + b"\r\n")
            await expect(reader, b"a%d OK" % number)
            self.delivered.append(digest)
            seed, size = str(self.random.random()), self.random.randint(*SIZES)
            writer.write(f"f{number} FETCH {seed}x{size}\r\n".encode())
            await expect(reader, b"* 1 FETCH")
            data = await reader.readexactly(size)
            self.wrong += data != pattern(seed, size)
            await expect(reader, b")")
            await expect(reader, b"f%d OK" % number)
        writer.write(b"z LOGOUT\r\n")
        await expect(reader, b"* BYE")
        await expect(reader, b"z OK")

    async def submission(self, reader, writer):
        for line, answer in ((b"EHLO me", b"250"), (b"MAIL FROM:<a@example.com>", b"250"), (b"RCPT TO:<b@example.com>", b"250"),
                             (b"DATA", b"354")):
            writer.write(line + b"\r\n")
            while (await expect(reader, answer))[3:4] == b"-":
                pass
        message = self.message()
        digest = self.begin(message)
        writer.write(message + b".\r\n")
        await expect(reader, b"250")
        self.delivered.append(digest)
        writer.write(b"QUIT\r\n")
        await expect(reader, b"221")

    def check(self, protocol, talk):
        pid = os.getpid()
        farm = Farm(protocol, 6, f"127.{64 + (pid >> 16 & 63)}.{(pid >> 8) + 31 & 255}")
        self.addCleanup(farm.close)
        proxy = self.start({protocol: (protocol, ["127.0.0.1:0"], farm.addresses, "none")}, extra="workers = 2;", pool="check = false;")
        weather = BadWeather(farm, range(4))
        crowd = Crowd(proxy.port(protocol))
        self.wrong = 0

        async def run():
            visits, _ = await asyncio.gather(crowd.stay(CLIENTS, SECONDS * SCALE, talk=talk), weather.run(SECONDS * SCALE - 1))
            return visits
        visits = asyncio.run(run())
        print(f"{protocol}: {len(visits)} sessions, {len(self.delivered)} messages delivered, {weather.changes} changes of servers, "
              f"{sum(not visit.served for visit in visits)} sessions ended by their server", flush=True)
        self.assertEqual([visit for visit in visits if not visit.served and not weather.explains(visit)], [])
        self.assertEqual(self.wrong, 0)
        self.assertGreater(len(self.delivered), 10 * SCALE)
        arrived = farm.digests()
        self.assertEqual(len(arrived), len(set(arrived)), "a message has arrived twice")
        self.assertEqual(set(arrived) - self.begun, set(), "a message has arrived that nobody has sent")
        self.assertEqual(set(self.delivered) - set(arrived), set(), "a message that was confirmed has not arrived")

    def test_imap(self):
        self.check("imap", self.imap)

    def test_submission(self):
        self.check("submission", self.submission)


async def expect(reader, beginning):
    line = await reader.readline()
    assert line.startswith(beginning), (beginning, line)
    return line


if __name__ == "__main__":
    harness.main()
