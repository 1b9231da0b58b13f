/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TICKET_FILE_H
#define DEEPPROXY_TLS_TICKET_FILE_H

#include "base/slice.h"
#include "tls/tickets/tls_ticket_set.h"

/*
 * The text in which replicas share ticket keys; it is HAProxy's, so that what operators have goes on to work. A line
 * is a key: base64 (RFC 4648 section 4, with its padding) of 80 octets, which are name, AES key and HMAC key. There are
 * at least three, a new one is added below, and the last three count: tickets are sealed with the last but one and
 * opened with all three. So a new key is known to all replicas before any of them seals with it.
 *
 * Lines may end with CRLF, and empty ones are skipped. There are no comments: rotation would lose them.
 */
enum {
    TLS_TICKET_FILE_LINE = 108, /* without its end */
    TLS_TICKET_FILE_TEXT = TLS_TICKET_KEYS * (TLS_TICKET_FILE_LINE + 1),
    TLS_TICKET_FILE_MAX = 16 * 1024, /* nobody keeps 150 keys; it is another file */
};

struct tls_ticket_problem {
    unsigned line;    /* 0: the file as a whole */
    const char *text; /* what is wrong and what would be right, static; never what stands in the file */
};

/* False, with an empty set and the problem, where the text is not as above. The caller wipes text and set. */
bool tls_ticket_file_parse(struct slice text, struct tls_ticket_set *set, struct tls_ticket_problem *problem);

/* The text for a set of three; no NUL behind. The caller wipes it. */
void tls_ticket_file_format(const struct tls_ticket_set *set, char text[TLS_TICKET_FILE_TEXT]);

/* Three new keys in place of what was in `*set`, as a file has them. */
void tls_ticket_file_make(struct tls_ticket_set *set);

/* The oldest of three keys goes, a new one comes, and the one that came last time seals. */
void tls_ticket_file_rotate(struct tls_ticket_set *set);

#endif
