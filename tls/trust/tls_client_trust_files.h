/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CLIENT_TRUST_FILES_H
#define DEEPPROXY_TLS_CLIENT_TRUST_FILES_H

#include "base/must_check.h"
#include "tls/tls_report.h"

#include <openssl/x509.h>

/*
 * Reads and checks the PEM files that a trust is made from. What is sure to reject clients later is reported
 * when the program starts, not found out by the first client. Private to tls/trust/.
 */
enum { TLS_CLIENT_AUTHORITIES_MAX = 256 };

/*
 * Read the authorities, or the revocation lists, of a file. The caller frees the stack, with sk_X509_pop_free
 * or sk_X509_CRL_pop_free. It is empty, or NULL, if an error was reported.
 */
MUST_CHECK STACK_OF(X509) *
    tls_client_trust_read_authorities(const char *path, const struct tls_report *report);
MUST_CHECK STACK_OF(X509_CRL) *
    tls_client_trust_read_revoked(const char *path, const struct tls_report *report);

/* Warns of each authority whose time is over: the clients that it has certified will be rejected. */
void tls_client_trust_check_expiry(const STACK_OF(X509) * authorities, const char *path,
                                   const struct tls_report *report);

/*
 * Warns of each authority without a list that is in force: the clients that it has certified will be
 * rejected.
 */
void tls_client_trust_check_cover(const STACK_OF(X509) * authorities, const STACK_OF(X509_CRL) * revoked,
                                  const char *path, const struct tls_report *report);

#endif
