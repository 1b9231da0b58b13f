# SPDX-License-Identifier: BSD-2-Clause
"""Strings, literals, responses and ID arguments of IMAP, read the slow way."""
import re

import dialogue

STATUS = re.compile(rb"(?i)\* (?:OK|NO|BAD|BYE|PREAUTH)\b")
LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r?\n$")


def whole_response(inbox):
    """The first response with its literals, or None. Text behind OK, NO, BAD, BYE, "+" and a tag has no literals."""
    octets = bytes(inbox)
    data = octets.startswith(b"* ") and not STATUS.match(octets)
    at = 0
    while True:
        end = octets.find(b"\r\n", at) + 2
        if end == 1:
            return None
        literal = LITERAL.search(octets[at:end]) if data else None
        if not literal:
            return octets[:end]
        at = end + int(literal[1])
        if at > len(octets):
            return None


def quoted(value):
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def string(rng, value):
    """NIL, a quoted string, or ("", octets) for a literal, which some octets take (RFC 3501: CHAR8)."""
    if value is None:
        return rng.choice((b"NIL", b"nil"))
    literal = any(c in value for c in b"\r\n") or (max(value, default=0) > 0x7f and rng.random() < 0.7)
    return (b"", value) if literal or rng.random() < 0.15 else quoted(value)


TOKEN = re.compile(rb'(?is)\s*(?:(NIL)\b|"((?:[^"\\\r\n]|\\.)*)"|\{(\d+)\+?\}\r?\n)')


def parse_strings(octets):
    """The strings of a list without its parentheses; None where it is none."""
    values, at = [], 0
    while octets[at:].strip():
        token = TOKEN.match(octets, at)
        if not token:
            return None
        at = token.end()
        if token[1]:
            values.append(None)
        elif token[2] is not None:
            values.append(re.sub(rb"(?s)\\(.)", rb"\1", token[2]))
        else:
            values.append(octets[at:at + int(token[3])])
            at += int(token[3])
    return values


def parse_id(octets, tagless=False):
    """The pairs of an ID command or of an ID response less its "* "; None where it is no ID."""
    head = re.match(rb"(?i)ID " if tagless else rb"(?i)\S+ ID ", octets)
    argument = octets[head.end():].rstrip(b"\r\n") if head else b""
    if argument.upper() == b"NIL":
        return []
    if argument[:1] != b"(" or argument[-1:] != b")":
        return None
    values = parse_strings(argument[1:-1])
    if values is None or len(values) % 2 or None in values[::2]:
        return None
    return list(zip(values[::2], values[1::2]))


def is_trusted(name):
    """Fields by which backends trust proxies: never a client's."""
    return name.lower() in (b"tls", b"x-proxy-ttl", b"x-multiplex", b"x-client-transport") or \
        name.lower().startswith((b"x-originating-", b"x-connected-", b"x-session-", b"x-forward-"))


def edited_capabilities(words, external):
    """A backend's capabilities less what cannot work behind a proxy, and less a DEEP of its own."""
    return [w for w in words if w.upper() not in (b"STARTTLS", b"DEEP") and not w.upper().startswith(b"COMPRESS=")
            and (not w.upper().startswith(b"AUTH=") or dialogue.works(w[5:], external))]
