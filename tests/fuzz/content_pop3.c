/* SPDX-License-Identifier: BSD-2-Clause */
#include "content.h"

#define IN  SIDE_CLIENT
#define OUT SIDE_BACKEND

/* Takes what it is given, and frees it. */
static void same(struct session *s, enum side from, struct bytes octets)
{
    content_same(s, from, bytes_view(&octets));
    bytes_free(&octets);
}

static void as_lines(struct session *s, const char *command, struct slice octets)
{
    content_same_text(s, IN, command);
    struct bytes body = content_stuffed(octets);
    same(s, OUT, content_frame("+OK\r\n", bytes_view(&body), ".\r\n"));
    bytes_free(&body);
}

void content_play(struct session *s, struct slice octets)
{
    content_same_text(s, OUT, "+OK hi <1@a>\r\n");
    same(s, IN, content_line("USER ", octets, "\r\n"));
    same(s, OUT, content_line("+OK ", octets, "\r\n"));
    same(s, IN, content_line("PASS -", octets, "\r\n"));
    same(s, OUT, content_line("-ERR ", octets, "\r\n"));
    content_same_text(s, IN, "AUTH PLAIN\r\n");
    same(s, OUT, content_line("+ ", octets, "\r\n"));
    same(s, IN, content_base64(octets));
    content_same_text(s, OUT, "+OK\r\n");
    as_lines(s, "RETR 1\r\n", octets);
    as_lines(s, "TOP 1 9\r\n", octets);
    as_lines(s, "LIST\r\n", octets);
    as_lines(s, "UIDL\r\n", octets);
    content_same_text(s, IN, "RETR 2\r\nNOOP\r\n");
    same(s, OUT, content_line("-ERR ", octets, "\r\n"));
    same(s, OUT, content_line("+OK ", octets, "\r\n"));
}
