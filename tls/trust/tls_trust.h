/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TRUST_H
#define DEEPPROXY_TLS_TRUST_H

#include "tls/endpoint/tls_context.h"

#include <openssl/base.h>
#include <openssl/pool.h>

/* Whose word is taken for a server's certificate. Immutable; usable from all threads at once. Inner to tls/. */
struct tls_trust;

/* Reads the authorities (a PEM file; NULL: none, and nothing may be judged by it). NULL where an error was reported. */
struct tls_trust *tls_trust_new(const char *ca, const struct tls_report *report);
void tls_trust_free(struct tls_trust **trust);

/* The file is as it was when it was read. */
bool tls_trust_is_fresh(const struct tls_trust *trust);

/* Servers' certificates are kept in it once each, however many sessions there are; lives as long as the trust. */
CRYPTO_BUFFER_POOL *tls_trust_pool(const struct tls_trust *trust);

struct tls_verdict {
    uint8_t alert;       /* for the server, where it is not believed */
    int64_t valid_until; /* where it is: when the first of the certificates expires, in seconds since 1970 */
    char words[512]; /* where it is not: why, for the operator; may have octets of the certificate's in it */
};

/* Is this chain, leaf first, that of a server with this name, a DNS name or a numeric address? True, or false with reason. */
bool tls_trust_judge(const struct tls_trust *trust, const STACK_OF(CRYPTO_BUFFER) * chain, const char *name,
                     struct tls_verdict *verdict);

/* Is it a numeric address? */
bool tls_trust_is_address(const char *name);

#endif
