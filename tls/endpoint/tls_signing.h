/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_SIGNING_H
#define DEEPPROXY_TLS_SIGNING_H

#include "base/bytes.h"
#include "tls/certificates/tls_keys.h"

#include <openssl/ssl.h>

/* Inner to tls/: a handshake that waits for a signature made somewhere else. */
struct tls_signing {
    enum { TLS_SIGNING_ASKED, TLS_SIGNING_DONE, TLS_SIGNING_REFUSED } progress;
    struct slice signature; /* where it is done: valid within tls_endpoint_signed */
    struct bytes held;      /* what the peer sent behind the message that is being answered */
    uint16_t algorithm;
    size_t input_len;
    uint8_t input[];
};

/* The key of a certificate that has none in this process: SSL_set_chain_and_key takes it in place of one. */
extern const SSL_PRIVATE_KEY_METHOD tls_signing_method;

void tls_signing_free(struct tls_signing **signing);

/* tls_endpoint.c: where the endpoint of this handshake keeps it; NULL in it where no signature is wanted. */
struct tls_signing **tls_endpoint_signing(const SSL *ssl);

/* tls_endpoint.c: to be called when the certificate is chosen. */
void tls_endpoint_use_key(const SSL *ssl, uint32_t number);

#endif
