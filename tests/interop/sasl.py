# SPDX-License-Identifier: BSD-2-Clause
"""What a client of a few lines answers in a SASL exchange."""

import base64
import hmac

from common import PASSWORD, USER


def encoded(octets):
    return base64.b64encode(octets) + b"\r\n"


def cram_md5(challenge):
    """RFC 2195: to a base64 challenge."""
    told = hmac.new(PASSWORD.encode(), base64.b64decode(challenge), "md5").hexdigest()
    return encoded(f"{USER} {told}".encode())


PLAIN = encoded(f"\0{USER}\0{PASSWORD}".encode())
WRONG = encoded(f"\0{USER}\0wrong".encode())
# The client's lines of each mechanism, or what makes one of the server's last challenge.
STEPS = {
    "PLAIN": (PLAIN,),
    "LOGIN": (encoded(USER.encode()), encoded(PASSWORD.encode())),
    "CRAM-MD5": (cram_md5,),
}


def exchange(client, command, mechanism, more, done):
    """
    The whole of it: `more` is how a challenge begins, `done` how success does. Gives the last line.
    """
    told = client.ask(command + b" " + mechanism.encode() + b"\r\n", more)[-1]
    steps = STEPS[mechanism]
    for number, step in enumerate(steps, 1):
        octets = step(told.split(b" ")[1]) if callable(step) else step
        told = client.ask(octets, done if number == len(steps) else more)[-1]
    return told
