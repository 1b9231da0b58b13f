/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_VERIFIER_H
#define DEEPPROXY_TLS_VERIFIER_H

#include "tls/endpoint/tls_context.h"

/*
 * Looks at our own certificates as a client does that trusts certain authorities: a chain without its intermediates, say, is
 * complete for whoever has seen them elsewhere, and for nobody else. Immutable.
 */
struct tls_verifier;

enum { TLS_VERIFIER_WORDS = 512 };

/* `ca` is a PEM file of authorities. NULL where an error was reported. */
struct tls_verifier *tls_verifier_new(const char *ca, const struct tls_report *report);
void tls_verifier_free(struct tls_verifier **verifier);

/* Would it believe a server's certificate, by its index, for the name (no wildcard)? If not `words` say why, for the operator. */
bool tls_verifier_believes(const struct tls_verifier *verifier, const struct tls_context *context,
                           size_t index, const char *name, char words[TLS_VERIFIER_WORDS]);

#endif
