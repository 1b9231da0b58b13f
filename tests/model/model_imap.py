# SPDX-License-Identifier: BSD-2-Clause
"""The reference for IMAP: RFC 3501, 9051, 2971, 7888, 2177, 8437, and section 7.1 of the DEEP draft. Here is what must
hold between the peers, which are in imap_client.py and imap_backend.py."""
import re

import dialogue
import imap_backend
import imap_client
from dialogue import require
from imap_syntax import edited_capabilities, is_trusted, parse_id, whole_response

PROTOCOL = "imap"
BEFORE_LOGIN = ("capability", "noop", "id", "id", "long_id", "login", "authenticate", "authenticate_initial", "auth_cancelled",
                "unknown", "external")
ITEMS = ("capability", "noop", "id", "select", "fetch", "fetch", "fetch", "append", "append", "search", "idle", "list",
         "enable", "unknown", "notify", "unauthenticate", "login", "store")
HOSTILE = ("starttls", "compress", "forged_id", "forged_id", "odd_id", "bare_lf", "octets", "long_line", "garbage",
           "many_pairs", "plus_mechanism", "external", "odd_mechanism", "burst", "odd_sasl", "huge_literal")


def plan(world):
    rng = world.draw("plan")
    for _ in range(rng.randint(0, 4)):
        yield rng.choice(BEFORE_LOGIN)
    yield rng.choice(("login", "login", "authenticate", "authenticate_initial"))
    hostile = rng.choice((0, 0, 0.25))
    for _ in range(rng.randint(0, 12)):
        yield rng.choice(HOSTILE if rng.random() < hostile else ITEMS)
    if hostile and rng.random() < 0.5:
        yield rng.choice(HOSTILE)
    if rng.random() < 0.7:
        yield "logout"


def peers(world, items):
    server = imap_backend.Server(world)
    client = imap_client.Client(world, items, server)
    server.client = client
    return client, server


# ---- what must hold ----

def same_output(talk, side, before, after):
    """Where client octets had to wait, they reach the engine at another place in the backend's stream when that comes in
    other chunks, and so what the proxy itself says to them has another place among the backend's responses."""
    return before == after or (side == dialogue.CLIENT and talk.client_had_to_wait
                               and sorted(whole_responses(before)) == sorted(whole_responses(after)))


def whole_responses(octets):
    responses, rest = [], bytearray(octets)
    while response := whole_response(rest):
        responses.append(response)
        del rest[:len(response)]
    return [*responses, bytes(rest)]


def check(talk):
    client, server, world = talk.client, talk.server, talk.world
    if server.preauth_is_refused:
        require(not client.responses and not server.commands, "PREAUTH", "something goes on behind it")
        require(server.pending or talk.answer.reason == "backend-refused", "PREAUTH", f"behind STARTTLS: {talk.answer.reason}")
    answered_by_proxy = check_commands(client, server, talk.end())
    check_responses(client, server, world, answered_by_proxy, talk.end())
    if talk.end() == "open":
        check_ids(client)
        require(("a" in talk.answer.flags) == server.authenticated, "status", f"authenticated: {talk.answer.flags}")
        require(not client.ended or "e" in talk.answer.flags, "status", f"not ending after LOGOUT: {talk.answer.flags}")


def check_farewell(talk, answer):
    """A BYE; nothing inside a response."""
    if talk.farewell:
        require(re.fullmatch(rb"\* BYE [^\r\n]+\r\n", talk.farewell), "goodbye", "no BYE:", talk.farewell)
        require(not talk.client.inbox, "goodbye", "inside a response:", talk.client.inbox)


def check_commands(client, server, reason):
    """What the backend got is what the client sent, in order. Returns the commands that never got there."""
    got = [g for g in server.commands if not g.own]
    missing = []
    for command in client.commands:
        if got and same_command(command, got[0]):
            check_forwarded(command, got.pop(0), server, reason)
        else:
            missing.append(command)
            lost = command.kind in ("plain", "id") and command.replies and not answered_without(command)
            require(not lost, "lost command", f"answered by {command.replies}:", command.raw(), got and got[0].raw)
    require(not got, "foreign command", "the backend got what the client did not send:", *[g.raw for g in got[:2]])
    return missing


def answered_without(command):
    """The proxy answers ID where the backend has none, as far as has been seen."""
    return command.kind == "id" and command.replies[0].split(b" ")[1] == b"OK" and not command.id_announced


def same_command(command, got):
    if command.tag:
        return command.tag == got.raw.split(b" ")[0] or (command.kind == "free" and got.raw == command.raw())
    return got.raw in (command.raw(), command.raw() + b"\r\n")


def check_forwarded(command, got, server, reason):
    require(command.kind != "refused", "forbidden command", "to the backend:", got.raw)
    if command.kind == "plain":
        sent, came = synchronising(command.raw()), synchronising(got.raw)
        part = (got.refused_literal or reason == "stopped") and sent.startswith(came)
        require(sent == came or part, "command", "changed:", *dialogue.differing(command.raw(), got.raw))
    elif command.kind == "id":
        check_forwarded_id(command, got, server)


def synchronising(raw):
    """With {n} for {n+}: the proxy may wait for the "+" itself, whatever the backend announces."""
    return re.sub(rb"\{(\d+)\+\}\r\n", rb"{\1}\r\n", raw)


