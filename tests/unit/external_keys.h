/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_OUTSIDE_KEYS_H
#define DEEPPROXY_TESTS_OUTSIDE_KEYS_H

#include "tls/certificates/tls_keys.h"

/*
 * Test support: a source of keys as the key process is one, in this process: it reads the files, numbers the keys from 100
 * on, and signs when the test says so.
 */
extern const struct tls_key_source external_keys;

/* How many there are that were not released; fails the test where one was released twice, or never loaded. */
size_t external_keys_count(void);

/* Forgets them all. */
void external_keys_reset(void);

/* What it was loaded for. */
enum tls_key_role external_keys_role(uint32_t number);

/* The length of the signature; `into` has room for 1024 octets. */
size_t external_keys_sign(const struct tls_sign_request *wanted, uint8_t *into);

#endif
