/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_TLSA_H
#define DEEPPROXY_TLS_TLSA_H

#include "base/must_check.h"
#include "base/slice.h"

#include <openssl/pool.h>

/*
 * TLSA records (RFC 6698), to be compared with a chain that a server sends. Nothing here asks the DNS.
 * Private to tls/.
 */

enum { TLS_TLSA_MAX = 4096 }; /* octets of data: a whole certificate */

struct tls_tlsa {
    uint8_t usage;    /* 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE (RFC 7218) */
    uint8_t selector; /* 0 the certificate, 1 its public key */
    uint8_t matching; /* 0 the whole, 1 SHA-256, 2 SHA-512 */
    size_t len;
    uint8_t data[TLS_TLSA_MAX];
};

/*
 * Reads the form of zone files (RFC 6698 section 2.2): "3 1 1 0123ABCD", with or without spaces among the
 * digits. False if the text is no such record.
 */
MUST_CHECK bool tls_tlsa_parse(struct slice text, struct tls_tlsa *into);

/*
 * Whether the record matches a chain, leaf first: its leaf for the usages of an end entity, one of its
 * issuers for those of a trust anchor.
 */
bool tls_tlsa_matches(const struct tls_tlsa *record, CRYPTO_BUFFER *const chain[], size_t count);

#endif
