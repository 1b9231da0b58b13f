# SPDX-License-Identifier: BSD-2-Clause
"""What every run stands on: two cores, the programs that make and answer the load, a certificate and a backend."""

import contextlib
import os
import pathlib
import platform
import resource
import subprocess
import sys
import types

import systems


def say(text):
    print(text, file=sys.stderr, flush=True)


def two_cores():
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("bench: two cores are needed, one for the proxy and one for its load; there is one")
    return cores[0], cores[1]


def cores_for(workers):
    """Of the proxy, and of its load: workers that run at once need both."""
    first, second = two_cores()
    return (first if workers == 1 else f"{first},{second}"), second


def programs(build):
    found = types.SimpleNamespace(load=build / "tests/bench/deepproxy-load",
                                  backend=build / "tests/bench/deepproxy-bench-backend")
    for program in (found.load, found.backend):
        if not program.exists():
            sys.exit(f"bench: {program} is not built: cmake --preset release && cmake --build --preset release")
    return found


def allow_many_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_certificate(directory, key):
    """One for all."""
    kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ecdsa" else ["rsa:2048"]
    certificate = types.SimpleNamespace(chain=directory / "cert.pem", key=directory / "key.pem",
                                        both=directory / "both.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-keyout",
                    certificate.key, "-out", certificate.chain, "-days", "7", "-subj",
                    "/CN=mail.example.com", "-addext", "subjectAltName=DNS:mail.example.com"],
                   check=True, stderr=subprocess.DEVNULL)
    certificate.both.write_text(certificate.chain.read_text() + certificate.key.read_text())
    return certificate


@contextlib.contextmanager
def backend(program, core, prefixed=list):
    """`prefixed`: makes another command of the one that starts it."""
    process = subprocess.Popen(prefixed(systems.pinned(core, [program])), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
