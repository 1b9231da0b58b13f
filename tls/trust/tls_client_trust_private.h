/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CLIENT_TRUST_PRIVATE_H
#define DEEPPROXY_TLS_CLIENT_TRUST_PRIVATE_H

#include "base/must_check.h"
#include "tls/trust/tls_client_certificate.h"
#include "tls/trust/tls_client_trust.h"

#include <openssl/pool.h>
#include <openssl/stack.h>

/*
 * How a handshake uses a trust, and how a certificate becomes text. Private to tls/trust/: for its sources
 * alone.
 */
enum {
    TLS_CLIENT_CHAIN_MAX = 8, /* certificates that a client may send */
    /* of all of them: the library buffers them until they are complete */
    TLS_CLIENT_CHAIN_OCTETS = 32 * 1024,
    TLS_CLIENT_TRUST_ID_MAX = 32 /* octets */
};

/*
 * Verifies a chain, the leaf first. NULL if it is accepted; otherwise a static reason for a log, and the
 * alert to send.
 */
MUST_CHECK const char *tls_client_trust_verify(const struct tls_client_trust *trust,
                                               const STACK_OF(CRYPTO_BUFFER) * chain, uint8_t *alert);

/* Whether clients must send a certificate. */
bool tls_client_trust_is_required(const struct tls_client_trust *trust);

/* The names of the authorities (DER), in a stack that the caller owns. NULL if memory is short. */
MUST_CHECK STACK_OF(CRYPTO_BUFFER) * tls_client_trust_names(const struct tls_client_trust *trust);

/*
 * TLS_CLIENT_TRUST_ID_MAX octets that are different for a trust with other authorities or another `required`,
 * and the same for the same files on another machine. They live as long as the trust.
 */
const uint8_t *tls_client_trust_id(const struct tls_client_trust *trust);

/* Reads a certificate in DER. The caller frees it. NULL if it can't be read, or memory is short. */
MUST_CHECK struct tls_client_certificate *tls_client_certificate_read(CRYPTO_BUFFER *der);

/* Frees it, and sets the pointer to NULL. */
void tls_client_certificate_free(struct tls_client_certificate **certificate);

#endif