def check_forwarded_id(command, got, server):
    """The client's own fields in order, less those that backends trust; "tls" is exactly ours."""
    if got.refused_literal:
        return
    pairs = parse_id(got.raw)
    require(pairs is not None, "ID", "broken to the backend:", got.raw)
    suites = [value for name, value in pairs if name.lower() == b"tls"]
    ours = [server.world.cipher.encode()]
    require(suites == ours or (not suites and (server.told_before(got) or not got.announced)), "tls", "not ours:", got.raw)
    # Trusted fields go; the others that begin with x- may go too.
    kept = [pair for pair in pairs if pair[0].lower() != b"tls"]
    mine = [pair for pair in command.pairs if not is_trusted(pair[0]) and (pair in kept or pair[0][:2].lower() != b"x-")]
    full = len(mine) >= 30 and kept == mine[:len(kept)] and len(kept) >= 29
    require(kept == mine or full, "ID", "fields changed:", got.raw, b"".join(command.sent))


def check_responses(client, server, world, missing, reason):
    """The backend's responses in order, edited where that must be; between them only what the proxy may say."""
    units = [u for u in server.units if u.how != "own"]
    tags = {c.tag for c in missing if c.tag}
    made_up = sum(len(command.parts) for command in client.commands)
    for response in client.responses:
        if response.split(b" ")[0] in tags:
            check_own_answer(client.by_tag[response.split(b" ")[0]], response)
            continue
        if not take_match(units, response, world):
            made_up -= 1
            require(may_make_up(response, reason, client) and made_up >= 0, "response", "not the backend's:", response,
                    units and units[0].text)
            if response[:5].upper() == b"* ID ":
                check_id(parse_id(response[2:], tagless=True), None, world.status.encode(), response)
    left = [u.text for u in units if u.how != "optional"]
    require(not left or reason != "open", "response", "lost:", *left[:2])
    require(not client.inbox or reason != "open", "response", "half a one:", client.inbox)


def take_match(units, response, world):
    """Takes the unit that the response is off the list, with optional ones before it; false where there is none."""
    for at, unit in enumerate(units):
        if matches(unit, response, world):
            del units[:at + 1]
            return True
        if unit.how != "optional":
            break
    return False


def check_own_answer(command, response):
    """What the proxy says to a command that the backend never saw."""
    word = response.split(b" ")[1].upper()
    require(re.match(rb"\S+ \S+ \S", response), "text", "none behind a tagged answer:", response)
    expected = (b"OK",) if command.kind == "id" else (b"NO", b"BAD") if command.kind == "refused" else (b"OK", b"NO", b"BAD")
    require(word in expected, "refusal", "", command.raw(), response)


def may_make_up(response, reason, client):
    """An ID response, "+" for a literal of an ID, BAD for what has no tag, BYE at the end."""
    return response[:5].upper() == b"* ID " or (response.startswith(b"+") and any(c.pairs or c.kind == "free"
                                                                                  for c in client.commands)) \
        or (response.startswith(b"* BAD ") and any(c.tag is None or c.kind == "free" for c in client.commands)) \
        or (response.startswith(b"* BYE ") and reason != "open") \
        or any(line.startswith(response.split(b" ")[0]) for line in client.lines)


def matches(unit, response, world):
    if unit.how == "capabilities":
        return same_capabilities(unit.text, response, world.external)
    if unit.how == "refused id":
        return unit.text == response or re.match(rb"(?i)(\S+) OK \S", response) is not None \
            and response.split(b" ")[0] == unit.text.split(b" ")[0]
    if unit.how == "id":
        if response[:5].upper() != b"* ID ":
            return False
        check_id(parse_id(response[2:], tagless=True), parse_id(unit.text[2:], tagless=True), world.status.encode(), response)
        return True
    return unit.text == response


CAPABILITIES = re.compile(rb"(?is)(\* CAPABILITY|\S+ (?:OK|PREAUTH|NO|BAD) \[CAPABILITY)([^\]]*?)(\].*|\s*)")


def same_capabilities(said, response, external):
    """DEEP and ID once, what cannot work is gone, the rest is the backend's in its order."""
    theirs, ours = CAPABILITIES.fullmatch(said), CAPABILITIES.fullmatch(response)
    if not ours or ours[1] != theirs[1] or ours[3].strip() != theirs[3].strip():
        return False
    words = ours[2].split()
    names = [w.upper() for w in words]
    require(names.count(b"DEEP") == 1 and names.count(b"ID") == 1, "DEEP", "DEEP or ID not once:", response)
    expected = edited_capabilities(theirs[2].split(), external)
    hidden = (b"DEEP",) if b"ID" in [w.upper() for w in expected] else (b"DEEP", b"ID")
    require([w for w in words if w.upper() not in hidden] == expected, "capabilities", "", said, response)
    return True


def check_id(pairs, said, status, response):
    """Section 7.1: the status as "deep" and as "deep-status" (the text's name and the examples'); the rest as it was `said`,
    or, None, free."""
    require(pairs is not None, "ID", "broken to the client:", response)
    for name in (b"deep", b"deep-status"):
        values = [value or b"" for key, value in pairs if key.lower() == name]
        require(values == [status], "DEEP", f"{name} not ours once in", response)
    other = lambda fields: [pair for pair in fields if pair[0].lower() not in (b"deep", b"deep-status")]
    require(said is None or other(pairs) == other(said), "ID", "fields to the client changed:", response)


def check_ids(client):
    """Every ID that is answered OK has an ID response."""
    answered = sum(1 for c in client.commands if c.kind in ("id", "free") and re.match(rb"(?i)\S+ ID\b", c.raw())
                   and c.replies and c.replies[0].split(b" ")[1].upper() == b"OK")
    responses = sum(1 for r in client.responses if r[:5].upper() == b"* ID ")
    require(answered == responses, "ID", f"{answered} answered, {responses} responses")
