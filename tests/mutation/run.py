#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Changes the program's sources at random, one small change at a time, and looks whether a test fails.

README.md beside this file says how to read what it prints.
"""

import argparse
import collections
import contextlib
import difflib
import fcntl
import hashlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import subprocess
import sys
import time

import mutations

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("base", "config", "keys", "protocols", "proxy", "tls")
# A test that takes longer than this has failed: seconds, by ctest label; or longer than so many times what it took without
# a mutation, and some seconds.
TIMES, MORE = 4, 10
LIMITS = {"unit": 120, "fuzz": 120, "model": 180, "integration": 290}
# So alike are the names of a source and of a test that is probably about it (see likeness()).
NEAR = 20
# What tests a folder beside its own unit tests, in this order: unit tests elsewhere, replays, models, integration tests.
# The longest prefix of a source's path counts.
TESTS = {
    "base": (["protocols", "config", "tls", "proxy", "keys", ""], [""], [""], ["sessions", "operation"]),
    "config": (["proxy"], ["config"], [], ["reload", "operation", "hosts", "promises", "client_certificates"]),
    "keys": (["proxy"], ["keys_wire"], [], ["key_process", "key_isolation", "key_outage"]),
    "protocols": ([""], [""], [""], ["sessions", "identity", "starttls", "limits", "hosts", "client_certificates"]),
    "tls": (["", "proxy"], ["tls_endpoint"], [], ["backend_tls", "client_certificates", "resumption", "reload", "hosts",
                                                  "promises", "key_isolation", "sessions"]),
    "proxy": ([""], [], [], ["sessions", "operation", "reload"]),
    "proxy/admin": ([""], [], [], ["admin", "operation"]),
    "proxy/backends": ([""], [], [], ["failover", "backend_tls", "pool_keys", "resumption", "reload"]),
    "proxy/commands": ([""], [], [], ["operation", "anywhere", "resumption", "reload", "promises", "parent"]),
    "proxy/common": ([""], [], [], ["log", "sockets", "limits", "sessions", "operation", "debug_log"]),
    "proxy/control": ([""], [], [], ["operation", "reload", "admin", "overload", "key_isolation"]),
    "proxy/keyclient": ([""], [], [], ["key_isolation", "key_process", "key_outage", "client_certificates"]),
    "proxy/parent": ([""], [], [], ["parent", "supervision", "heartbeat", "operation", "key_isolation"]),
    "proxy/runtime": ([""], [], [], ["reload", "reload_order", "promises", "operation", "hosts", "client_certificates",
                                     "backend_tls"]),
    "proxy/session": ([""], [], [], ["sessions", "failover", "identity", "starttls", "backend_tls", "resumption",
                                     "pressure", "limits", "client_certificates", "overload", "debug_log", "key_isolation"]),
    "proxy/worker": ([""], [], [], ["sockets", "overload", "limits", "operation", "reload", "sessions", "pressure"]),
}
Test = collections.namedtuple("Test", "name label command environment directory place")
# What is killed or has survived has been tried; the rest is drawn anew.
COUNTS = ("killed", "survived")
LIBRARIES = [f"deepproxy_{name}" for name in (*FOLDERS, "keys_wire")]
World = collections.namedtuple("World", "tree tests options baseline programs")
Result = collections.namedtuple("Result", "path line kind verdict by seconds diff begin end new")


def say(*words):
    print(*words, flush=True)


# ---- a copy of the tree, and its build ----

class Tree:
    """A copy of the sources with a build of its own, which stay for the next run."""

    def __init__(self, work, sanitize, jobs):
        self.source = work / "tree"
        self.build = work / ("build-" + sanitize.replace(",", "-") if sanitize else "build")
        self.sanitize = sanitize
        self.jobs = jobs
        self.links = {} # by program

    def copy(self):
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"], check=True,
                                stdout=subprocess.PIPE).stdout.decode().split("\0")
        files = {name for name in listed if name and (ROOT / name).is_file()}
        digest = hashlib.sha256()
        for name in sorted(files):
            digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes())
            new, copied = ROOT / name, self.source / name
            if not copied.is_file() or copied.read_bytes() != new.read_bytes():
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(new, copied)
        for old in self.source.rglob("*"):
            if old.is_file() and str(old.relative_to(self.source)) not in files:
                old.unlink()
        self.digest = digest.hexdigest()

    def configure(self):
        options = ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS_RELEASE=-O1", "-DDEEPPROXY_WERROR=OFF",
                   # What no compiler would let through without a word is no mutation that a test has to find.
                   # A test's program holds the functions that it can reach: see Programs.
                   "-DCMAKE_C_FLAGS=-Werror=incompatible-pointer-types -Werror=int-conversion -ffunction-sections "
                   "-fdata-sections"]
        link = "-Wl,--gc-sections"
        if self.sanitize:
            options.append(f"-DDEEPPROXY_SANITIZE={self.sanitize}")
        if shutil.which("ld.lld"): # most of the time goes into linking tests
            link += " -fuse-ld=lld"
        options.append(f"-DCMAKE_EXE_LINKER_FLAGS={link}")
        if shutil.which("ccache"):
            options.append("-DCMAKE_C_COMPILER_LAUNCHER=ccache")
        subprocess.run(["cmake", "-G", "Ninja", "-S", self.source, "-B", self.build, *options], check=True,
                       stdout=subprocess.DEVNULL)

    def make(self, *targets):
        """The output of a build that has failed; None if it has not."""
        done = subprocess.run(["nice", "ninja", "-C", self.build, "-j", str(self.jobs), *targets],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        return None if done.returncode == 0 else done.stdout.decode(errors="replace")

    def program(self, name):
        """Its path below the build; None if there is none."""
        return next((place for place in (f"{folder}{name}" for folder in ("tests/", "tests/fuzz/", "tests/model/", ""))
                     if (self.build / place).is_file()), None)

    def link(self, name):
        """Links a program and nothing else: what ninja holds to depend on it, a corpus for example, stays as it is."""
        if name not in self.links:
            self.links[name] = subprocess.run(["ninja", "-C", self.build, "-t", "commands", "-s", self.program(name)],
                                              check=True, stdout=subprocess.PIPE).stdout.decode()
        return subprocess.run(self.links[name], shell=True, cwd=self.build, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def object_of(self, path):
        folder = path.split("/")[0]
        inner = path[len(folder) + 1:]
        names = [f"{folder}/CMakeFiles/{target}.dir/{inner}.o"
                 for target in (f"deepproxy_{folder}", "deepproxy_keys_wire", "deepproxy", "deepproxy-keys")]
        return next((name for name in names if (self.build / name).exists()), None)


def unit_places():
    """By a unit test's name: its folder in tests/unit ("" for what is in none)."""
    unit = ROOT / "tests/unit"
    return {path.stem: str(path.parent.relative_to(unit)).replace(".", "") for path in unit.rglob("test_*.c")}


