/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_OCSP_H
#define DEEPPROXY_TLS_OCSP_H

#include "base/must_check.h"
#include "base/slice.h"

#include <openssl/base.h>

/*
 * An authority's statement that a certificate is not revoked (RFC 6960), which a server staples to its
 * handshakes (RFC 6066 section 8). A wrong one is worse than none: clients that check it abort the handshake.
 * It is never fetched from here. Private to tls/.
 */

/*
 * Checks a response in DER: it is about this leaf, its status is "good", the issuer or a responder with the
 * issuer's certificate for that (RFC 6960 section 4.2.2.2) has signed it, and `now` (seconds since 1970; 0:
 * not checked) is within its time. Returns NULL if it may be stapled: `*expires` is then the first second at
 * which it may not be used any more. Otherwise returns what is wrong, static, as a message has it after "it
 * ".
 */
MUST_CHECK const char *tls_ocsp_check(struct slice response, X509 *leaf, X509 *issuer, int64_t now,
                                      int64_t *expires);

#endif
