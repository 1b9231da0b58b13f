# SPDX-License-Identifier: BSD-2-Clause
"""A dialogue of a simulated client and a simulated backend through one engine, and what every protocol shares.

Everything random comes from the dialogue's seed. An item of a dialogue (a command with what belongs to it) and an answer
of the backend draw from generators of their own, so that a dialogue can be made smaller by leaving items out.
"""
import random
import subprocess

CLIENT, BACKEND = "c", "b"
SIDES = (CLIENT, BACKEND)
NONCE = "kqzwvjxpyhgbnmrt"
CIPHERS = ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "0x1303")
STATUSES = ("tls11 tls12", "tls12 tls-cert <https://mail.example.com/security?a=1>", "", "tls11 (x-later)")
# In every value that a client forges; it must never come out in a trusted place.
FORGED = b"FORGED"


def works(mechanism, external):
    """Can a SASL mechanism work through a proxy? Not with channel binding; EXTERNAL where it means the client."""
    name = mechanism.upper()
    return not name.endswith(b"-PLUS") and (external or name != b"EXTERNAL")


class Disagreement(Exception):
    """The engine does what the model does not allow. `rule` says which of the model's rules."""

    def __init__(self, rule, text):
        super().__init__(f"{rule}: {text}")
        self.rule = rule


# Rules that may be broken: counted by name, not raised.
tolerated = {}


def require(true, rule, text, *octets):
    if not true and rule in tolerated:
        tolerated[rule] += 1
    elif not true:
        raise Disagreement(rule, " ".join([text, *(repr(bytes(o))[1:400] if o is not None else "none" for o in octets)]))


class Answer:
    """What the driver says to "?"."""

    def __init__(self, line):
        words = line.rstrip("\n").split(" ", 8)
        self.out = {side: b"" if hexed == "-" else bytes.fromhex(hexed) for side, hexed in zip(SIDES, words)}
        self.reason, self.flags, self.wants = words[2], words[3], words[4]
        self.kept = {CLIENT: int(words[5]), BACKEND: int(words[6])}
        self.discarded = int(words[7])
        self.detail = words[8]


