/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_PRETLS_ENGINE_H
#define DEEPPROXY_PROTOCOLS_PRETLS_ENGINE_H

#include "protocols/engine_private.h"
#include "protocols/line.h"

/*
 * The engine of engine_new_pretls: the dialogue before STARTTLS (RFC 3501 6.2.1, RFC 3207) or STLS (RFC 2595
 * 4), in which the proxy alone speaks with the client. Draft section 9.1 allows the discovery of capabilities
 * and the command itself; NOOP and the end of the session are harmless. The proxy rejects everything else and
 * says what to do instead, so that no client is asked for a password, and one that is sent goes nowhere.
 *
 * pretls_engine.c has what the protocols share: lines, limits, and the end. A dialect has the words of one
 * protocol (imap_pretls.c and its like).
 *
 * POP3's list alone has DEEP, where it is a status to read. In IMAP and SMTP it announces commands (ID,
 * CLIENT) that have no place before TLS, and clients ignore a status that came without it (section 5.3).
 */
enum {
    /*
     * With its end. The longest command that is served here is short; a rejected one may bring a password
     * along.
     */
    PRETLS_LINE_MAX = 4096,
    /* Commands that the proxy rejects: a client that does not understand the first rejections never will. */
    PRETLS_REFUSALS_MAX = 10,
    /*
     * A literal of a rejected IMAP command that comes unasked is skipped; there is no reason for a larger
     * one.
     */
    PRETLS_LITERAL_MAX = 64 * 1024
};

/* What a line of the client was. The dialect has replied to it. */
enum pretls_line {
    PRETLS_SERVED,   /* a command that has its place here */
    PRETLS_REFUSED,  /* one that has not */
    PRETLS_STARTTLS, /* the handshake is next */
    PRETLS_LOGOUT    /* the session has ended */
};

struct pretls_engine {
    struct engine base;
    struct line_reader from_client;
    uint64_t skip;        /* octets of a literal that nobody gets */
    bool rest_of_refused; /* IMAP: the next line belongs to a rejected command, after its literal */
    uint8_t refusals;
};

/* The words of a protocol. Each function sends to the client alone. */
struct pretls_dialect {
    /* As engine_greet. */
    void (*greet)(const struct engine_service *service, struct engine_out *out);
    /* Replies to a whole line, without its end. */
    enum pretls_line (*take_line)(struct pretls_engine *pretls, struct slice text, struct engine_out *out);
    /* Rejects what the client has sent and ends the session. `why`: words for people. */
    void (*close)(const struct engine_service *service, const char *why, struct engine_out *out);
    /* As engine_goodbye. */
    void (*goodbye)(const struct engine_service *service, enum engine_goodbye_reason why,
                    struct engine_out *out);
};

/* For the dialects: sends the client each text up to a NULL. */
void pretls_send(struct engine_out *out, const char *text, ...) __attribute__((sentinel));

#endif
