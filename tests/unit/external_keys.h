/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_EXTERNAL_KEYS_H
#define DEEPPROXY_TESTS_EXTERNAL_KEYS_H

#include "tls/certificates/tls_keys.h"

/*
 * Test support: a key source like the key process, but in this process. It reads the files, numbers the keys
 * from 100 on, and signs when the test calls external_keys_sign.
 */
extern const struct tls_key_source external_keys;

/*
 * How many were loaded and not released. A key that is released twice, or was never loaded, fails the test.
 */
size_t external_keys_count(void);

/* Forgets them all. */
void external_keys_reset(void);

/* What it was loaded for. */
enum tls_key_role external_keys_role(uint32_t number);

/* The length of the signature; `into` has room for 1024 octets. */
size_t external_keys_sign(const struct tls_sign_request *request, uint8_t *into);

#endif