class Driver:
    """The engine_driver process."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, *lines):
        self.process.stdin.write("".join(line + "\n" for line in lines).encode())

    def ask(self, question="?"):
        self.tell(question)
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode()
        if not line:
            raise SystemExit(f"the driver has died: {self.process.wait()}")
        return line

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Peer:
    """One end of the dialogue. `said` counts the octets that it has said, `fed` those that reached the engine."""

    def __init__(self):
        self.pending = bytearray()
        self.inbox = bytearray()
        self.said = 0
        self.fed = 0

    def say(self, octets):
        self.pending += octets
        self.said += len(octets)

    def give(self, count):
        octets = bytes(self.pending[:count])
        del self.pending[:count]
        self.fed += len(octets)
        return octets

    def hear(self, octets):
        """Octets that the engine let out to this peer."""
        self.inbox += octets
        while self.step():
            pass

    def step(self):
        """Takes one unit off the inbox and acts on it; false where it is not whole yet."""
        raise NotImplementedError

    def line(self):
        """The next line off the inbox with its end, or None."""
        end = self.inbox.find(b"\n") + 1
        if not end:
            return None
        line = bytes(self.inbox[:end])
        del self.inbox[:end]
        return line


class World:
    """What both peers of a dialogue know of each other, drawn from the seed."""

    def __init__(self, seed):
        self.seed = seed
        self.calls = {}
        self.rng = random.Random(f"{seed}/world")
        self.status = self.rng.choice(STATUSES)
        self.cipher = self.rng.choice(CIPHERS)
        # new, behind (STARTTLS), cleartext: what kind of engine it is.
        self.stage = "behind" if self.draw("stage").random() < 0.25 else "new"
        # The backend knows the client's certificate: SASL EXTERNAL means the client.
        self.external = self.draw("external").random() < 0.3
        # What makes it legitimate that the engine ends the session for the client's sake.
        self.hostile = False

    def draw(self, *what):
        """A generator for one decision; the nth one of the same kind is another one."""
        key = "/".join(repr(w) for w in what)
        self.calls[key] = self.calls.get(key, 0) + 1
        return random.Random(f"{self.seed}/{key}/{self.calls[key]}")


class Dialogue:
    """Lets two peers talk through an engine and keeps the record."""

    def __init__(self, driver, protocol, world, client, server):
        self.driver, self.protocol, self.world = driver, protocol, world
        self.peers = {CLIENT: client, BACKEND: server}
        self.client, self.server = client, server
        self.steps = []  # (side, octets, how many its peer had given with them, how many it had said) as they were fed
        self.record = []  # ("c>", octets) and so on, for the transcript
        self.total = {CLIENT: bytearray(), BACKEND: bytearray()}
        self.answer = None
        self.farewell, self.goodbye = b"", None
        self.client_had_to_wait = self.stopped = False
        self.begin()

    def begin(self):
        self.driver.tell(f"external {int(self.world.external)}",
                         f"{self.world.stage} {self.protocol} {self.world.cipher} {NONCE} {self.world.status.encode().hex()}")

    def take(self):
        self.answer = Answer(self.driver.ask())
        self.client_had_to_wait |= self.answer.kept[CLIENT] > 0
        for side in SIDES:
            octets = self.answer.out[side]
            if octets:
                self.total[side] += octets
                self.record.append((side + "<", octets))
        for side in SIDES:
            self.peers[side].hear(self.answer.out[side])

    def feed(self, side, octets):
        peer = self.peers[side]
        self.steps.append((side, octets, peer.fed, peer.said))
        self.record.append((side + ">", octets))
        self.driver.tell(f"{side} {octets.hex()}")
        self.take()

    def ready(self):
        return [side for side in SIDES if self.peers[side].pending]

    def run(self, chunking, stop_after):
        """Until both have said all, or for `stop_after` steps."""
        rng = random.Random(f"{self.world.seed}/chunks")
        self.take()
        while len(self.steps) < stop_after:
            if rng.random() < 0.3:
                self.client.more(pipelining=True)
            ready = self.ready()
            if not ready:
                if self.client.more(pipelining=False):
                    continue
                return
            side = rng.choice(ready)
            self.feed(side, self.peers[side].give(chunk_length(rng, chunking)))

    def end(self):
        """How it ended: the engine's reason, or that we stopped in the middle."""
        return "stopped" if self.stopped else self.answer.reason

    def say_goodbye(self, word):
        """engine_goodbye, and what it lets out."""
        self.stopped, self.goodbye = True, word
        self.driver.tell("goodbye " + word)
        answer = Answer(self.driver.ask())
        self.farewell = answer.out[CLIENT]
        self.record.append(("goodbye", word.encode()))
        self.record.extend((side + "<", answer.out[side]) for side in SIDES if answer.out[side])
        return answer

    def check_rest(self):
        """No stall: all is consumed and answered, or the engine has said why not."""
        reason = self.answer.reason
        allowed = {"open"} | ({"client-error"} if self.world.hostile else set()) | self.server.may_cause
        require(reason in allowed, "reason", f"the session ended: {reason}, {self.answer.detail}")
        if reason == "open":
            kept = self.answer.kept
            require(not any(kept.values()), "stall", f"not consumed: {kept}")
            require(not self.client.waits(), "stall", f"the client waits: {self.client.waits()}")

    def check_chunking(self, same_output):
        """The same octets in other chunks, in an order that the peers could have had, give the same."""
        rng = random.Random(f"{self.world.seed}/other chunks")
        merged = merge(self.steps)
        octets = sum(len(octets) for _, octets in merged)
        self.replay(same_output, "merged", merged, 0)
        self.replay(same_output, "split", [part for step in merged for part in split(rng, step)], 0)
        self.replay(same_output, "byte by byte", merged, 1 if octets < 20000 else 61)

    def replay(self, same_output, how, steps, chunk):
        self.begin()
        self.driver.tell(f"chunk {chunk}", *(f"{side} {octets.hex()}" for side, octets in steps))
        answer = Answer(self.driver.ask())
        for side in SIDES:
            require(same_output(self, side, self.total[side], answer.out[side]), "chunking", f"{how}, to {side}:",
                    *differing(self.total[side], answer.out[side]))
        ends = [(a.reason, a.discarded) for a in (answer, self.answer)]
        require(ends[0] == ends[1], "chunking", f"{how}: {ends}")


