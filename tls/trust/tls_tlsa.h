/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TLSA_H
#define DEEPPROXY_TLS_TLSA_H

#include "base/slice.h"

#include <openssl/pool.h>

/* TLSA records (RFC 6698), to be held against the chain that a server sends. */

enum { TLS_TLSA_MAX = 4096 }; /* octets of data: a whole certificate */

struct tls_tlsa {
    uint8_t usage;    /* 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE (RFC 7218) */
    uint8_t selector; /* 0 the certificate, 1 its public key */
    uint8_t matching; /* 0 the whole, 1 SHA-256, 2 SHA-512 */
    size_t len;
    uint8_t data[TLS_TLSA_MAX];
};

/* From the form that zone files have (section 2.2): "3 1 1 0123ABCD", with spaces among the digits or not. */
bool tls_tlsa_parse(struct slice text, struct tls_tlsa *into);

/* Does a certificate of the chain match: the leaf for the usages of an end entity, an issuer's for those of an anchor? */
bool tls_tlsa_matches(const struct tls_tlsa *record, CRYPTO_BUFFER *const chain[], size_t count);

#endif
