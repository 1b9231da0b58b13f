/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_PEER_H
#define DEEPPROXY_TLS_PEER_H

#include "tls/endpoint/tls_backend.h"

#include <openssl/base.h>

/* What an endpoint towards a backend knows of its server, besides what every endpoint has. Inner to tls/. */
struct tls_peer {
    const char *name;
    struct tls_resumption_slot *slot; /* for its sessions */
    int64_t
        valid_until; /* of the certificates that it has shown, or had shown when this session was begun; in seconds
                            since 1970 */
    char *words;  /* why it was not believed; NULL unless that is so */
    bool offered; /* a session is to be resumed */
    bool shown;   /* the server has shown a certificate, and so does not resume it */
};

/* NULL where memory is short; the endpoint then owns it. */
struct tls_peer *tls_peer_new(const char *name, struct tls_resumption_slot *slot);
void tls_peer_free(struct tls_peer **peer);

/* tls_endpoint.c: the peer of an SSL object's endpoint; NULL where that is no backend's. */
struct tls_peer *tls_endpoint_peer(const SSL *ssl);
struct tls_peer *tls_endpoint_peer_of(const struct tls_endpoint *endpoint);
/* A client's endpoint takes over its peer, and is to offer a session (NULL: none). */
void tls_endpoint_meet(struct tls_endpoint *endpoint, struct tls_peer *peer, SSL_SESSION *session);
/* The handshake is about to fail for this reason, which lives as long as the peer. */
void tls_endpoint_blame(SSL *ssl, const char *words);

/* tls_backend.c: what an error of the library (its reason) in a client's end means; NULL where that is not known. */
const char *tls_peer_failure(int reason);

#endif
