#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What `./dev bench` runs: run.py with Debian's own Python, whatever else comes first in PATH.
exec /usr/bin/python3 "$(dirname "$0")/run.py" "$@"
