# SPDX-License-Identifier: BSD-2-Clause
"""Private keys as files have them, and what of them would be found in a memory that they are in."""

import base64
import subprocess


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


def take(der, at):
    """The tag and the content that stand at this place, and where they end."""
    tag, length, at = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, at = int.from_bytes(der[at:at + count], "big"), at + count
    return tag, der[at:at + length], at + length


def is_sequence(content):
    """The whole of it: a number may begin as one."""
    return len(content) > 2 and content[0] == 0x30 and take(content, 0)[2] == len(content)


def integers(der):
    """Those of an ASN.1 structure, and of OCTET STRINGs in it that hold another; and the OCTET STRINGs that don't."""
    found, at = [], 0
    while at + 2 <= len(der):
        tag, content, at = take(der, at)
        if tag in (0x30, 0xA0) or tag == 0x04 and is_sequence(content):
            found += integers(content)
        elif tag in (0x02, 0x04):
            found.append(content)
    return found


def secrets(path):
    """
    What of a private key must not be found: each of its secret numbers in either order of octets, a part of the file's
    base64, and of what that means. Numbers that are short, or public, are none.
    """
    text = path.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("-")]
    der = base64.b64decode("".join(lines))
    public = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")
    numbers = [number.lstrip(b"\0") for number in integers(der)]
    numbers = [number for number in numbers if len(number) >= 31 and number not in public]
    assert len(numbers) in (1, 6), len(numbers)  # d; or d, p, q and three more
    wanted = [half for number in numbers for half in (number[:31], number[::-1][:31], number[-31:], number[::-1][-31:])]
    # The public half is in the file as well: the lines before it are the secret ones.
    return wanted + [line.encode() for line in (lines[1:2] if len(numbers) == 1 else lines[6:-1])]
