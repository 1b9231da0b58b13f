/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_KEY_ENCRYPTION_H
#define DEEPPROXY_BASE_KEY_ENCRYPTION_H

#include "base/slice.h"

/*
 * How an encrypted private key is encrypted, in words for an operator: a key that can't be opened because
 * of its encryption must not be taken for one with another passphrase. Nothing here decrypts, and no octet
 * of the key is in what is returned.
 */

/*
 * The name of the encryption of an EncryptedPrivateKeyInfo (RFC 5958 section 3), DER: "RC2 with 40 bits
 * (PKCS#12)". Static; "an encryption that is not known here" if it is none of those.
 */
const char *key_encryption_name(struct slice der);

/* The same of the header of an older PEM block ("DEK-Info: DES-CBC,..."; RFC 1421 section 4.6.1.3). */
const char *key_encryption_of_header(struct slice header);

/*
 * Whether an EncryptedPrivateKeyInfo takes more than `octets` of memory to be decrypted (scrypt, RFC
 * 7914).
 */
bool key_encryption_takes_more(struct slice der, uint64_t octets);

#endif
