/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_EXPLAIN_H
#define DEEPPROXY_TLS_EXPLAIN_H

#include "tls/endpoint/tls_failure.h"

#include <stdint.h>

/*
 * Finds out why a connection has failed, from what the library says of it and from what the peer has sent: a
 * client that speaks something else, or OpenSSL's alert in the clear, are not in the library's words. It
 * explains a failure and never makes one. Private to tls/endpoint/; tls_endpoint.c decides when to ask.
 */

/* What the library has read in a handshake, over several calls. All zero: nothing. */
struct tls_seen {
    uint8_t len;                       /* octets, at most UINT8_MAX */
    uint8_t last[TLS_CLEAR_ALERT_LEN]; /* the last of them */
};

/* Adds what the library has read in one call. */
void tls_seen_note(struct tls_seen *seen, struct slice read);

/* The circumstances of a failure. */
struct tls_failed_call {
    const struct tls_seen *seen; /* by earlier calls; NULL: the handshake is over */
    struct slice given;          /* the input of the call that has failed */
    struct slice read;           /* its beginning, which the library has read */
    bool by_client;              /* the peer is a client */
    bool by_server;              /* it is a server that is verified (tls_peer.h) */
};

/*
 * The failure by the library's queue of errors, which is empty afterwards, and by these circumstances. The
 * text is never NULL. Nobody has authenticated what it is found by.
 */
struct tls_failure_words tls_explain(const struct tls_failed_call *call);

#endif
