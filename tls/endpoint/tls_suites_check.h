/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_SUITES_CHECK_H
#define DEEPPROXY_TLS_SUITES_CHECK_H

#include "base/must_check.h"
#include "tls/certificates/tls_store.h"

/*
 * Has each name a certificate that the server's suites can be used with? Those of TLS 1.3 take every key.
 * Each older one is for RSA or for ECDSA, so that a list without one for a certificate's key makes every
 * handshake fail, and nothing else tells it. The list and the certificates are compared whenever one of them
 * is new. Private to tls/endpoint/.
 */

/*
 * `ctx` has the server's versions and suites. If clients without TLS 1.3 have no certificate for a name that
 * is a warning; if no client has one an error, with false. Reports one name for each kind of key.
 */
MUST_CHECK bool tls_suites_check(const SSL_CTX *ctx, const struct tls_store *store,
                                 const struct tls_report *report);

#endif