def tests_of(tree):
    """By name. ctest tells no command of a program that is not there yet."""
    listed = json.loads(subprocess.run(["ctest", "--test-dir", tree.build, "--show-only=json-v1"], check=True,
                                       stdout=subprocess.PIPE).stdout)
    places = unit_places()
    tests = {}
    for entry in listed["tests"]:
        properties = {item["name"]: item["value"] for item in entry.get("properties", [])}
        label = next((label for label in properties.get("LABELS", []) if label in LIMITS), None)
        if label is not None:
            environment = dict(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", []))
            tests[entry["name"]] = Test(entry["name"], label, entry.get("command", []), environment,
                                        properties.get("WORKING_DIRECTORY"), places.get(entry["name"]))
    return tests


# ---- running tests ----

def says_no(child, seconds):
    """Reads what a Check program tells as it goes, to its end or to the first test of it that has failed."""
    until = time.monotonic() + seconds
    begun = b""
    while select.select([child.stdout], [], [], max(0, until - time.monotonic()))[0]:
        came = os.read(child.stdout.fileno(), 65536)
        if not came:
            return False
        *lines, begun = (begun + came).split(b"\n")
        if any(line.startswith(b"not ok ") for line in lines):
            return True
    raise subprocess.TimeoutExpired(child.args, seconds)


def end_session(leader):
    """Ends what a test has left running: Check's tests are in groups of their own, but in the session that began with it."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                os.kill(int(path.parent.name), signal.SIGKILL)


def run(test, lock, seconds=None):
    """True if the test has passed, in its time (`seconds` without a mutation). What it leaves running is ended with it."""
    limit = LIMITS[test.label] if seconds is None else min(LIMITS[test.label], TIMES * seconds + MORE)
    # Check gives a test 4 seconds, and a mutation that hangs should not take the twenty times that ctest gives.
    environment = {**os.environ, **test.environment, "CK_TIMEOUT_MULTIPLIER": "4"}
    is_unit = test.place is not None
    if is_unit:
        environment["CK_TAP_LOG_FILE_NAME"] = "-"
    with contextlib.ExitStack() as stack:
        if lock is not None and test.label == "integration":
            file = stack.enter_context(open(lock, "a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        command = list(test.command) + (["--failfast"] if test.label == "integration" else [])
        child = subprocess.Popen(command, env=environment, cwd=test.directory, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE if is_unit else subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 start_new_session=True)
        try:
            if is_unit and says_no(child, limit):
                return False
            return child.wait(timeout=limit) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            child.kill()
            end_session(child.pid)
            child.wait()
            if is_unit:
                child.stdout.close()


def likeness(test, path):
    stem, name = pathlib.Path(path).stem, test.name.removeprefix("test_")
    if stem == name:
        return 100
    return len(os.path.commonprefix([stem, name])) + 20 * (name in stem or stem in name)


def chosen(path):
    """The row of TESTS for a source."""
    return TESTS[max((prefix for prefix in TESTS if path.startswith(prefix + "/")), key=len)]


def in_order(path, tests, options, cost):
    """The tests of a source: the nearest first, then by the time that they take."""
    more, replays, models, named = chosen(path)
    if options.quick:
        yield from quick_in_order(path, tests, (more, replays, models), cost)
    if not options.integration:
        return
    for word in named:
        yield from (test for name, test in tests.items() if name == "integration_test_" + word)
    if options.thorough:
        yield from (test for test in tests.values() if test.label == "integration")


def quick_in_order(path, tests, row, cost):
    """Unit tests, replays and models."""
    more, replays, models = row
    folder = path.split("/")[0]
    units = [test for test in tests.values() if test.place is not None]
    own = sorted((test for test in units if test.place.split("/")[0] == folder), key=lambda test: -likeness(test, path))
    yield from own[:1]
    yield from sorted(own[1:], key=lambda test: (likeness(test, path) < NEAR, cost(test)))
    for place in more:
        yield from sorted((test for test in units if test.place.split("/")[0] == place), key=cost)
    for label, prefix, words in (("fuzz", "replay_", replays), ("model", "model_", models)):
        yield from (test for test in tests.values()
                    if test.label == label and any(test.name.startswith(prefix + word) for word in words))


def targets_of(tests):
    """What has to be built for these, with the corpora that they replay."""
    return {"engine_driver" if test.label == "model" else test.name for test in tests
            if test.label in ("unit", "model") or test.name.startswith("replay_")}


def programs_of(test, tree):
    """What has to be linked for a test."""
    if test.label == "integration":
        return ["deepproxy", "deepproxy-keys"]
    if test.label == "model":
        return ["engine_driver"]
    return [test.name] if tree.program(test.name) is not None else []


class Programs:
    """The programs of the tests as they are without a mutation: one that has stayed the same can't tell anything."""

    def __init__(self, tree, tests):
        self.tree = tree
        # The others have not been built: no test that needs them is wanted.
        self.known = {name: self.digest(name) for test in tests.values() for name in programs_of(test, tree)
                      if tree.program(name) is not None}

    def digest(self, name):
        return hashlib.sha256((self.tree.build / self.tree.program(name)).read_bytes()).hexdigest()

    def differ(self, test):
        names = programs_of(test, self.tree)
        return not names or any(self.known[name] != self.digest(name) for name in names)


class Baseline:
    """Which tests pass without a mutation: only these can kill one. What earlier runs have shown is not asked again: of a unit
    test as long as its program is the same, of the others as long as the sources are."""

    def __init__(self, tree, lock, programs):
        self.file = tree.build / "baseline.json"
        self.tree = tree
        self.lock = lock
        self.programs = programs
        self.original = tree.build / "original"
        self.known = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.original.mkdir(exist_ok=True)
        for program in ("deepproxy", "deepproxy-keys"):
            shutil.copy(tree.build / program, self.original / program)

    def key(self, test):
        program = self.programs.known.get(test.name) if test.place is not None else None
        return program or self.tree.digest

    def has(self, test):
        """An integration test is asked the first time that it is needed: the programs without a mutation are kept for it."""
        old = self.known.get(test.name)
        if old is None or old["key"] != self.key(test):
            asked = test
            if test.label == "integration":
                asked = test._replace(command=[*test.command[:-1], str(self.original / "deepproxy")])
            began = time.monotonic()
            passes = run(asked, self.lock)
            seconds = time.monotonic() - began
            passes = passes or run(asked, self.lock)
            self.known[test.name] = {"key": self.key(test), "passes": passes, "seconds": seconds}
            self.file.write_text(json.dumps(self.known))
            if not passes:
                say(f"{test.name} fails without any mutation, and is left out")
        return self.known[test.name]["passes"]

    def seconds(self, test):
        return self.known[test.name]["seconds"] if test.name in self.known else 0


def first_failure(path, world):
    """The name of a test that fails with the mutation; "build" if it does not link; None if all pass."""
    baseline, lock, seen = world.baseline, world.options.lock, set()
    if world.tree.make(*LIBRARIES) is not None:
        return "build"
    for test in in_order(path, world.tests, world.options, baseline.seconds):
        if test.name in seen or not baseline.has(test):
            continue
        seen.add(test.name)
        if not all(world.tree.link(name) for name in programs_of(test, world.tree)):
            return "build"
        if not world.programs.differ(test):
            continue
        seconds = baseline.seconds(test)
        began = time.monotonic()
        if run(test, lock, seconds):
            continue
        # What waits, or takes its time, may fail on a busy machine: twice in a row is no accident.
        is_quick = test.label != "integration" and time.monotonic() - began < 4
        if is_quick or not run(test, lock, seconds):
            return test.name
    return None


# ---- mutations ----

def sources(folder):
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / folder).rglob("*.c"))]


