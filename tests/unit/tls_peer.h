/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_TLS_PEER_H
#define DEEPPROXY_TESTS_TLS_PEER_H

#include "base/bytes.h"
#include "tls/endpoint/tls_endpoint.h"
#include "tls_pair.h"

#include <openssl/ssl.h>

/*
 * Test support: a server's endpoint, and a client of the library's own, whose every record is in the hands of
 * the test and which can do what our endpoint as a client never does. What can't be done fails the test.
 */
struct tls_peer {
    struct tls_context *context;
    struct tls_service_settings service;
    struct tls_io *io;
    struct tls_endpoint *server;
    SSL_CTX *client_context;
    SSL *client;
    struct bytes to_server; /* what the client has sent and nobody has delivered */
    struct bytes plain;     /* what the server has received */
    size_t answered;        /* octets that the server has sent */
};

/* Of the settings the server's count. The client speaks what the server does, and takes any certificate. */
void tls_peer_open(struct tls_peer *peer, const struct tls_pair_settings *settings);
void tls_peer_close(struct tls_peer *peer);

/* The client continues its handshake as far as it can; what it sends is then in `to_server`. */
void tls_peer_shake(struct tls_peer *peer);
/* The server gets these octets; the client gets its answer. */
void tls_peer_give(struct tls_peer *peer, struct slice octets);
/* ... the first ones of `to_server`. */
void tls_peer_deliver(struct tls_peer *peer, size_t count);
/* Both sides, until both are open. */
void tls_peer_connect(struct tls_peer *peer);
/* Moves what the client has written by other calls to `to_server`. */
void tls_peer_collect(struct tls_peer *peer);

/*
 * A record as the client would seal it in TLS 1.2 with AES-128-GCM, whatever is in it; in `into`, room for 1
 * KB. Its length.
 */
size_t tls_peer_forge(struct tls_peer *peer, uint8_t type, struct slice plain, uint64_t sequence,
                      uint8_t *into);

#endif
