/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_KEY_TABLE_H
#define DEEPPROXY_KEYS_KEY_TABLE_H

#include "keys/tls_form.h"

#include <openssl/evp.h>

/* The keys by number. All threads may look up; one sets and drops. */

/* A key, and what it is for. */
struct known_key {
    EVP_PKEY *pkey;
    enum tls_role role;
};

/* Takes the key over, in place of one that had the number. False, and the key still the caller's, where memory is short. */
bool key_table_set(uint32_t number, struct known_key key);
void key_table_drop(uint32_t number);

/* With a reference of the caller's own, for EVP_PKEY_free; NULL in it where there is none of that number. */
struct known_key key_table_get(uint32_t number);

#endif
