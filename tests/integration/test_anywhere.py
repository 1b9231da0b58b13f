# SPDX-License-Identifier: BSD-2-Clause
"""Either side goes away at any point of a dialogue, cut between any two octets: the other one gets an orderly end."""


import harness

# What each side says in turn: (client, backend). The first is the backend's greeting.
DIALOGUES = {
    "imap": [(b"", b"* OK [CAPABILITY IMAP4rev1 ID STARTTLS] ready\r\n"),
             (b'a ID ("name" "me")\r\n', b'* ID ("name" "srv")\r\na OK done\r\n'),
             (b"b LOGIN {3}\r\n", b"+ go\r\n"), (b"joe secret\r\n", b"b OK [CAPABILITY IMAP4rev1 ID] in\r\n"),
             (b"c FETCH 1 BODY[]\r\n", b"* 1 FETCH (BODY[] {12}\r\nHello\r\nyou\r\n)\r\nc OK done\r\n"),
             (b"d IDLE\r\n", b"+ idling\r\n* 2 EXISTS\r\n"), (b"DONE\r\n", b"d OK done\r\n"),
             (b"e LOGOUT\r\n", b"* BYE\r\ne OK done\r\n")],
    "pop3": [(b"", b"+OK ready\r\n"), (b"CAPA\r\n", b"+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n"),
             (b"AUTH PLAIN\r\n", b"+ \r\n"), (b"AGpvZQBzZWNyZXQ=\r\n", b"+OK in\r\n"),
             (b"RETR 1\r\n", b"+OK\r\nHello\r\n..\r\n.\r\n"), (b"QUIT\r\n", b"+OK bye\r\n")],
    "submission": [(b"", b"220-mail\r\n220 ready\r\n"),
                   (b"EHLO me\r\n", b"250-mail\r\n250-PIPELINING\r\n250-AUTH PLAIN\r\n250 CHUNKING\r\n"),
                   (b"AUTH PLAIN\r\n", b"334 \r\n"), (b"AGpvZQBzZWNyZXQ=\r\n", b"235 in\r\n"),
                   (b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n"),
                   (b"Subject: x\r\n\r\n.\r\n", b"250 queued\r\n"),
                   (b"MAIL FROM:<>\r\nBDAT 4 LAST\r\nabcd", b"250 ok\r\n250 queued\r\n"), (b"QUIT\r\n", b"221 bye\r\n")],
}
# Words of the proxy's own that a cut session may end with, behind whole responses; where they have no place it is mute.
LAST_WORDS = {"imap": b"* BYE [UNAVAILABLE]", "pop3": b"-ERR [SYS/TEMP]", "submission": b"421 4.3"}


class Anywhere(harness.TestCase):
    def cuts(self, protocol, side):
        """Dialogues that end in the middle: each turn whole, and cut at its first, middle and last octet."""
        for turn, (heard, said) in enumerate(DIALOGUES[protocol]):
            text = said if side == "backend" else heard
            for at in sorted({0, 1, len(text) // 2, len(text) - 1, len(text)}):
                if 0 <= at <= len(text):
                    yield turn, at

    def check_end(self, client, protocol, cut):
        """All comes to an end, by close_notify, and what the proxy adds stands at the beginning of a line."""
        while client.more():
            pass
        got, client.held = client.held, b""
        client.close()
        self.assertEqual(client.ended, "close_notify", (protocol, cut, got))
        words = got.find(LAST_WORDS[protocol])
        self.assertTrue(words <= 0 or got[words - 1:words] == b"\n", (protocol, cut, got))

    def test_backend_that_goes_away(self):
        for protocol, dialogue in DIALOGUES.items():
            point = [None]

            def script(connection, dialogue=dialogue, point=point):
                turn, at = point[0]
                for number, (heard, said) in enumerate(dialogue[:turn + 1]):
                    if protocol != "imap":
                        connection.exactly(len(heard))
                    elif heard:
                        self.hear_imap(connection, heard)
                    connection.send(said if number < turn else said[:at])
            backend = self.backend(script)
            proxy = self.start({protocol: [backend]})
            for cut in self.cuts(protocol, "backend"):
                point[0] = cut
                client = self.client(proxy, protocol)
                if cut[0] > 0:
                    client.send(b"".join(heard for heard, _ in dialogue[:cut[0] + 1]))
                self.check_end(client, protocol, cut)
            lines = proxy.wait_lines(sum(1 for _ in self.cuts(protocol, "backend")), event="session")
            self.assertLessEqual({line["reason"] for line in lines},
                                 {"backend-closed", "backend-unavailable", "backend-error", "logout"})

    def hear_imap(self, connection, heard):
        """The proxy adds to ID; all else is as the client said it."""
        if b" ID " in heard:
            self.assertIn(b'"tls"', connection.line())
        else:
            self.assertEqual(connection.exactly(len(heard)), heard)

    def test_client_that_goes_away(self):
        for protocol, dialogue in DIALOGUES.items():
            for how in ("close_notify", "fin", "reset"):
                heard, turn_of = harness.Events(), [0]

                def script(connection, dialogue=dialogue, heard=heard, turn_of=turn_of):
                    try:
                        connection.send(dialogue[0][1])
                        for _, said in dialogue[1:]:
                            if connection.line() is None:
                                return
                            connection.send(said)
                        if turn_of[0] < len(dialogue) - 1:
                            connection.rest()
                    finally:
                        heard.tell("end")
                backend = self.backend(script)
                proxy = self.start({protocol: [backend]})
                count = 0
                for turn, at in self.cuts(protocol, "client"):
                    turn_of[0] = turn
                    client = self.client(proxy, protocol)
                    client.line()
                    said = b"".join(text for text, _ in dialogue[:turn]) + dialogue[turn][0][:at]
                    if said:
                        client.send(said)
                    if how == "close_notify":
                        client.send_close_notify()
                    elif how == "fin":
                        client.finish()
                    else:
                        client.reset()
                    heard.wait()  # the backend's connection has ended as well
                    client.close()
                    count += 1
                proxy.wait_lines(count, event="session")
                proxy.stop()

    def test_backend_that_says_goodbye_and_stays(self):
        """Nobody waits for an idle timeout then."""
        def script(connection):
            connection.send(b"+OK ready\r\n")
            connection.line()
            connection.send(b"+OK bye\r\n")
            connection.rest()
        proxy = self.start({"pop3": [self.backend(script)]})
        client = self.client(proxy, "pop3")
        client.line()
        client.send(b"QUIT\r\n")
        self.assertEqual(client.rest(), b"+OK bye\r\n")
        self.assertEqual(proxy.session()["reason"], "logout")


if __name__ == "__main__":
    harness.main()
