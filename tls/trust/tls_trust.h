/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TRUST_H
#define DEEPPROXY_TLS_TRUST_H

#include "base/must_check.h"
#include "tls/tls_report.h"

#include <openssl/base.h>
#include <openssl/pool.h>

/*
 * Which authorities may certify a server. It never changes after it is made, is safe to use from all threads,
 * and is counted by reference: all that verify by the same unchanged file have one, as a bundle of all public
 * authorities takes a megabyte. The file is read when it is made, never later. Private to tls/.
 *
 * The library's X509_STORE locks itself for each look-up, for the time of a binary search.
 */
struct tls_trust;

/*
 * Reads the authorities in a PEM file; NULL: there are none, and nothing may be verified. The caller owns one
 * reference. NULL if an error was reported.
 */
MUST_CHECK struct tls_trust *tls_trust_new(const char *ca, const struct tls_report *report);

/* Adds a reference, and returns the trust. */
struct tls_trust *tls_trust_ref(struct tls_trust *trust);

/* Drops a reference, and sets the pointer to NULL, which it may be already. The last one frees the trust. */
void tls_trust_unref(struct tls_trust **trust);

/* Whether the file is as it was when it was read. */
bool tls_trust_is_fresh(const struct tls_trust *trust);

/* Whether it was made of this file (NULL: of none), and the file is as it was then. */
bool tls_trust_is_of(const struct tls_trust *trust, const char *ca);

/* Keeps each certificate of a server once, however many sessions have it. It lives as long as the trust. */
CRYPTO_BUFFER_POOL *tls_trust_pool(const struct tls_trust *trust);

/* What came of a verification. */
struct tls_verdict {
    uint8_t alert; /* rejected: the alert for the server */
    /* accepted: when the first certificate of the chain expires, in seconds since 1970 */
    int64_t valid_until;
    char reason[512]; /* rejected: why, for the operator; may contain octets of the certificate's */
};

/*
 * Verifies a chain, the leaf first, for a server with this name: a DNS name or a numeric address. True if it
 * is accepted. Writes the verdict in any case.
 */
MUST_CHECK bool tls_trust_verify(const struct tls_trust *trust, const STACK_OF(CRYPTO_BUFFER) * chain,
                                 const char *name, struct tls_verdict *verdict);

/* Whether the name is a numeric address. */
bool tls_trust_is_address(const char *name);

#endif
