/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_KEY_TABLE_H
#define DEEPPROXY_KEYS_KEY_TABLE_H

#include "base/must_check.h"
#include "keys/sign_input.h"

#include <openssl/evp.h>

/*
 * The keys of the process by their numbers: one global table, with a lock. All threads may look up; one
 * thread sets and drops.
 */

/* A key, and the end of TLS that it signs for. */
struct known_key {
    EVP_PKEY *pkey;
    enum sign_role role;
};

/*
 * Stores the key, in place of one that had the number, and owns it from then on. False if memory is short or
 * the number is too high: the key stays the caller's.
 */
MUST_CHECK bool key_table_set(uint32_t number, struct known_key key);

/* Frees the key of this number; does nothing if there is none. */
void key_table_drop(uint32_t number);

/*
 * The key, with a reference that the caller drops by EVP_PKEY_free; `pkey` is NULL if there is none of that
 * number.
 */
struct known_key key_table_get(uint32_t number);

#endif
