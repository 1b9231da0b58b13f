/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_KEY_SIGN_H
#define DEEPPROXY_KEYS_KEY_SIGN_H

#include "keys/key_table.h"
#include "keys/keys_wire.h"

/*
 * Signs, with whichever library this is compiled against: OpenSSL's libcrypto or BoringSSL's. What a signature needs
 * besides the key (contexts, looked-up algorithms) is made once for a key and an algorithm, and kept by the thread:
 * with OpenSSL 3 that costs as much as the signature itself.
 */
struct key_signer; /* of one thread; nothing here locks */

/* NULL where memory is short. Keys need outlive no signer: it holds references of its own. */
struct key_signer *key_signer_new(void);
void key_signer_free(struct key_signer **signer);

/*
 * Signs what is requested into `signature` (KEYS_SIGNATURE_MAX octets); the length, or 0 where the key can't do the
 * algorithm, or where an end of TLS with its role would not sign this input with it (tls_form.h). The request names
 * the key among those kept.
 */
size_t key_signer_sign(struct key_signer *signer, const struct known_key *key,
                       const struct keys_request *request, uint8_t *signature);

/* Is what key_signer_sign needs for this key and algorithm kept? Then it takes a key that is not known (NULL in it). */
bool key_signer_has(const struct key_signer *signer, uint32_t number, uint16_t algorithm);

/* Forgets all that is kept of a key. */
void key_signer_forget(struct key_signer *signer, uint32_t number);

/* The library and its version, static. */
const char *key_sign_library(void);

#endif