def draw(folder, generator):
    """Mutations of a folder without end: each kind is as likely, whatever there is most of."""
    by_kind = collections.defaultdict(list)
    for path in sources(folder):
        text = (ROOT / path).read_text()
        for mutation in mutations.find(text):
            by_kind[mutation.kind].append((path, text, mutation))
    kinds = sorted(by_kind)
    while True:
        yield generator.choice(by_kind[generator.choice(kinds)])


def diff_of(path, text, mutated):
    lines = difflib.unified_diff(text.splitlines(), mutated.splitlines(), path, path, lineterm="", n=1)
    return "\n".join(lines)


def try_one(path, text, mutation, world):
    tree = world.tree
    began = time.monotonic()
    mutated = mutations.apply(text, mutation)
    line = text.count("\n", 0, mutation.begin) + 1
    name = tree.object_of(path)
    if name is None:
        return None
    original = (tree.build / name).read_bytes()
    (tree.source / path).write_text(mutated)
    by = None
    try:
        if tree.make(name) is not None:
            verdict = "did not compile"
        elif (tree.build / name).read_bytes() == original:
            verdict = "equivalent"
        else:
            by = first_failure(path, world)
            verdict = "survived" if by is None else "did not compile" if by == "build" else "killed"
    finally:
        (tree.source / path).write_text(text)
        tree.make(name)
    return Result(path, line, mutation.kind, verdict, by, time.monotonic() - began, diff_of(path, text, mutated),
                  *mutation[1:])


