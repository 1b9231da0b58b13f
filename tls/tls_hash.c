/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_hash.h"

#include <openssl/rand.h>
#include <openssl/siphash.h>

struct tls_hash_key tls_hash_new_key(void)
{
    struct tls_hash_key key;
    RAND_bytes((uint8_t *)key.words, sizeof key.words);
    return key;
}

uint64_t tls_hash(const struct tls_hash_key *key, struct slice octets)
{
    return SIPHASH_24(key->words, octets.data, octets.len);
}
