#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds random dialogues of the reference models through the engines.

    run.py DRIVER --protocol [cleartext-]imap|pop3|submission [--seed N] [--dialogues N] [--keep-going] [--verbose]

DRIVER is the engine_driver that the build has made. Dialogue number i of seed s is always the same one; a failure
prints the seed that runs it alone (--dialogues 1) and a transcript made as small as leaving items out makes it.
DEEPPROXY_TEST_SCALE in the environment multiplies the number of dialogues.
"""
import argparse
import collections
import os
import sys
import time

import dialogue
import model_cleartext
import model_imap
import model_pop3
import model_submission

MODELS = {"imap": model_imap, "pop3": model_pop3, "submission": model_submission,
          "cleartext-imap": model_cleartext.IMAP, "cleartext-pop3": model_cleartext.POP3,
          "cleartext-submission": model_cleartext.SUBMISSION}
SHRINKING_ATTEMPTS = 400


def hold(driver, model, seed, left_out=frozenset(), whole=False):
    """One dialogue. Returns it and the Disagreement, or None."""
    world = dialogue.World(seed)
    items = [(i, name) for i, name in enumerate(model.plan(world)) if i not in left_out]
    client, server = model.peers(world, items)
    rng = world.draw("run")
    talk = dialogue.Dialogue(driver, model.PROTOCOL, world, client, server)
    chunking = "whole" if rng.random() < 0.3 or whole else "random"
    stopped = rng.random() < 0.1
    try:
        talk.run(chunking, rng.randint(1, 40) if stopped else 20000)
        if stopped:
            model.check_farewell(talk, talk.say_goodbye(rng.choice(("unavailable", "shutdown", "timeout"))))
        else:
            talk.check_rest()
        model.check(talk)
        talk.check_chunking(model.same_output)
    except dialogue.Disagreement as disagreement:
        return talk, disagreement
    return talk, None


def shrink(driver, model, seed, rule):
    """Leaves items out as long as the same rule is broken."""
    left_out, whole = frozenset(), False
    count = len(list(model.plan(dialogue.World(seed))))
    same = lambda found: found is not None and found.rule == rule
    if same(hold(driver, model, seed, left_out, True)[1]):
        whole = True
    for size in (8, 4, 2, 1, 1):
        for first in range(0, count, size):
            attempt = left_out | set(range(first, min(first + size, count)))
            if attempt != left_out and same(hold(driver, model, seed, attempt, whole)[1]):
                left_out = frozenset(attempt)
    return hold(driver, model, seed, left_out, whole)


def tell(driver, model, seed, disagreement):
    talk, smaller = shrink(driver, model, seed, disagreement.rule)
    print(f"--- seed {seed}: {smaller or disagreement}")
    print("\n".join(dialogue.transcript(talk, f"{model.PROTOCOL} seed {seed}: {disagreement.rule}")))
    sys.stdout.flush()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver")
    parser.add_argument("--protocol", choices=sorted(MODELS), required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dialogues", type=int, default=1000)
    parser.add_argument("--keep-going", action="store_true", help="count all disagreements; show the first of each rule")
    parser.add_argument("--tolerate", action="append", default=[], metavar="RULE", help="count it and go on")
    parser.add_argument("--verbose", action="store_true", help="print every dialogue")
    return parser.parse_args()


def main():
    options = arguments()
    model = MODELS[options.protocol]
    driver = dialogue.Driver(options.driver)
    dialogue.tolerated.update(dict.fromkeys(options.tolerate, 0))
    broken, octets, reasons, began = collections.Counter(), 0, collections.Counter(), time.time()
    dialogues = round(options.dialogues * float(os.environ.get("DEEPPROXY_TEST_SCALE", 1)))
    for seed in range(options.seed, options.seed + dialogues):
        talk, disagreement = hold(driver, model, seed)
        octets += sum(len(step[1]) for step in talk.steps)
        reasons[talk.answer.reason if talk.answer else "none"] += 1
        if options.verbose:
            print("\n".join(dialogue.transcript(talk, f"seed {seed}")))
        if disagreement:
            broken[disagreement.rule] += 1
            if broken[disagreement.rule] == 1:
                tell(driver, model, seed, disagreement)
            if not options.keep_going:
                break
    print(f"{options.protocol}: {dialogues} dialogues from seed {options.seed}, {octets} octets fed once and three "
          f"times more in other chunks, {time.time() - began:.1f} s, ends {dict(reasons)}, disagreements {dict(broken)}, "
          f"tolerated {dialogue.tolerated}")
    return 1 if driver.close() or broken or octets == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
