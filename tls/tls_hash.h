/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_HASH_H
#define DEEPPROXY_TLS_HASH_H

#include "base/slice.h"

/*
 * A hash with a secret key (SipHash-2-4), for tables of what strangers choose: who does not know the key can't find
 * octets that collide. It is no signature.
 */
struct tls_hash_key {
    uint64_t words[2];
};

/* A key that nobody can guess. */
struct tls_hash_key tls_hash_new_key(void);

uint64_t tls_hash(const struct tls_hash_key *key, struct slice octets);

#endif
