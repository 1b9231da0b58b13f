# SPDX-License-Identifier: BSD-2-Clause
"""`--against`: this deepproxy and another build of it, both up at once, in turn. See README.md."""

import json
import os
import platform
import statistics
import time

import figures
import instructions
import machine
import measure
import stage
import systems
import turns
from paired import Change
from stage import say

PAIRS_IN_A_LIFE = 10    # then both start again: how memory came to lie is chance too
IDLE_PAIRS = 6          # memory hardly varies, and six are enough for an interval
INSTRUCTION_LIVES = 3   # nor do instructions
TROUBLES = (figures.Trouble, measure.Vanished, FileNotFoundError)


class Against:
    """One run: what its measurements share, and their results."""

    def __init__(self, chosen, directory, stack):
        self.chosen = chosen
        self.stack = stack
        self.directory = directory
        self.proxy_core, self.load_core = stage.cores_for(chosen.workers)
        self.programs = stage.programs(chosen.build)
        self.certificate = stage.make_certificate(directory, chosen.key)
        self.backend_port = stack.enter_context(stage.backend(self.programs.backend, self.load_core))
        self.new = systems.Deepproxy(chosen.proxy.resolve())
        self.old = systems.Against(chosen.against.resolve())
        self.new.workers = self.old.workers = chosen.workers
        self.figures = [figure for figure in figures.FIGURES if figure.name in chosen.only]
        self.counts_instructions = instructions.are_counted()
        self.units = {}         # figure -> of one turn
        self.pairs = {}         # figure -> [(cost of the new one, of the old one)]
        self.instructions = {}  # the same
        self.troubles = {}      # figure -> why it is not valid

    def start(self, system):
        system.start(self.directory, self.proxy_core, self.certificate, self.backend_port)

    def start_both(self, life):
        """The order of starting and of measuring is another in each life."""
        both = (self.new, self.old) if life % 2 == 0 else (self.old, self.new)
        for system in both:
            system.stop()
        for system in both:
            self.start(system)
        return both

    def take_turns(self, figure, both, count, life):
        """So many pairs, after a first turn of each that does not count."""
        with turns.contenders(figure, both, self.programs.load, self.load_core) as (first, second):
            if figure not in self.units:
                self.units[figure] = turns.units_for(figure, first, self.chosen.seconds)
            units = self.units[figure]
            for contender in (first, second):
                contender.turn(units)
            swap = first.system is self.old
            for pair in turns.pairs(first, second, units, count):
                self.pairs.setdefault(figure, []).append(pair[::-1] if swap else pair)
            if self.counts_instructions and life < INSTRUCTION_LIVES:
                pair = tuple(instructions.of_turn(contender, units) for contender in (first, second))
                if None not in pair:
                    self.instructions.setdefault(figure, []).append(pair[::-1] if swap else pair)

    def take_idle(self, figure, both):
        taken = {}
        for system in both:
            system.stop()
            self.start(system)
            taken[system], _ = figures.take_idle(system, self.programs.load, self.load_core,
                                                  "Pss_Anon")
        self.pairs.setdefault(figure, []).append((taken[self.new], taken[self.old]))

    def take(self, figure, both, life, count):
        try:
            if figure.mode != "idle":
                self.take_turns(figure, both, count, life)
            elif life < IDLE_PAIRS:
                self.take_idle(figure, both)
        except TROUBLES as trouble:
            ended = [f"; {system.name} has ended: {system.last_words()}" for system in both if not system.alive()]
            self.troubles[figure] = f"{trouble}{''.join(ended)}"
            say(f"  {figure.name:9} not valid: {self.troubles[figure]}")

    def measure_all(self):
        """Figures take turns too, so that a disturbance of some seconds is shared by all of them."""
        self.stack.callback(self.new.stop)
        self.stack.callback(self.old.stop)
        begin = time.monotonic()
        left = self.chosen.repeat
        lives = -(-left // PAIRS_IN_A_LIFE)
        for life in range(max(lives, IDLE_PAIRS if "idle" in self.chosen.only else 0)):
            count = min(left, PAIRS_IN_A_LIFE)
            left -= count
            both = self.start_both(life)
            for figure in self.figures:
                if figure not in self.troubles and (count > 0 or figure.mode == "idle"):
                    self.take(figure, both, life, count)
                if not all(system.alive() for system in both):
                    both = self.start_both(life)
            say(f"  {self.chosen.repeat - left} of {self.chosen.repeat} rounds, {time.monotonic() - begin:.0f} seconds")

    def changes(self):
        """Figure -> change, of those that are valid."""
        return {figure: Change.of(self.pairs[figure]) for figure in self.figures
                if figure in self.pairs and figure not in self.troubles}


def percent(change):
    return f"{100 * change:+.1f} %"


def spread(ends):
    return f"{100 * ends[0]:+.1f} to {100 * ends[1]:+.1f} %" if ends else "-"


def costs(figure, pairs):
    """Medians of the new and of the old one, in the figure's unit."""
    return [f"{statistics.median(one) * figure.cost[1]:,.3f}" for one in zip(*pairs)]


def rows(run):
    yield ["", "", "against", "deepproxy", "change", "95 % interval", "half of all pairs", "pairs", ""]
    changes = run.changes()
    for figure, change in changes.items():
        new, old = costs(figure, run.pairs[figure])
        yield [figure.title, figure.cost[0], old, new, percent(change.median), spread(change.interval),
               spread(change.quartiles), str(change.pairs), change.verdict(run.chosen.within)]
    for figure, pairs in run.instructions.items():
        if figure in changes:
            change = Change.of(pairs)
            new, old = (f"{statistics.median(one):,.0f}" for one in zip(*pairs))
            yield [figure.title, "instructions each", old, new, percent(change.median), "", spread(change.quartiles),
                   str(change.pairs), ""]


def print_table(run):
    table = list(rows(run))
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        cells = [cell.ljust(width) if column in (0, 1, 8) else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())
    for figure, trouble in run.troubles.items():
        print(f"not valid: {figure.name}: {trouble}")


def as_json(run, load_before):
    results = [{"figure": figure.name, "change": change.median, "interval": change.interval,
                "quartiles": change.quartiles, "verdict": change.verdict(run.chosen.within),
                "units_of_a_turn": run.units.get(figure), "cost_unit": figure.cost[0], "cost_factor": figure.cost[1],
                "pairs_new_old": run.pairs[figure], "instructions_new_old": run.instructions.get(figure, [])}
               for figure, change in run.changes().items()]
    return {"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cpu": stage.cpu_model(),
            "kernel": platform.release(), "congestion_control": machine.congestion_control(),
            "load_average_before": load_before, "cipher": figures.CIPHER, "key": run.chosen.key,
            "seconds": run.chosen.seconds, "rounds": run.chosen.repeat, "workers": run.chosen.workers, "within": run.chosen.within,
            "deepproxy": str(run.new.program), "against": str(run.old.program),
            "versions": {system.name: system.version() for system in (run.new, run.old)}, "results": results,
            "troubles": {figure.name: trouble for figure, trouble in run.troubles.items()}}


def take_machine():
    if not machine.take_real_time():
        say("bench: no real-time priority: other programs will disturb the figures")
    if not machine.take_network():
        say(f"bench: no network of our own: the machine's TCP ({machine.congestion_control()}) may disturb bulk data")


def run(chosen, directory, stack):
    """The exit status: 1 if a figure is not valid, or surely worse than --within allows."""
    load_before = os.getloadavg()
    take_machine()
    comparison = Against(chosen, directory, stack)
    try:
        comparison.measure_all()
    except systems.Unavailable as trouble:
        say(f"bench: {trouble}")
        return 1
    print_table(comparison)
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(as_json(comparison, load_before), indent=2) + "\n")
    say(f"bench: all pairs are in {chosen.json}")
    worse = chosen.within is not None and any(change.is_worse(chosen.within)
                                              for change in comparison.changes().values())
    return 1 if worse or comparison.troubles else 0
