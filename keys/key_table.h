/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_KEY_TABLE_H
#define DEEPPROXY_KEYS_KEY_TABLE_H

#include "base/must_check.h"
#include "keys/sign_input.h"

#include <openssl/evp.h>

/*
 * The keys of the process by their numbers: one global table, with a lock. All threads may look up, and wait
 * for a key; one thread sets and drops.
 *
 * A key is awaited from the begin until it is set or refused, or until all keys are there.
 */

/* A key, and the end of TLS that it signs for. */
struct known_key {
    EVP_PKEY *pkey;
    enum sign_role role;
};

/*
 * Stores the key, in place of one that had the number, and owns it from then on. It ends the waiting. False
 * if memory is short or the number is too high: the key stays the caller's.
 */
MUST_CHECK bool key_table_set(uint32_t number, struct known_key key);

/* Frees the key of this number; does nothing if there is none. Who waits for the number goes on waiting. */
void key_table_drop(uint32_t number);

/* No key of this number will come, unless it is set later: it is not awaited any more. */
void key_table_refuse(uint32_t number);

/* All keys are there: none is awaited any more. */
void key_table_complete(void);

/*
 * The key, with a reference that the caller drops by EVP_PKEY_free; `pkey` is NULL if there is none of that
 * number. `*is_awaited`: it is not there yet.
 */
struct known_key key_table_get(uint32_t number, bool *is_awaited);

/* Waits, without end, until the key is awaited no more. */
void key_table_await(uint32_t number);

#endif
