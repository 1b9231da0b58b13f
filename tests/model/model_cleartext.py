# SPDX-License-Identifier: BSD-2-Clause
"""The reference for the dialogue before STARTTLS and STLS, which the proxy alone leads (section 9.1 of the DEEP draft).
The client is in cleartext_client.py; what each protocol says in cleartext_imap.py, _pop3.py and _submission.py."""
import dialogue
from cleartext_client import Client
from cleartext_imap import Imap
from cleartext_pop3 import Pop3
from cleartext_submission import Submission
from dialogue import BACKEND, CLIENT, require


class Nobody(dialogue.Peer):
    """The backend: there is none."""
    may_cause = frozenset(("starttls", "logout", "client-error"))

    def hear(self, octets):
        require(not octets, "backend", "octets to it:", octets)


class Model:
    """One protocol's, for run.py."""

    def __init__(self, protocol, rules):
        self.PROTOCOL, self.rules = protocol, rules

    def plan(self, world):
        return self.rules.plan(world.draw("plan"))

    def peers(self, world, items):
        world.stage = "cleartext"
        return Client(world, items, self.rules(world)), Nobody()

    @staticmethod
    def same_output(talk, side, before, after):
        """Each line has its answer, however the octets come."""
        return before == after

    @staticmethod
    def check(talk):
        """The end, to the octet; nothing is known of the client; only the client is heard as long as it is heard at all."""
        client, answer = talk.client, talk.answer
        require(answer.reason == client.end, "reason", f"{answer.reason}, not {client.end}: {answer.detail}")
        behind = client.behind if client.end == "starttls" else 0
        require(answer.discarded == behind, "discarded", f"{answer.discarded}, not {behind}")
        require(answer.flags == ("-ge" if client.end == "logout" else "-g"), "status", f"{client.end}: {answer.flags}")
        require(client.end != "open" or answer.wants == "-c", "wants", answer.wants)
        require(not any(answer.kept.values()), "stall", f"not consumed: {answer.kept}")
        require(talk.driver.ask("report") == "\n", "report", "something is known of a client without TLS")

    @staticmethod
    def check_farewell(talk, answer):
        """A word where the session was open, but (RFC 1939 3) from POP3's autologout timer; and nothing behind it."""
        if talk.client.end == "open" and (talk.protocol, talk.goodbye) != ("pop3", "timeout"):
            word = talk.client.rules.is_word(talk.farewell) and talk.farewell.count(b"\n") == 1
            require(word, "goodbye", "", talk.farewell)
        else:
            require(not talk.farewell, "goodbye", f"behind {talk.client.end}:", talk.farewell)
        talk.driver.tell(CLIENT + " " + b"a1 NOOP\r\nNOOP\r\n".hex())
        after = dialogue.Answer(talk.driver.ask()).out
        require(not after[CLIENT] and not after[BACKEND], "goodbye", "more behind it:", after[CLIENT])


IMAP, POP3, SUBMISSION = Model("imap", Imap), Model("pop3", Pop3), Model("submission", Submission)
