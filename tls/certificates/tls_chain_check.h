/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CHAIN_CHECK_H
#define DEEPPROXY_TLS_CHAIN_CHECK_H

#include "tls/tls_report.h"

#include <openssl/base.h>
#include <stddef.h>

/*
 * Whether the certificates of a file make a chain (RFC 8446 section 4.4.2): the leaf, then each issuer. A
 * root at its end is neither needed nor wrong. If the last one is an authority that did not certify
 * itself, its issuer may be a root, which nobody sends, so that nothing is said. A leaf alone is said:
 * authorities have certified leaves by intermediates for decades, and if it was a root after all then to
 * append it does no harm. `may_be_private`: it is the proxy's own proof to the operator's servers, which an
 * authority of the operator's has often certified by its root; then it is said only of a leaf that names an
 * address for its issuer's certificate, as those of public authorities do. Private to tls/.
 */

/*
 * Reports what is out of order, foreign or missing, as warnings about the file at `path`; `source` is its
 * index for the report, and `peers` the word for what will reject it. `count` is at least 1, and at most
 * TLS_CHAIN_MAX.
 */
void tls_chain_check(X509 *const chain[], size_t count, const char *path, const char *peers,
                     bool may_be_private, int source, const struct tls_report *report);

/* Whether the certificate is its own issuer. */
bool tls_chain_is_self_signed(X509 *certificate);

#endif
