/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_OCSP_H
#define DEEPPROXY_TLS_OCSP_H

#include "base/slice.h"

#include <openssl/base.h>

/*
 * An authority's statement that a certificate is not revoked (RFC 6960), to be stapled to handshakes (RFC 6066 section 8).
 * A wrong one is worse than none: clients that check it end the handshake. Inner to tls/.
 */

/*
 * Is it about this leaf, does it say "good", is it signed by the issuer or by a responder that the issuer has certified
 * for that (RFC 6960 section 4.2.2.2), and is `now` (seconds since 1970; 0: not checked) within its time? NULL where all
 * that is so, with `*expires` set to the second from which on it may not be used any more. Otherwise what is wrong, static.
 */
const char *tls_ocsp_check(struct slice response, X509 *leaf, X509 *issuer, int64_t now, int64_t *expires);

#endif
