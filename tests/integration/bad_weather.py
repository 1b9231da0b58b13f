# SPDX-License-Identifier: BSD-2-Clause
"""Servers of a farm that fail at random, one change after the other, and which sessions' ends that explains."""

import asyncio
import random
import time

MODES = ("refuse", "silent", "partition", "close", "full", "slow 0.3", "busy", "serve", "serve", "serve")
PAUSES = (0.1, 0.8)
MARGIN = 0.3  # between what a server does and its client's seeing it


class BadWeather:
    """`among`: the servers that fail; the others serve all the time. `modes`: how; `calm`: the mode at the end."""

    def __init__(self, farm, among, seed=1, modes=MODES, calm="serve"):
        self.farm, self.among, self.random = farm, list(among), random.Random(seed)
        self.modes, self.calm = modes, calm
        self.kills = []  # when, and which server's connections were reset
        self.changes = 0

    async def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            index = self.random.choice(self.among)
            if self.random.random() < 0.3:
                self.kills.append((time.monotonic(), f"s{index}"))
                await asyncio.to_thread(self.farm.kill, index)
            else:
                await asyncio.to_thread(self.farm.set, index, self.random.choice(self.modes))
            self.changes += 1
            await asyncio.sleep(self.random.uniform(*PAUSES))
        for index in self.among:
            await asyncio.to_thread(self.farm.set, index, self.calm)

    def explains(self, visit):
        """A server's end was the session's, which had begun there."""
        return any(server == visit.server and visit.begun - MARGIN <= when <= visit.ended + MARGIN for when, server in self.kills)
