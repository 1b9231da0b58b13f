# SPDX-License-Identifier: BSD-2-Clause
"""The command line of the benchmark."""

import argparse
import pathlib

import figures
import systems

BUILD = pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "release"
FIGURES = [figure.name for figure in figures.FIGURES]
# Without and with --against: repetitions, and the seconds of one measurement.
DEFAULTS = {False: (9, 1), True: (160, 0.1)}
QUICK = {False: 1, True: 6}


def share(text):
    """0.02 from "2%"."""
    value = float(text.removesuffix("%").strip()) / 100
    if value < 0:
        raise ValueError(text)
    return value


def make_parser(description):
    parser = argparse.ArgumentParser(prog="bench", description=description,
                                     epilog="Figures: " + ", ".join(FIGURES) + ". Takes five or six minutes.")
    parser.add_argument("--quick", action="store_true", help="one short repetition: to see that all works")
    parser.add_argument("--figures", "--only", dest="only", metavar="FIGURE[,..]", default=",".join(FIGURES),
                        help="only these figures")
    parser.add_argument("--systems", metavar="LIST", help="only these proxies (deepproxy,haproxy,nginx)")
    parser.add_argument("--against", metavar="BINARY", type=pathlib.Path,
                        help="no peers: another build of deepproxy, with its deepproxy-keys beside it")
    parser.add_argument("--within", metavar="N%", type=share,
                        help="with --against: exit status 1 if a figure is surely worse by more than N %%")
    parser.add_argument("--workers", metavar="N", type=int, default=1,
                        help="of deepproxy (1); with more it shares both cores with its load, and the peers have one thread")
    parser.add_argument("--key", choices=["ecdsa", "rsa"], default="ecdsa",
                        help="the certificate's: ECDSA P-256 (the default), or RSA with 2048 bits")
    parser.add_argument("--rounds", "--repeat", dest="repeat", metavar="N", type=int,
                        help="repetitions, of which the median counts (9; with --against 160)")
    parser.add_argument("--seconds", metavar="N", type=float, help="length of one measurement (1; with --against 0.1)")
    parser.add_argument("--build", metavar="DIR", type=pathlib.Path, default=BUILD,
                        help="where the project is built (build/release)")
    parser.add_argument("--proxy", metavar="PATH", type=pathlib.Path, help="the deepproxy to measure (DIR/deepproxy)")
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="where results go (DIR/bench.json)")
    parser.add_argument("--profile", metavar="DIR", type=pathlib.Path,
                        help="no figures: where the proxies' CPU time goes, by perf, into DIR")
    return parser


def check_names(parser, what, names, allowed):
    for name in names:
        if name not in allowed:
            parser.error(f"there is no {what} {name}: choose from {', '.join(allowed)}")


def check_against(parser, chosen):
    if chosen.against is None:
        if chosen.within is not None:
            parser.error("--within needs --against")
        return
    if chosen.systems or chosen.profile:
        parser.error("--against goes with neither --systems nor --profile")
    for binary in (chosen.proxy, chosen.against):
        for path in (binary, binary.parent / "deepproxy-keys"):
            if not path.exists():
                parser.error(f"{path} is not there")


def parse(description, arguments):
    parser = make_parser(description)
    chosen = parser.parse_args(arguments)
    repeat, seconds = DEFAULTS[chosen.against is not None]
    if chosen.repeat is None:
        chosen.repeat = QUICK[chosen.against is not None] if chosen.quick else repeat
    if chosen.seconds is None:
        chosen.seconds = seconds
    chosen.proxy = chosen.proxy or chosen.build / "deepproxy"
    chosen.json = chosen.json or chosen.build / "bench.json"
    check_against(parser, chosen)
    chosen.only = chosen.only.split(",")
    chosen.systems = (chosen.systems or "deepproxy,haproxy,nginx").split(",")
    check_names(parser, "figure", chosen.only, FIGURES)
    check_names(parser, "system", chosen.systems, [*systems.OURS, *systems.PEERS])
    if chosen.repeat < 1 or chosen.seconds <= 0 or chosen.workers < 1:
        parser.error("--rounds, --seconds and --workers want a number above 0")
    return chosen
