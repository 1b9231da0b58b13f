/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_KEY_TABLE_H
#define DEEPPROXY_KEYS_KEY_TABLE_H

#include <openssl/evp.h>

#include <stdbool.h>
#include <stdint.h>

/* The keys by number. All threads may look up; one sets and drops. */

/* Takes the key over, in place of one that had the number. False, and the key still the caller's, where memory is short. */
bool key_table_set(uint32_t number, EVP_PKEY *key);
void key_table_drop(uint32_t number);

/* A reference of the caller's own, for EVP_PKEY_free; NULL where there is none of that number. */
EVP_PKEY *key_table_get(uint32_t number);

#endif
