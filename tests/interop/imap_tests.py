# SPDX-License-Identifier: BSD-2-Clause
"""
IMAP as it has to be before every server. A mixin: a class that is a common.Case as well runs it, and says what its
server shows.
"""

import re

import sasl
from common import MEGABYTES_2, PASSWORD, USER, digest, message, odd_octets
from shown import STATUS, Assertions, pattern

PROXY_ID = f'"deep" "{STATUS}" "deep-status" "{STATUS}"'
LOGIN = f"LOGIN {USER} {PASSWORD}\r\n".encode()


def capabilities(lines):
    """The words of the capability list in these lines, wherever it stands; None without one."""
    for line in lines:
        found = re.match(rb"\* CAPABILITY ([^\r\n]*)|\S+ OK \[CAPABILITY ([^\]]*)\]", line)
        if found:
            return (found[1] or found[2]).decode().split()
    return None


class ImapTests(Assertions):
    greeting = ""        # the text behind the list in the greeting
    shows = {}           # place: Shown; the places are greeting, before, login (None: no list there) and after
    id_answer = ""       # the list in the answer to ID, without parentheses; None: the server knows no ID
    second_id_answer = "same"
    mailbox_prefix = ""
    odd_name = "a [CAPABILITY STARTTLS] {5}"

    def offers(self, word):
        return word in self.shows["before"].clear

    def greeted(self, source="127.0.0.1", at=None):
        client = self.raw("imap", source, at=at)
        return client, client.line()

    def logged_in(self, source="127.0.0.1", at=None):
        client, _ = self.greeted(source, at)
        client.ask(b"l " + LOGIN, b"l OK")
        return client

    def mailbox_name(self, name):
        return self.mailbox_prefix + name

    # ---- what is shown ----

    def test_greeting_and_capabilities_at_login(self):
        clear, proxied = self.in_clear("imap"), self.raw("imap")
        greetings = [client.line() for client in (clear, proxied)]
        self.assert_shown(self.shows["greeting"], *[capabilities([line]) for line in greetings])
        for line in greetings:
            self.assertRegex(line.decode(), rf"^\* OK \[[^\]]*\] {pattern(self.greeting)}\r\n$")
        answers = [capabilities(client.ask(b"a " + LOGIN, b"a OK")) for client in (clear, proxied)]
        if self.shows["login"]:
            self.assert_shown(self.shows["login"], *answers)
        else:
            self.assertEqual(answers, [None, None])

    def test_capability_command(self):
        pair = self.in_clear("imap"), self.raw("imap")
        for client in pair:
            client.line()
        for place in ("before", "after"):
            self.assert_shown(self.shows[place], *[capabilities(client.ask(b"a CAPABILITY\r\n", b"a OK"))
                                                   for client in pair])
            for client in pair:
                if place == "before":
                    client.ask(b"b " + LOGIN, b"b OK")

    def test_id_in_clear(self):
        """What the tests of ID through the proxy build upon."""
        client = self.in_clear("imap")
        client.line()
        answers = [client.ask(b'a ID ("name" "tester")\r\n', b"a ") for _ in range(2)]
        if self.id_answer is None:
            self.assertRegex(answers[0][-1], rb"^a (NO|BAD) ")
            return
        self.assertRegex(answers[0][0].decode(), rf"^\* ID \({pattern(self.id_answer)}\)\r\n$")
        if self.second_id_answer == "same":
            self.assertEqual(answers[1][0], answers[0][0])
        else:
            self.assertEqual([line.decode() for line in answers[1]], [f"a {self.second_id_answer}\r\n"])

    def expected_id(self, first):
        if self.id_answer is None:
            return '"name" "deepproxy" ' + PROXY_ID
        if not first and self.second_id_answer != "same":
            return PROXY_ID
        return self.id_answer + " " + PROXY_ID

    def assert_id(self, client, question, first):
        answer = client.ask(b"a ID " + question + b"\r\n", b"a ")
        self.assertEqual(len(answer), 2, answer)
        self.assertRegex(answer[0].decode(), rf"^\* ID \({pattern(self.expected_id(first))}\)\r\n$")
        self.assertRegex(answer[1], rb"^a OK .")

    def test_id(self):
        questions = (b'("name" "tester" "version" "1")', b"NIL", b'("name" NIL)', b"()")
        for question in questions:
            with self.subTest(question=question):
                client, _ = self.greeted()
                self.assert_id(client, question, first=True)
                self.assert_id(client, question, first=False)
                client.ask(b"b " + LOGIN, b"b OK")
                self.assert_id(client, question, first=True)
                client.ask(b"c LOGOUT\r\n", b"c OK")

    def test_id_with_synchronising_literals(self):
        """The proxy holds ID back, so it is the proxy that says when the octets may come."""
        client, _ = self.greeted()
        client.ask(b"a ID ({4}\r\n", b"+")
        client.ask(b"name {6}\r\n", b"+")
        client.ask(b"tester)\r\n", b"a OK")
        client.ask(b"b " + LOGIN, b"b OK")

    def test_thirty_pairs_of_id(self):
        """With the cipher suite they would be 31, and RFC 2971 allows 30."""
        pairs = b" ".join(b'"field%d" "value"' % number for number in range(30))
        client, _ = self.greeted()
        self.assert_id(client, b"(" + pairs + b")", first=True)
        client.ask(b"b " + LOGIN, b"b OK")

    # ---- logins ----

    def test_login(self):
        self.logged_in().ask(b"a NOOP\r\n", b"a OK")
        client, _ = self.greeted()
        client.ask(f'a LOGIN "{USER}" "{PASSWORD}"\r\n'.encode(), b"a OK")

    def test_login_with_literals(self):
        client, _ = self.greeted()
        client.ask(b"a LOGIN {%d}\r\n" % len(USER), b"+")
        client.ask(USER.encode() + b" {%d}\r\n" % len(PASSWORD), b"+")
        client.ask(PASSWORD.encode() + b"\r\n", b"a OK")
        client.ask(b"b NOOP\r\n", b"b OK")
        # Courier takes those that nobody waits for as well, and does not say so.
        client, _ = self.greeted()
        client.ask(b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(USER), USER.encode(), len(PASSWORD),
                                                             PASSWORD.encode()), b"a OK")
        client.ask(b"b NOOP\r\n", b"b OK")

    def test_login_after_an_id_of_the_clients_own(self):
        client, _ = self.greeted()
        client.ask(b'a ID ("name" "tester")\r\n', b"a OK")
        client.ask(b"b " + LOGIN, b"b OK")
        client.ask(b"c NOOP\r\n", b"c OK")

    def test_authenticate(self):
        """Each mechanism that the server offers, and that a client of a few lines can do."""
        for mechanism in sasl.STEPS:
            if self.offers(f"AUTH={mechanism}"):
                with self.subTest(mechanism=mechanism):
                    client, _ = self.greeted()
                    sasl.exchange(client, b"a AUTHENTICATE", mechanism, b"+ ", b"a OK")
                    client.ask(b"b NOOP\r\n", b"b OK")

    def test_authenticate_with_initial_response(self):
        client, _ = self.greeted()
        client.ask(b"a AUTHENTICATE PLAIN " + sasl.PLAIN, b"a OK")
        client.ask(b"b NOOP\r\n", b"b OK")

    def test_authenticate_given_up(self):
        client, _ = self.greeted()
        client.ask(b"a AUTHENTICATE PLAIN\r\n", b"+")
        client.ask(b"*\r\n", b"a BAD", b"a NO")
        client.ask(b"b NOOP\r\n", b"b OK")
        client.ask(b"c " + LOGIN, b"c OK")

    def test_wrong_password(self):
        client, _ = self.greeted()
        client.ask(b"a LOGIN %s wrong\r\n" % USER.encode(), b"a NO")
        client.ask(b"b " + LOGIN, b"b OK")

    # ---- what is not passed on ----

    def test_starttls_and_compress_are_refused(self):
        client, _ = self.greeted()
        self.assertRegex(client.ask(b"a STARTTLS\r\n", b"a ")[-1], rb"^a (BAD|NO) ")
        client.ask(b"b " + LOGIN, b"b OK")
        self.assertRegex(client.ask(b"c COMPRESS DEFLATE\r\n", b"c ")[-1], rb"^c (BAD|NO) ")
        client.ask(b"d NOOP\r\n", b"d OK")

    # ---- carrying ----

    def test_pipelining(self):
        """From the login on: what is behind it waits in the proxy, for servers that would lose it."""
        client, _ = self.greeted()
        many = 100
        client.send(b"a " + LOGIN + b"s SELECT INBOX\r\n" + b"".join(b"n%d NOOP\r\ni%d ID NIL\r\n" % (n, n)
                                                                  for n in range(many)) + b"z LOGOUT\r\n")
        lines = client.rest().splitlines()
        tags = [line.split()[0] for line in lines if line.split()[1] == b"OK" and not line.startswith(b"*")]
        # What the proxy answers itself may come before what the server is still busy with (RFC 3501 section 5.5).
        self.assertEqual([tag for tag in tags if tag[:1] == b"i"], [b"i%d" % n for n in range(many)])
        self.assertEqual([tag for tag in tags if tag[:1] != b"i"],
                         [b"a", b"s"] + [b"n%d" % n for n in range(many)] + [b"z"])
        self.assertEqual(sum(line.startswith(b"* ID (") and b"deep-status" in line for line in lines), many)

    def test_megabytes_up_and_down(self):
        sent, mailbox = message("by literals", MEGABYTES_2, seed=11), self.mailbox_name("literals").encode()
        client = self.logged_in()
        client.ask(b"c CREATE " + mailbox + b"\r\n", b"c OK")
        client.ask(b"a APPEND %s {%d}\r\n" % (mailbox, len(sent)), b"+")
        client.ask(sent + b"\r\n", b"a OK")
        client.ask(b"s SELECT " + mailbox + b"\r\n", b"s OK")
        head = client.ask(b"f FETCH 1 BODY.PEEK[]\r\n", b"* 1 FETCH")[-1]
        self.assertEqual(int(re.search(rb"\{(\d+)\}", head)[1]), len(sent))
        self.assertEqual(digest(client.file.read(len(sent))), digest(sent))
        client.lines_to(b"f OK")

    def test_literal_plus_appends_glued_to_other_commands(self):
        mailbox, text = self.mailbox_name("glued").encode(), b"Subject: glued\r\n\r\n" + odd_octets(70000, seed=2)
        client = self.logged_in()
        client.ask(b"x CREATE " + mailbox + b"\r\n", b"x OK")
        append = b"APPEND %s {%d+}\r\n%s\r\n" % (mailbox, len(text), text)
        client.send(b"a " + append + b"b NOOP\r\nc " + append + b"d LOGOUT\r\n")
        tags = [line.split()[:2] for line in client.rest().splitlines() if not line.startswith(b"*")]
        self.assertEqual(tags, [[b"a", b"OK"], [b"b", b"OK"], [b"c", b"OK"], [b"d", b"OK"]])

    def test_idle_sees_a_delivery(self):
        client = self.logged_in()
        client.ask(b"a SELECT INBOX\r\n", b"a OK")
        client.ask(b"b IDLE\r\n", b"+")
        self.put(message("seen in IDLE"))
        while not client.line().endswith(b"EXISTS\r\n"):
            pass
        client.ask(b"DONE\r\n", b"b OK")
        client.ask(b"c NOOP\r\n", b"c OK")

    def test_names_that_look_like_protocol(self):
        name = self.mailbox_name(self.odd_name).encode()
        client = self.logged_in()
        client.ask(b'a CREATE "%s"\r\n' % name, b"a OK")
        self.assertIn(name, b"".join(client.ask(b'b LIST "" "*"\r\n', b"b OK")))
        client.ask(b'c DELETE "%s"\r\n' % name, b"c OK")

    def test_many_clients_together(self):
        self.put(message("for many"))
        many = [self.logged_in(f"127.0.1.{number}") for number in range(1, 31)]
        for client in many:
            client.send(b"s SELECT INBOX\r\nf FETCH 1 BODY.PEEK[]\r\n")
        for client in many:
            self.assertTrue(any(line.startswith(b"Subject: ") for line in client.lines_to(b"f OK")))
            client.ask(b"z LOGOUT\r\n", b"z OK")

    # ---- ends ----

    def test_logout(self):
        """BYE, the tagged OK, close_notify, and the end: without close_notify the last would be an error."""
        client = self.logged_in()
        client.send(b"z LOGOUT\r\n")
        lines = client.rest().splitlines()
        self.assertEqual([line.split()[:2] for line in lines], [[b"*", b"BYE"], [b"z", b"OK"]])

    def test_server_that_stops(self):
        with self.start_servers(self.folder / "stopping") as servers:
            with self.start_proxy({"imap": [f"127.0.0.1:{servers.ports['imap']}"]}) as own:
                client = self.logged_in(at=own)
                servers.stop()
                self.assertRegex(client.rest().splitlines()[-1], rb"^\* BYE .")
                late, greeting = self.greeted(at=own)
                self.assertRegex(greeting, rb"^\* BYE \[UNAVAILABLE\] .")
                self.assertEqual(late.rest(), b"")
