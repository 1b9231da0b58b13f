# SPDX-License-Identifier: BSD-2-Clause
"""Two running proxies in turn: each does the same small piece of work, over and over, and says what it cost."""

import contextlib

import figures
import measure

CONNECTIONS_STAY_SECONDS = 60  # a turn that takes so long is worth nothing
LEAST_SHARE = 2


class Contender:
    """One proxy with its load for one figure; the connections stay from turn to turn."""

    def __init__(self, system, load):
        self.system = system
        self.load = load

    def turn(self, units):
        """CPU-nanoseconds for each unit, and the seconds that all took."""
        pid = self.system.pid
        before = measure.cpu_time(pid)
        result = self.load.work(units)
        cpu = measure.cpu_seconds_between(before, measure.cpu_time_when_quiet(pid))
        if result["units"] != units or cpu == 0:
            raise figures.Trouble(f"{result['units']} units of {units} were done in {cpu:.6f} CPU-seconds")
        return cpu * 1e9 / units, result["seconds"]


@contextlib.contextmanager
def contenders(figure, systems, load_program, core):
    """One for each system, ready."""
    with contextlib.ExitStack() as stack:
        ready = []
        for system in systems:
            load = stack.enter_context(figures.Load(load_program, core, system.port, figure.mode, "--seconds",
                                                    CONNECTIONS_STAY_SECONDS))
            measure.cpu_time_when_quiet(system.pid)
            ready.append(Contender(system, load))
        yield ready
        for contender in ready:
            contender.load.end()


def units_for(figure, contender, seconds):
    """How many units take so long; the same number for each connection, and two at least: the last ones run alone."""
    units = LEAST_SHARE * figure.connections
    while True:
        _, taken = contender.turn(units)
        if taken >= seconds / 2:
            share = units * seconds / taken / figure.connections
            return max(LEAST_SHARE, round(share)) * figure.connections
        units *= 2


def pairs(first, second, units, count):
    """Yields the costs of the first and of the second, which take turns: A B, B A, A B, ..."""
    for number in range(count):
        in_turn = (first, second) if number % 2 == 0 else (second, first)
        costs = {contender: contender.turn(units)[0] for contender in in_turn}
        yield costs[first], costs[second]