def tell(heading, result):
    by = f" by {result.by}" if result.verdict == "killed" else ""
    say(f"{heading} {result.path}:{result.line} {result.kind}: {result.verdict}{by} ({result.seconds:.0f} s)")
    if result.verdict == "survived":
        say(result.diff)


def try_next(heading, drawn, found, world):
    """Adds the results up to the next one that counts, which is the last."""
    while True:
        result = try_one(*next(drawn), world)
        if result is not None:
            found.append(result)
            tell(heading, result)
            if result.verdict in COUNTS:
                return


def try_all(folders, results, world):
    """One of each folder after the other, so that a run that is ended early has something of all."""
    options = world.options
    drawn = {folder: draw(folder, random.Random(f"{options.seed} {folder}")) for folder in folders}
    for counted in range(1, options.count + 1):
        for folder in folders:
            try_next(f"{folder} {counted}/{options.count}", drawn[folder], results[folder], world)
            keep(options.work / "results.json", options.seed, results)


def try_again(results, world):
    """What has survived, after tests have come. A mutation of a source that is another by now stays as it was."""
    for folder, found in results.items():
        for i, old in enumerate(found):
            if old.verdict != "survived":
                continue
            path = ROOT / old.path
            text = path.read_text() if path.is_file() else ""
            mutation = mutations.Mutation(old.kind, old.begin, old.end, old.new)
            if diff_of(old.path, text, mutations.apply(text, mutation)) != old.diff:
                say(f"{folder} {old.path}:{old.line}: the source is another by now")
                continue
            found[i] = try_one(old.path, text, mutation, world)
            tell(folder, found[i])
            keep(world.options.work / "results.json", world.options.seed, results)


# ---- results ----

def keep(path, seed, results):
    path.write_text(json.dumps({"seed": seed, "folders": {folder: [result._asdict() for result in found]
                                                          for folder, found in results.items()}}, indent=1))


