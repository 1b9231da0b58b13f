# SPDX-License-Identifier: BSD-2-Clause
"""What tests of active checks need: how often, what was found, and what a server's log must not say of it."""

import re

# A day of checks, as far as a server's log is concerned: each is like the one before.
ROUNDS = 20
CHECK = 'check = { interval = "200 ms"; slow = "1 h"; fall = 1; }; '
# What an operator would look up in a log, or be told of by what watches it.
ALARMING = re.compile(r"warning|error|fatal|panic|lost connection|pipelining|timeout|too many|invalid|unknown command|not "
                      r"recogni[sz]ed|refused|reject|abnormal|premature|hangup|closed unexpectedly|commands=\d+/\d+", re.IGNORECASE)


def checks_of(running, service, rounds):
    """What the first so many checks of a service's server have found."""
    lines = running.wait_lines(rounds, event="server-check", pool=f"{service}-servers")[:rounds]
    names = ("result", "capabilities", "mechanisms", "id", "detail")
    return [{"layer": "tls" if line.get("tls") == "yes" else "clear", **{name: line.get(name, "") for name in names}}
            for line in lines]
