/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CLIENT_TRUST_FILES_H
#define DEEPPROXY_TLS_CLIENT_TRUST_FILES_H

#include "tls/endpoint/tls_context.h"

#include <openssl/x509.h>

/*
 * The PEM files that a trust is made from, read and looked over: what is certain to turn clients away is said when the
 * program starts, not by the first of them. Inner to tls/.
 */
enum { TLS_CLIENT_AUTHORITIES_MAX = 256 };

/* Empty where an error was reported; the caller frees both with sk_X509_pop_free and sk_X509_CRL_pop_free. */
STACK_OF(X509) * tls_client_trust_read_authorities(const char *path, const struct tls_report *report);
STACK_OF(X509_CRL) * tls_client_trust_read_revoked(const char *path, const struct tls_report *report);

/* Warns of an authority that has no list in force: who it has certified won't get in. */
void tls_client_trust_check_cover(const STACK_OF(X509) * authorities, const STACK_OF(X509_CRL) * revoked,
                                  const char *path, const struct tls_report *report);

#endif
