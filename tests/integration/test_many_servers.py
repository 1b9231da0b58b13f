# SPDX-License-Identifier: BSD-2-Clause
"""
Dozens of servers that refuse, hang, are cut off, come and go, and what clients feel of it: pools without checks, so that
what sessions see is all there is. DEEPPROXY_TEST_SCALE makes the times longer.
"""

import asyncio
import contextlib
import os
import time

import harness
from client_crowd import Crowd, watched
from server_farm import Farm

SCALE = max(1.0, float(os.environ.get("DEEPPROXY_TEST_SCALE", 1)))
SETTLED = 10  # so long after a server has failed nobody waits for it any more
SHORT, KNOWN_DOWN = 1.0, 1.5
# What a machine that is busy with other tests takes from a client that it serves at once.
BUSY = 0.3
BACK = 30
PANIC_END = 5


class ManyServers(harness.TestCase):
    def farm(self, protocol, count):
        self.hosts = getattr(self, "hosts", 0) + 1
        pid = os.getpid()
        farm = Farm(protocol, count, f"127.{64 + (pid >> 16 & 63)}.{(pid >> 8) + 97 * self.hosts & 255}")
        self.addCleanup(farm.close)
        return farm

    def start_pools(self, farms, workers=2, timeouts="greeting = 20; connect = 20;", pool="check = false;", **options):
        services = {name: ("pop3", ["127.0.0.1:0"], farm.addresses, "none") for name, farm in farms.items()}
        return self.start(services, extra=f"workers = {workers};", timeouts=timeouts, pool=pool, **options)

    def run_flows(self, proxy, names, rate, seconds):
        """A flow of clients into each service at once; the visits of each."""
        crowds = {name: Crowd(proxy.port(name)) for name in names}

        async def flow():
            async with watched(*crowds.values()):
                return await asyncio.gather(*[crowd.flow(rate, seconds) for crowd in crowds.values()])
        return dict(zip(names, asyncio.run(flow())))

    def most(self, seconds):
        """The bound for a machine that is busy, or a sanitizer's program."""
        return seconds + BUSY + harness.SANITIZER_SECONDS * harness.is_sanitized()

    def assert_nobody_turned_away(self, name, visits):
        bad = [visit for visit in visits if not visit.served]
        self.assertEqual(bad, [], f"{name}: {len(bad)} of {len(visits)} were not served")

    def assert_few_wait(self, name, visits):
        slow = [round(visit.waited, 2) for visit in visits if visit.waited > self.most(SHORT)]
        print(f"{name}: {len(visits)} sessions, longest wait {max(visit.waited for visit in visits):.2f} s", flush=True)
        self.assertLessEqual(len(slow), max(1, len(visits) * 5 // 1000), f"{name}: waits of {slow} s")

    def not_back(self, proxy, name):
        states = {}
        for line in proxy.find(event="server-state", axis="state", pool=f"{name}-pool"):
            self.assertEqual(states.get(line["server"], "unchecked"), line["from"])  # no gap
            states[line["server"]] = line["to"]
        return [server for server, state in states.items() if state not in ("up", "unchecked")]


class Hanging(ManyServers):
    FAILING = {"full": [0], "silent": [1], "partition": [2], "side-by-side": range(20), "every-other": range(0, 40, 2),
               "silent-half": [0, 1]}
    MODES = {"side-by-side": "refuse", "every-other": "refuse", "silent-half": "silent"}

    def test_nobody_is_turned_away_and_few_wait(self):
        farms = {name: self.farm("pop3", 40 if len(failing) == 20 else 4 if len(failing) == 2 else 3)
                 for name, failing in self.FAILING.items()}
        proxy = self.start_pools(farms)
        self.run_flows(proxy, farms, 4, 3)  # the usual times are known
        for name, failing in self.FAILING.items():
            for index in failing:
                farms[name].set(index, self.MODES.get(name, name))
        for name, visits in self.run_flows(proxy, farms, 4, SETTLED).items():
            self.assert_nobody_turned_away(name, visits)
        for farm in farms.values():
            farm.counts()
        for name, visits in self.run_flows(proxy, farms, 8, 10 * SCALE).items():
            self.assert_nobody_turned_away(name, visits)
            self.assert_few_wait(name, visits)
        # One session at a time, over all workers.
        for name in ("silent", "silent-half"):
            counts = farms[name].counts()
            for index in self.FAILING[name]:
                self.assertLessEqual(counts[index][1], 1, f"{name}: at once at s{index}")
        self.assertEqual(proxy.find(event="pool-panic"), [])
        self.come_back(proxy, farms)

    def come_back(self, proxy, farms):
        for name, failing in self.FAILING.items():
            for index in failing:
                farms[name].set(index, "serve")
        served = {}
        end = time.monotonic() + BACK + harness.SOON
        while len(served) < len(farms) and time.monotonic() < end:
            for name, visits in self.run_flows(proxy, [name for name in farms if name not in served], 6, 2).items():
                self.assert_nobody_turned_away(name, visits)
                left = self.not_back(proxy, name)
                if not left:
                    served[name] = True
        self.assertEqual({name: self.not_back(proxy, name) for name in farms if name not in served}, {})


class AllDown(ManyServers):
    FARMS = {"refuse": 4, "silent": 4, "partition": 4, "close": 4, "full": 1, "silent-one": 1}

    def test_clients_are_told_soon_and_the_log_is_quiet(self):
        farms = {name: self.farm("pop3", count) for name, count in self.FARMS.items()}
        proxy = self.start_pools(farms, timeouts="greeting = 4; connect = 4;")
        self.run_flows(proxy, farms, 4, 3)
        for name, farm in farms.items():
            farm.set("all", name.removesuffix("-one"))
        self.run_flows(proxy, farms, 3, 10)  # all are known to be down
        proxy.catch_up()
        seen, begun = len(proxy.lines), time.monotonic()
        for name, visits in self.run_flows(proxy, farms, 5, 10 * SCALE).items():
            longest = max(visit.waited for visit in visits)
            print(f"{name}: {len(visits)} sessions, longest wait {longest:.2f} s", flush=True)
            self.assertEqual([visit for visit in visits if not visit.greeting.startswith(b"-ERR [SYS/TEMP]")], [])
            self.assertLessEqual(longest, self.most(KNOWN_DOWN), name)
        proxy.catch_up()
        seconds = time.monotonic() - begun
        for name in farms:
            lines = [line for line in proxy.lines[seen:] if line.get("event") not in ("session", "server-state", "pool-panic", "reports") and
                     name in (line.get("service"), line.get("pool", "").removesuffix("-pool"))]
            self.assertLessEqual(len(lines), seconds + 1,
                                 f"{name}: {[(line['time'], line['event']) for line in lines]}")
            self.assertEqual([line["panic"] for line in proxy.find(event="pool-panic", pool=f"{name}-pool")], ["yes"])
        self.come_back(proxy, farms)

    def come_back(self, proxy, farms):
        """Each is tried soon, and panic is over when fewer than half of them are suspected."""
        for farm in farms.values():
            farm.set("all", "serve")
        begun = time.monotonic()
        while time.monotonic() < begun + BACK + harness.SOON:
            for name, visits in self.run_flows(proxy, farms, 6, 2).items():
                if time.monotonic() > begun + 4:
                    self.assert_nobody_turned_away(name, visits)
            told = {name: [line["panic"] for line in proxy.find(event="pool-panic", pool=f"{name}-pool")] for name in farms}
            if all(panic == ["yes", "no"] for panic in told.values()):
                return
        self.fail(f"panic: {told}")


class Slow(ManyServers):
    def test_servers_that_were_away_are_slow_now(self):
        """They serve, but not within the short time of a client who tries them: they are found all the same."""
        farms = {"alone": self.farm("pop3", 1), "all": self.farm("pop3", 2), "beside": self.farm("pop3", 3)}
        proxy = self.start_pools(farms, timeouts="greeting = 6; connect = 6;")
        self.run_flows(proxy, farms, 4, 3)
        farms["alone"].set("all", "silent")
        farms["all"].set("all", "silent")
        farms["beside"].set(0, "refuse")
        self.run_flows(proxy, farms, 3, 8)
        farms["alone"].set("all", "slow 1.5")
        farms["all"].set("all", "slow 1.5")
        farms["beside"].set(0, "slow 0.8")
        end = time.monotonic() + BACK + harness.SOON
        left = set(farms)
        while left and time.monotonic() < end:
            visits = self.run_flows(proxy, farms, 3, 3)
            left = {name for name in farms if not all(visit.served for visit in visits[name]) or self.not_back(proxy, name) or
                    len({visit.server for visit in visits[name]}) < len(farms[name].addresses)}
        self.assertEqual(left, set(), [visit.waited for visit in visits.get("alone", [])])

    def test_the_end_does_not_wait_for_servers_that_are_watched(self):
        farms = {"silent": self.farm("pop3", 3)}
        proxy = self.start_pools(farms, timeouts="greeting = 20; connect = 20;")
        self.run_flows(proxy, farms, 4, 1)
        farms["silent"].set(0, "silent")
        farms["silent"].set(1, "silent")
        self.run_flows(proxy, farms, 6, 5)
        # Their sessions have gone on, and the connections are there.
        self.wait_until(lambda: [most for _, most in farms["silent"].counts()][:2] == [1, 1])
        with self.takes(0, harness.SOON):
            proxy.stop()

    def test_servers_that_greet_slowly_on_purpose(self):
        """Some clients don't wait for them, such as checks by balancers."""
        farms = {"slow": self.farm("pop3", 4)}
        farms["slow"].set("all", "slow 3")
        proxy = self.start_pools(farms)

        self.run_flows(proxy, farms, 4, 1)  # the usual time is known

        async def impatient(port):
            for _ in range(10):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=harness.client_context(),
                                                               server_hostname="localhost")
                await asyncio.sleep(1)
                writer.close()
                await asyncio.sleep(0)
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

        async def flow():
            crowd = Crowd(proxy.port("slow"))
            async with watched(crowd):
                return (await asyncio.gather(crowd.flow(5, 8 * SCALE), impatient(crowd.port)))[0]
        self.assert_nobody_turned_away("slow", asyncio.run(flow()))
        self.assertEqual(proxy.find(event="server-state"), [])
        self.assertEqual(proxy.find(event="backend-failed"), [])


class Balance(ManyServers):
    SOURCES = [f"127.0.{number}.{number % 200 + 1}" for number in range(60)]

    def visit_from_each(self, proxy, name):
        """By source, the server that it has got."""
        crowd = Crowd(proxy.port(name))

        async def visit():
            return {source: (await crowd.visit(source=source)).server for source in self.SOURCES}
        return asyncio.run(visit())

    def test_a_source_has_its_server(self):
        """In both workers, in another proxy, and again when the server is back; one that is lost moves its own clients alone."""
        farm = self.farm("pop3", 6)
        proxy = self.start_pools({"one": farm, "other": farm}, pool='check = false; balance = "source-hash";',
                                 server=lambda number: f'name = "s{number}"; weight = {1 + number % 2};')
        before = self.visit_from_each(proxy, "one")
        self.assertEqual(set(before.values()), {f"s{number}" for number in range(6)})
        self.assertEqual(self.visit_from_each(proxy, "one"), before)
        self.assertEqual(self.visit_from_each(proxy, "other"), before)
        farm.set(3, "refuse")
        without = self.visit_from_each(proxy, "one")
        self.assertEqual({source for source in self.SOURCES if without[source] != before[source]},
                         {source for source in self.SOURCES if before[source] == "s3"})
        farm.set(3, "serve")
        self.wait_until(lambda: self.visit_from_each(proxy, "one") == before)

    def stay_and_count(self, proxy, farm, count):
        """Clients that stay: how many each server has."""
        clients = [self.client(proxy, "pool") for _ in range(count)]
        for client in clients:
            client.line()
        return [most for _, most in farm.counts()]

    def test_weights_over_both_workers(self):
        weights = (1, 2, 3, 4)
        for balance, slack in (("round-robin", 2), ("least-connections", 5)):
            with self.subTest(balance):
                farm = self.farm("pop3", 4)
                proxy = self.start_pools({"pool": farm}, pool=f'check = false; balance = "{balance}";',
                                         server=lambda number: f"weight = {weights[number]};")
                for count, weight in zip(self.stay_and_count(proxy, farm, 80), weights):
                    self.assertLessEqual(abs(count - 8 * weight), slack)

    def test_a_backup_is_for_need(self):
        farm = self.farm("pop3", 3)
        proxy = self.start_pools({"pool": farm}, pool="check = false;", server=lambda number: f"backup = {str(number == 2).lower()};")
        servers = lambda: {visit.server for visit in self.run_flows(proxy, ["pool"], 10, 1)["pool"]}  # noqa: E731
        self.assertEqual(servers(), {"s0", "s1"})
        farm.set(0, "refuse")
        self.assertEqual(servers(), {"s1"})
        farm.set(1, "refuse")
        self.assertEqual(servers(), {"s2"})
        farm.set(0, "serve")
        self.wait_until(lambda: servers() == {"s0"})

    def test_weight_zero_takes_none(self):
        farm = self.farm("pop3", 3)
        proxy = self.start_pools({"pool": farm}, pool="check = false;", server=lambda number: f"weight = {number};")
        self.assertEqual({visit.server for visit in self.run_flows(proxy, ["pool"], 10, 1)["pool"]}, {"s1", "s2"})
        farm.set(1, "refuse")
        farm.set(2, "refuse")
        self.assertEqual([visit.server for visit in self.run_flows(proxy, ["pool"], 5, 1)["pool"]], [""] * 5)


if __name__ == "__main__":
    harness.main()
