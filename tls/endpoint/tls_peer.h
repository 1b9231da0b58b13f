/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_PEER_H
#define DEEPPROXY_TLS_PEER_H

#include "tls/endpoint/tls_backend.h"

#include <openssl/base.h>

/*
 * What an endpoint towards a backend knows of its server, besides what every endpoint knows. Private to
 * tls/endpoint/. The endpoint owns it.
 */
struct tls_peer {
    const char *name;                 /* the caller's */
    struct tls_resumption_slot *slot; /* where its sessions are kept; NULL: none are */
    uint64_t owner;                   /* the slot is its own as long as the slot has this number */
    /*
     * Until when its certificates are valid, in seconds since 1970: those of this handshake, or of the one
     * with which the offered session began. INT64_MAX if nothing is verified.
     */
    int64_t valid_until;
    char *failure;         /* why its certificate was rejected; NULL: it was not */
    bool untrusted;        /* its certificate was rejected */
    bool offered_session;  /* the handshake has offered a session to resume */
    bool sent_certificate; /* the server has sent a certificate, and so does not resume the session */
};

/* `name` and `slot` outlive the peer. NULL if memory is short. */
MUST_CHECK struct tls_peer *tls_peer_new(const char *name, struct tls_resumption_slot *slot, uint64_t owner);

/* Frees it, and sets the pointer to NULL. */
void tls_peer_free(struct tls_peer **peer);

/* tls_endpoint.c: the peer of an SSL object's endpoint. NULL if that is no endpoint towards a backend. */
struct tls_peer *tls_endpoint_peer(const SSL *ssl);

/* tls_endpoint.c: the peer of an endpoint. NULL if it is no endpoint towards a backend. */
struct tls_peer *tls_endpoint_peer_of(const struct tls_endpoint *endpoint);

/*
 * tls_endpoint.c: gives a client's endpoint its peer, once. The endpoint owns the peer from then on. It
 * offers the session to the server (NULL: none); the session stays the caller's.
 */
void tls_endpoint_set_peer(struct tls_endpoint *endpoint, struct tls_peer *peer, SSL_SESSION *session);

/*
 * tls_endpoint.c: sets the reason of a handshake that the caller is about to fail. It lives as long as the
 * peer, or is static.
 */
void tls_endpoint_set_failure(SSL *ssl, const char *reason);

/*
 * tls_backend.c: an operator's words for an error of the library (its reason code) in a client's end; static.
 * NULL if there are none.
 */
const char *tls_peer_failure(int reason);

#endif
