/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_PRETLS_ENGINE_H
#define DEEPPROXY_PROTOCOLS_PRETLS_ENGINE_H

#include "protocols/engine_private.h"
#include "protocols/line.h"

/*
 * The engine of engine_new_pretls: the dialogue before STARTTLS (RFC 3501 6.2.1, RFC 3207) or STLS (RFC 2595 4),
 * in which the proxy alone speaks with the client. Draft section 9.1 has nothing in it but the discovery of
 * capabilities and the command itself; NOOP and the end of the session are harmless. Everything else is refused
 * with a word that says what to do, so that no password is asked for, and one that is sent goes nowhere.
 *
 * pretls_engine.c has what the protocols share: lines, limits, and the end; imap_pretls.c and its like have
 * their words. For each line a dialect says what it was, and has answered it.
 *
 * DEEP stands in POP3's list alone, where it is a status to read. In IMAP and SMTP it announces commands (ID,
 * CLIENT) that have no place before TLS, and clients ignore a status that came without it (section 5.3).
 */
enum {
    /* With its end. The longest command that is answered here is short; a refused one may bring a password along. */
    PRETLS_LINE_MAX = 4096,
    /* Commands that are no answer to STARTTLS: a client that does not understand the first refusals never will. */
    PRETLS_REFUSALS_MAX = 10,
    /* A literal of a refused IMAP command that comes unasked is skipped; there is no reason for a larger one. */
    PRETLS_LITERAL_MAX = 64 * 1024
};

/* What a line of the client's was. It has been answered. */
enum pretls_line {
    PRETLS_SERVED,   /* a command that has its place here */
    PRETLS_REFUSED,  /* one that has not */
    PRETLS_STARTTLS, /* the handshake is next */
    PRETLS_LOGOUT    /* the session has ended */
};

struct pretls_engine {
    struct engine base;
    struct line_reader from_client;
    size_t skip; /* octets of a literal that nobody gets */
    bool
        rest_of_refused; /* the next line belongs to a command that has been refused: IMAP, behind a literal */
    uint8_t refusals;
};

/* The words of a protocol. */
struct pretls_dialect {
    void (*greet)(const struct engine_service *service, struct engine_out *out);
    enum pretls_line (*line)(struct pretls_engine *engine, struct slice text, struct engine_out *out);
    /* Ends the session from our side, as an answer to `why`: words for people. */
    void (*farewell)(const struct engine_service *service, const char *why, struct engine_out *out);
    /* As engine_goodbye. */
    void (*goodbye)(const struct engine_service *service, enum engine_farewell why, struct engine_out *out);
};

/* For the dialects: lets out each text up to a NULL, to the client. */
void pretls_say(struct engine_out *out, const char *text, ...) __attribute__((sentinel));

#endif
