/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_SIGNING_H
#define DEEPPROXY_TLS_SIGNING_H

#include "base/bytes.h"
#include "base/must_check.h"
#include "tls/certificates/tls_certificate.h"

#include <openssl/ssl.h>

/*
 * Handshakes whose signature is made somewhere else, as the private key is not in this process. Private to
 * tls/endpoint/. The endpoint owns a struct tls_signing from the library's question until the signature is
 * there.
 */
struct tls_signing {
    enum {
        TLS_SIGNING_REQUESTED, /* the signature is awaited */
        TLS_SIGNING_DONE,      /* `signature` has it */
        TLS_SIGNING_REFUSED    /* there is none: the handshake fails */
    } progress;
    struct slice signature; /* valid only within tls_endpoint_signed */
    struct bytes held;      /* what the peer has sent after the message that is being answered */
    uint16_t algorithm;     /* SignatureScheme, see tls_keys.h */
    size_t input_len;
    uint8_t input[]; /* what is signed */
};

/*
 * Makes a handshake send this certificate, and sign with its key, wherever that is. The SSL object holds
 * references of its own to the chain and the key. False if memory is short.
 */
MUST_CHECK bool tls_signing_set_certificate(SSL *ssl, const struct tls_certificate *certificate);

/* Frees it, and sets the pointer to NULL. */
void tls_signing_free(struct tls_signing **signing);

/* tls_endpoint.c: where the endpoint of this handshake keeps its signing; NULL in it if none is awaited. */
struct tls_signing **tls_endpoint_signing(const SSL *ssl);

/* tls_endpoint.c: tells the endpoint the number of its certificate's key, in the key source. */
void tls_endpoint_set_key_number(const SSL *ssl, uint32_t number);

#endif
