/* SPDX-License-Identifier: BSD-2-Clause */
#include "content.h"

#include "fuzz_check.h"

#include <string.h>

#define IN  SIDE_CLIENT
#define OUT SIDE_BACKEND

/* Takes what it is given, and frees it. */
static void same(struct session *s, enum side from, struct bytes octets)
{
    content_same(s, from, bytes_view(&octets));
    bytes_free(&octets);
}

static void say_hello(struct session *s)
{
    char shown[500];
    const char *status = s->as->service.deep_status;
    content_same_text(s, OUT, "220 msa\r\n");
    content_same_text(s, IN, "EHLO me\r\n");
    snprintf(shown, sizeof shown, "250-msa\r\n250-CHUNKING\r\n250 DEEP%s%s\r\n", *status != '\0' ? " " : "",
             status);
    content_text(s, OUT, "250-msa\r\n250 CHUNKING\r\n", shown);
}

/* Neither NUL nor CR nor LF, but CRLF. */
static bool is_well_formed(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool cr = s.data[i] == '\r', lf = s.data[i] == '\n';
        if (s.data[i] == '\0' || (cr && (i + 1 == s.len || s.data[i + 1] != '\n')) ||
            (lf && (i == 0 || s.data[i - 1] != '\r')))
            return false;
    }
    return true;
}

/* What is left without the octets that may be added to a message whose line ends are not CRLF. */
static struct bytes skeleton(struct slice s)
{
    struct bytes b = {0};
    for (size_t i = 0; i < s.len; i++)
        if (memchr("\r\n.", s.data[i], 3) == NULL)
            bytes_append(&b, slice_sub(s, i, 1), NO_LIMIT);
    return b;
}

static void send_odd_message(struct session *s, struct slice message)
{
    bytes_free(&s->got[SIDE_BACKEND]);
    session_feed(s, IN, message);
    session_settle(s);
    struct slice got = bytes_view(&s->got[SIDE_BACKEND]);
    struct bytes sent = skeleton(message), came = skeleton(got);
    check(slice_equals(bytes_view(&sent), bytes_view(&came)),
          "of a message only line ends and dots may change");
    check(got.len >= message.len, "and none goes");
    check(slice_has_suffix(got, "\r\n.\r\n"), "and it ends where it ends");
    bytes_free(&sent);
    bytes_free(&came);
}

static void as_message(struct session *s, struct slice octets)
{
    struct bytes body = content_stuffed(octets);
    struct bytes message = content_frame("", bytes_view(&body), ".\r\n");
    content_same_text(s, IN, "DATA\r\n");
    content_same_text(s, OUT, "354 go\r\n");
    if (is_well_formed(octets))
        content_same(s, IN, bytes_view(&message));
    else
        send_odd_message(s, bytes_view(&message));
    bytes_free(&body);
    bytes_free(&message);
    same(s, OUT, content_line("250 ", octets, "\r\n"));
}

static void as_chunk(struct session *s, struct slice octets)
{
    char line[40];
    snprintf(line, sizeof line, "BDAT %zu LAST\r\n", octets.len);
    same(s, IN, content_frame(line, octets, ""));
    same(s, OUT, content_line("250 ", octets, "\r\n"));
}

void content_play(struct session *s, struct slice octets)
{
    say_hello(s);
    same(s, IN, content_line("MAIL FROM:<a> ", octets, "\r\n"));
    same(s, OUT, content_line("250-", octets, "\r\n250 OK\r\n"));
    /* With a parameter behind it, or "RCPT TO:a HTTP/1.0" is a web browser's request. */
    same(s, IN, content_line("RCPT TO:", octets, " NOTIFY=NEVER\r\n"));
    same(s, OUT, content_line("550 ", octets, "\r\n"));
    as_message(s, octets);
    as_chunk(s, octets);
    content_same_text(s, IN, "AUTH LOGIN\r\n");
    same(s, OUT, content_line("334 ", octets, "\r\n"));
    same(s, IN, content_base64(octets));
    content_same_text(s, OUT, "235 in\r\n");
    content_same_text(s, IN, "NOOP\r\n");
    content_same_text(s, OUT, "250 OK\r\n");
}
