/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_KEY_SIGN_H
#define DEEPPROXY_KEYS_KEY_SIGN_H

#include "base/must_check.h"
#include "keys/key_table.h"
#include "keys/keys_wire.h"

/*
 * Signs, with the library that this is compiled against: OpenSSL's libcrypto or BoringSSL's. What a signature
 * needs besides the key (contexts, looked-up algorithms) is made once for each key and algorithm, and kept by
 * the thread: with OpenSSL 3 making it costs as much as the signature itself.
 */
struct key_signer; /* of one thread: nothing here locks */

/*
 * Makes a signer. The caller frees it. NULL if memory is short. It holds references of its own to the keys
 * that it keeps.
 */
MUST_CHECK struct key_signer *key_signer_new(void);

/* Frees it and what it keeps, and sets the pointer to NULL. */
void key_signer_free(struct key_signer **signer);

/*
 * Signs what is requested into `signature` (KEYS_SIGNATURE_MAX octets). Returns the length of the signature,
 * or 0 if the key can't sign with the algorithm, or if an end of TLS with the key's role would not sign this
 * input with it (sign_input.h). The key is kept under the number in the request.
 */
size_t key_signer_sign(struct key_signer *signer, const struct known_key *key,
                       const struct keys_request *request, uint8_t *signature);

/*
 * Whether the signer keeps all that it needs for this key and algorithm. Then key_signer_sign needs no key:
 * `pkey` may be NULL.
 */
bool key_signer_has(const struct key_signer *signer, uint32_t number, uint16_t algorithm);

/* Frees all that is kept of a key. */
void key_signer_forget(struct key_signer *signer, uint32_t number);

/* The library and its version; static. */
const char *key_sign_library(void);

#endif
