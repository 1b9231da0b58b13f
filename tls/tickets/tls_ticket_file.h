/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TICKET_FILE_H
#define DEEPPROXY_TLS_TICKET_FILE_H

#include "base/must_check.h"
#include "base/slice.h"
#include "tls/tickets/tls_ticket_set.h"

/*
 * The text form in which replicas share ticket keys. It is HAProxy's, so that an operator's files continue to
 * work. Each line is one key: base64 (RFC 4648 section 4, with padding) of 80 octets, which are the name, the
 * AES key and the HMAC key. There are at least three lines. A new key is added at the end, and the last three
 * count: the last but one seals tickets, and all three open them. So all replicas know a new key before one
 * of them seals with it.
 *
 * Lines may end with CRLF, and empty lines are skipped. Comments are an error, as a rotation would lose them.
 * Nothing here opens a file.
 */
enum {
    TLS_TICKET_FILE_LINE = 108, /* octets, without the line's end */
    TLS_TICKET_FILE_TEXT = TLS_TICKET_KEYS * (TLS_TICKET_FILE_LINE + 1),
    TLS_TICKET_FILE_MAX = 16 * 1024, /* nobody keeps 150 keys: a larger file is the wrong one */
};

struct tls_ticket_problem {
    unsigned line;    /* from 1; 0: the whole file */
    const char *text; /* what is wrong, and what was expected; static, and never has octets of the file */
};

/*
 * Reads the keys. False, with an empty set and the problem, if the text is not as described. The caller wipes
 * the text and the set.
 */
MUST_CHECK bool tls_ticket_file_parse(struct slice text, struct tls_ticket_set *set,
                                      struct tls_ticket_problem *problem);

/* Writes the text for a set of three keys, without a NUL. The caller wipes it. */
void tls_ticket_file_format(const struct tls_ticket_set *set, char text[TLS_TICKET_FILE_TEXT]);

/* Makes three new keys, in the order of a file. The caller wipes the set. */
void tls_ticket_file_make(struct tls_ticket_set *set);

/*
 * Drops the oldest of three keys and adds a new one. The key that was added by the last rotation seals from
 * now on.
 */
void tls_ticket_file_rotate(struct tls_ticket_set *set);

#endif