def read_results(path):
    """The seed, and the results by folder."""
    kept = json.loads(path.read_text())
    return kept["seed"], {folder: [Result(**result) for result in found] for folder, found in kept["folders"].items()}


def counts_of(found):
    """How many are of each verdict, and the share of the killed."""
    count = collections.Counter(result.verdict for result in found)
    valid = sum(count[verdict] for verdict in COUNTS)
    return count, f"{count['killed'] / valid:.2f}" if valid else "-"


def summary(results):
    lines = [f"{'folder':20}{'killed':>8}{'survived':>10}{'equivalent':>12}{'did not compile':>17}{'share':>8}"]
    for folder, found in results.items():
        count, share = counts_of(found)
        lines.append(f"{folder:20}{count['killed']:8}{count['survived']:10}{count['equivalent']:12}"
                     f"{count['did not compile']:17}{share:>8}")
    return "\n".join(lines)


def markdown(files):
    """A table of all results in the files, and each survivor with room for its reason."""
    lines, survivors = ["| folder | seed | killed | of | share |", "|---|---|---|---|---|"], []
    for file in files:
        seed, results = read_results(file)
        for folder, found in results.items():
            count, share = counts_of(found)
            lines.append(f"| {folder} | {seed} | {count['killed']} | {count['killed'] + count['survived']} | {share} |")
            survivors += [result for result in found if result.verdict == "survived"]
    for result in survivors:
        lines += ["", f"`{result.path}:{result.line}` ({result.kind}):", "", "```diff", *result.diff.split("\n")[2:], "```"]
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", action="append", help="of the sources, such as tls or proxy/session; default: all")
    parser.add_argument("--count", type=int, default=20, help="mutations of each folder that compile (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed and sources: the same mutations")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/deepproxy-mutation"),
                        help="folder for the copy of the tree and its build; kept for the next run")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="of the build")
    parser.add_argument("--thorough", action="store_true", help="a survivor of the named integration tests meets all")
    parser.add_argument("--no-quick", dest="quick", action="store_false",
                        help="integration tests alone, for --again after --no-integration")
    parser.add_argument("--no-integration", dest="integration", action="store_false", help="unit tests, replays, models")
    parser.add_argument("--sanitize", default="", help="such as address,undefined: for memory that is not freed")
    parser.add_argument("--lock", type=pathlib.Path, help="a file to lock while an integration test runs")
    parser.add_argument("--again", type=pathlib.Path, metavar="RESULTS",
                        help="in place of new ones: those that have survived in a results.json")
    parser.add_argument("--markdown", type=pathlib.Path, nargs="+", metavar="RESULTS",
                        help="print a table of these and their survivors, and try nothing")
    options = parser.parse_args()
    for folder in options.folder or ():
        if folder.split("/")[0] not in FOLDERS or not (ROOT / folder).is_dir():
            parser.error(f"no such folder of sources: {folder}")
    return options


def prepared(options, folders):
    """The tree, built without a mutation, and what its tests make of it."""
    tree = Tree(options.work, options.sanitize, options.jobs)
    tree.copy()
    tree.configure()
    tests = tests_of(tree)
    wanted = {test.name: test for folder in folders for path in sources(folder)
              for test in in_order(path, tests, options, lambda test: 0)}
    failed = tree.make("deepproxy", "deepproxy-keys", *sorted(targets_of(wanted.values())))
    if failed is not None:
        sys.exit(failed + "\nthe sources do not build")
    tests = {name: test for name, test in tests_of(tree).items() if test.command}
    wanted = {name: test for name, test in tests.items() if name in wanted}
    programs = Programs(tree, tests)
    baseline = Baseline(tree, options.lock, programs)
    say(f"{sum(baseline.has(test) for test in wanted.values() if test.label != 'integration')} tests pass without a mutation")
    return World(tree, tests, options, baseline, programs)


def main():
    options = arguments()
    if options.markdown:
        print(markdown(options.markdown))
        return
    if options.again:
        options.seed, results = read_results(options.again)
        results = {folder: found for folder, found in results.items() if folder in (options.folder or results)}
    else:
        results = {folder: [] for folder in options.folder or FOLDERS}
    world = prepared(options, list(results))
    with contextlib.suppress(KeyboardInterrupt):
        if options.again:
            try_again(results, world)
        else:
            try_all(list(results), results, world)
    say("\n" + summary(results))


if __name__ == "__main__":
    main()
