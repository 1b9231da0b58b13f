# SPDX-License-Identifier: BSD-2-Clause
"""
Short sessions, as many as the time allows, while servers are killed, hang, are cut off and start again, are drained and made
ready, and the configuration is reloaded: each session that fails must have a cause that the test has made. DEEPPROXY_TEST_SCALE makes it
longer.
"""

import asyncio
import os
import random
import time

import harness
from bad_weather import BadWeather
from client_crowd import Crowd, watched
from server_farm import Farm

SCALE = max(1.0, float(os.environ.get("DEEPPROXY_TEST_SCALE", 1)))
SECONDS, CLIENTS = 20, 12
SERVERS, FAILING = 12, 6
POLICIES = ("round-robin", "least-connections", "source-hash")


class Soak(harness.TestCase):
    def write(self, farms, turn):
        """Weights and the order of servers change with each reload."""
        services, pools = [], []
        for name, farm in farms.items():
            order = farm.addresses[turn % SERVERS:] + farm.addresses[:turn % SERVERS]
            servers = ", ".join(f'{{ address = "{address}"; weight = {1 + (turn + index) % 3}; }}' for index, address in enumerate(order))
            services.append(f'{{ name = "{name}"; protocol = "pop3"; listen = [ "127.0.0.1:0" ]; backend = "{name}-pool"; }}')
            pools.append(f'{{ name = "{name}-pool"; identity = "none"; balance = "{name}"; check = false; servers = ( {servers} ); }}')
        text = harness.configuration({}, extra=f'workers = 2; admin = {{ socket = "{self.socket}"; }};')
        text = text.replace("services = (  );", f"services = ( {', '.join(services)} );")
        text = text.replace("backends = (  );", f"backends = ( {', '.join(pools)} );")
        return self.folder.write("deepproxy.conf", text)

    async def drain(self, farms, seconds):
        """One server at a time, some of those that serve."""
        end, chance, count = time.monotonic() + seconds, random.Random(3), 0
        while time.monotonic() < end:
            name = chance.choice(list(farms))
            server = f"{name}-pool/{chance.choice(farms[name].addresses)}"
            for verb in ("drain", "ready"):
                answer = await asyncio.to_thread(harness.run_program, "ctl", "-s", self.socket, verb, server)
                self.assertEqual(answer.returncode, 0, answer.stderr)
                await asyncio.sleep(0.4)
            count += 1
        return count

    async def reload(self, proxy, farms, seconds):
        turns = int(seconds / 1.5)
        for turn in range(1, turns + 1):
            await asyncio.sleep(1.5)
            self.write(farms, turn)
            self.assertEqual(await asyncio.to_thread(proxy.reload), "done")
        return turns

    def test_no_failure_without_a_cause(self):
        pid, seconds = os.getpid(), SECONDS * SCALE
        farms, self.socket = {}, self.folder.path / "admin.sock"
        for number, policy in enumerate(POLICIES):
            farms[policy] = Farm("pop3", SERVERS, f"127.{64 + (pid >> 16 & 63)}.{(pid >> 8) + 53 * (number + 1) & 255}")
            self.addCleanup(farms[policy].close)
        proxy = harness.Proxy(self.write(farms, 0))
        self.addCleanup(proxy.stop)
        weathers = {name: BadWeather(farm, range(FAILING), seed=number) for number, (name, farm) in enumerate(farms.items())}
        crowds = {name: Crowd(proxy.port(name)) for name in farms}

        async def run():
            async with watched(*crowds.values()):
                flows = [crowd.stay(CLIENTS // len(crowds), seconds) for crowd in crowds.values()]
                storms = [weather.run(seconds - 1) for weather in weathers.values()]
                *results, turns, drains = await asyncio.gather(*flows, *storms, self.reload(proxy, farms, seconds - 2),
                                                               self.drain(farms, seconds - 2))
                return dict(zip(farms, results)), turns, drains
        visits, turns, drains = asyncio.run(run())
        for name, of_pool in visits.items():
            failed = [visit for visit in of_pool if not visit.served]
            print(f"{name}: {len(of_pool)} sessions, {weathers[name].changes} changes of servers, {turns} reloads, {drains} drains; "
                  f"{len(failed)} sessions ended by their server", flush=True)
            self.assertEqual([visit for visit in failed if not weathers[name].explains(visit)], [])


if __name__ == "__main__":
    harness.main()
