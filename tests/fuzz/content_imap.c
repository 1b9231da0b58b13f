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

static void log_in(struct session *s)
{
    char told[300];
    content_text(s, OUT, "* OK [CAPABILITY IMAP4rev1 ID] hi\r\n",
                 "* OK [CAPABILITY IMAP4rev1 ID DEEP] hi\r\n");
    snprintf(told, sizeof told, "%s ID (\"tls\" \"%s\")\r\na1 LOGIN u p\r\n", s->as->client.nonce,
             s->as->client.tls_cipher);
    content_text(s, IN, "a1 LOGIN u p\r\n", told);
    snprintf(told, sizeof told, "* ID NIL\r\n%s OK done\r\na1 OK in\r\n", s->as->client.nonce);
    content_text(s, OUT, told, "a1 OK in\r\n");
}

static void as_literals(struct session *s, struct slice octets)
{
    char line[60];
    snprintf(line, sizeof line, "a2 APPEND x {%zu}\r\n", octets.len);
    content_same_text(s, IN, line);
    content_same_text(s, OUT, "+ go\r\n");
    same(s, IN, content_frame("", octets, "\r\n"));
    snprintf(line, sizeof line, "* 1 FETCH (BODY[] {%zu}\r\n", octets.len);
    same(s, OUT, content_frame(line, octets, ")\r\na2 OK done\r\n"));
    snprintf(line, sizeof line, "* LIST () NIL {%zu}\r\n", octets.len);
    same(s, OUT, content_frame(line, octets, "\r\n"));
}

/* The words for people; in front of them something that is no code. */
static void as_text(struct session *s, struct slice octets)
{
    same(s, OUT, content_line("* OK ", octets, " {3}\r\n"));
    same(s, OUT, content_line("* NO - ", octets, "\r\n"));
    same(s, OUT, content_line("+ ", octets, "\r\n"));
    same(s, OUT, content_line("a9 BAD - ", octets, " {3}\r\n"));
    same(s, OUT, content_line("* 5 LIST \"", octets, "\"\r\n"));
}

static void as_arguments(struct session *s, struct slice octets)
{
    same(s, IN, content_line("a3 SEARCH TEXT \"", octets, "\"\r\n"));
    same(s, OUT, content_line("a3 OK - ", octets, "\r\n"));
    content_same_text(s, IN, "a4 NOOP\r\n");
    content_same_text(s, OUT, "a4 OK done\r\n");
}

static bool begins_with_code(struct slice octets)
{
    return octets.len > 0 && memchr(octets.data, '[', octets.len) != NULL;
}

void content_play(struct session *s, struct slice octets)
{
    log_in(s);
    as_literals(s, octets);
    /* "* OK [CAPABILITY" is edited, and rightly. */
    if (!begins_with_code(octets))
        as_text(s, octets);
    as_arguments(s, octets);
}
