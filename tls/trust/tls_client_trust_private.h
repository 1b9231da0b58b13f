/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CLIENT_TRUST_INNER_H
#define DEEPPROXY_TLS_CLIENT_TRUST_INNER_H

#include "tls/trust/tls_client_certificate.h"
#include "tls/trust/tls_client_trust.h"

#include <openssl/pool.h>
#include <openssl/stack.h>

/* How a handshake uses a trust, and what it keeps of a certificate. Inner to tls/. */
enum {
    TLS_CLIENT_CHAIN_MAX = 8,            /* certificates that a client may send */
    TLS_CLIENT_CHAIN_OCTETS = 32 * 1024, /* all of them: the library holds them until they are whole */
    TLS_CLIENT_TRUST_ID_MAX = 32
};

/* Verifies a chain, leaf first. NULL where it is good, else static words for a log, and the alert that says it. */
const char *tls_client_trust_verify(const struct tls_client_trust *trust,
                                    const STACK_OF(CRYPTO_BUFFER) * chain, uint8_t *alert);
bool tls_client_trust_is_required(const struct tls_client_trust *trust);

/* The authorities' names (DER), for an SSL to own; NULL where memory is short. */
STACK_OF(CRYPTO_BUFFER) * tls_client_trust_names(const struct tls_client_trust *trust);

/*
 * Tells this trust from any other with other authorities or another `required`, and is the same for the same files on
 * another machine: TLS_CLIENT_TRUST_ID_MAX octets.
 */
const uint8_t *tls_client_trust_id(const struct tls_client_trust *trust);

/* NULL where it can't be read, or memory is short. In one block. */
struct tls_client_certificate *tls_client_certificate_read(CRYPTO_BUFFER *der);
void tls_client_certificate_free(struct tls_client_certificate **certificate);

#endif
