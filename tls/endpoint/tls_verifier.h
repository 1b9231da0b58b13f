/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_VERIFIER_H
#define DEEPPROXY_TLS_VERIFIER_H

#include "tls/endpoint/tls_context.h"

/*
 * Verifies our own certificates as a client would that trusts certain authorities. It finds, for instance, a
 * chain without its intermediates, which only clients accept that have seen these elsewhere. It never changes
 * after it is made, and is safe to use from all threads.
 */
struct tls_verifier;

enum { TLS_VERIFIER_REASON = 512 /* octets of a reason, with its NUL */ };

/*
 * `ca`: a PEM file of authorities, read here. NULL if an error was reported. The caller
 * frees it.
 */
MUST_CHECK struct tls_verifier *tls_verifier_new(const char *ca, const struct tls_report *report);

/* Frees it, and sets the pointer to NULL. */
void tls_verifier_free(struct tls_verifier **verifier);

/*
 * Whether such a client accepts the context's certificate at `index` for the name, a DNS name without a
 * wildcard. If not, `reason` has a sentence for the operator; it may contain octets of the certificate's.
 */
MUST_CHECK bool tls_verifier_accepts(const struct tls_verifier *verifier, const struct tls_context *context,
                                     size_t index, const char *name, char reason[TLS_VERIFIER_REASON]);

#endif
