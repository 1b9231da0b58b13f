/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_KEY_ENCRYPTED_H
#define DEEPPROXY_KEYS_KEY_ENCRYPTED_H

#include "base/must_check.h"
#include "base/slice.h"

#include <stddef.h>

/*
 * Why an encrypted private key could not be read: a passphrase that is right must not be blamed for an
 * encryption that the library does not have, or for a key of a kind that it does not know. It decrypts once
 * more, step by step, and keeps nothing.
 */
enum key_opening {
    KEY_OPENED,           /* the passphrase is right: what it has opened could not be decoded */
    KEY_WRONG_PASSPHRASE, /* or the file is damaged */
    KEY_NOT_SUPPORTED,    /* no passphrase could open it here */
    KEY_TAKES_MEMORY      /* the same, as scrypt is to take more memory than is allowed */
};

/* The memory that scrypt may take: the library's limit. */
enum { KEY_SCRYPT_MB = 32 };

/*
 * Tries the first encrypted key in the text of a PEM file. `*encryption` becomes its encryption's name,
 * which is static.
 */
MUST_CHECK enum key_opening key_encrypted_try(struct slice pem, struct slice passphrase,
                                              const char **encryption);

#endif