def differing(a, b):
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return a[max(0, at - 60):at + 60], b[max(0, at - 60):at + 60]


def merge(steps):
    """Neighbours of one side become one step, but for what was said only after the first of them had its effect."""
    merged, limit = [], 0
    for side, octets, given, said in steps:
        if merged and merged[-1][0] == side and given <= limit:
            merged[-1] = (side, merged[-1][1] + octets)
        else:
            merged.append((side, octets))
            limit = said
    return merged


def split(rng, step):
    side, octets = step
    while octets:
        count = chunk_length(rng, "random")
        yield side, octets[:count]
        octets = octets[count:]


def chunk_length(rng, chunking):
    if chunking == "whole":
        return 1 << 30
    return rng.choice((1, 2, rng.randint(1, 10), rng.randint(1, 80), rng.randint(1, 2000), 1 << 30))


# ---- words for random contents ----

LOOKALIKES = (
    b"* CAPABILITY IMAP4rev1 STARTTLS", b"a1 OK [CAPABILITY IMAP4rev1] x", b'* ID ("name" "x")', b"+OK", b"-ERR no",
    b"DEEP tls11", b"STLS", b"CAPA", b"250-STARTTLS", b"250 DEEP x", b"250 HELP", b"354 go", b"QUIT", b"XCLIENT ADDR=1",
    b"CLIENT tls=FORGED", b"STARTTLS", b"a1 STARTTLS", b'a1 ID ("tls" "FORGED")', b"RSET", b"x {5}", b"+ go {3}", b"DONE",
    b"MAIL FROM:<a@b>", b"BDAT 10 LAST", b"DATA", b"..", b".", b"", b"\xc3\xa9\xff\x80", b"* BYE", b"a1 LOGOUT", b"421 x")


def content_lines(rng, most=8):
    """Lines of a message: words, look-alikes of every protocol, dots, 8-bit octets."""
    lines = []
    for _ in range(rng.randint(0, most)):
        if rng.random() < 0.6:
            lines.append(rng.choice(LOOKALIKES))
        else:
            lines.append(bytes(rng.choice(b"abc .xyz{}0123\t\"\\<>") for _ in range(rng.randint(0, 60))))
    if rng.random() < 0.03:
        lines.append(b"long " * rng.randint(100, 4000))
    return lines


def letter_case(rng, word):
    """The word as some peers spell it."""
    return rng.choice((word, word, word.lower(), word.upper(), word.title()))


# ---- the transcript of a failure ----

def escape(octets):
    out = []
    for c in octets:
        out.append({13: "\\r", 10: "\\n", 0: "\\0", 92: "\\\\"}.get(c) or (chr(c) if 32 <= c < 127 else f"\\x{c:02x}"))
    return "".join(out)


def transcript_lines(mark, octets):
    side = "client" if mark[0] == CLIENT else "backend"
    for line in octets.splitlines(keepends=True) if b"\r" not in octets.replace(b"\r\n", b"") else [octets]:
        if line.endswith(b"\r\n") and b"\n" not in line[:-2] and not line.endswith(b" \r\n"):
            yield f"{side} {mark[1]} {escape(line[:-2])}"
        else:
            yield f"{side} {mark[1]} {escape(line)}\\-"


def transcript(dialogue, name):
    """The dialogue in the format of tests/transcripts/README.md, as it went (not as it should go)."""
    world = dialogue.world
    yield f"== {name}"
    yield f"deep {world.status}"
    yield f"cipher {world.cipher}"
    yield f"nonce {NONCE}"
    if world.stage != "new":
        yield {"behind": "behind starttls", "cleartext": "before starttls"}[world.stage]
    if world.external:
        yield "external"
    for mark, octets in dialogue.record:
        if mark == "goodbye":
            yield f"goodbye {octets.decode()}"
        else:
            yield from transcript_lines(mark, octets)
    yield f"status {dialogue.answer.reason}"
    if dialogue.answer.discarded:
        yield f"discarded {dialogue.answer.discarded}"
