/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_HASH_H
#define DEEPPROXY_TLS_HASH_H

#include "base/slice.h"

/*
 * A hash with a secret key (SipHash-2-4), for tables whose keys come from strangers: a stranger without the
 * secret can't choose octets that collide. It is no signature, and no digest.
 */
struct tls_hash_key {
    uint64_t words[2];
};

/* A new random key. It can't fail: the library ends the process if the system has no random numbers. */
struct tls_hash_key tls_hash_new_key(void);

/* The hash of `octets`; the same for the same key and octets. */
uint64_t tls_hash(const struct tls_hash_key *key, struct slice octets);

#endif
