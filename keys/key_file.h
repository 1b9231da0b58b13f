/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_KEY_FILE_H
#define DEEPPROXY_KEYS_KEY_FILE_H

#include "base/must_check.h"
#include "base/slice.h"

#include <openssl/evp.h>

/*
 * Decodes the private key in the text of a PEM file: PKCS#8, encrypted or not, SEC 1 or PKCS#1. It skips
 * certificates and parameters in the same file. It opens no file, and wipes nothing of the caller's.
 */
enum {
    /*
     * Octets. A key with 8192 bits takes 7 KB as PEM, and each certificate of a chain in the same file some 2
     * KB.
     */
    KEY_FILE_MAX = 128 * 1024,
    KEY_PASSPHRASE_MAX = 1024 /* octets: PEM_BUFSIZE of the library */
};

/*
 * `passphrase` is the text of the passphrase's file, whose first line counts; its data is NULL if there is
 * none. Returns the key, which the caller frees. NULL if there is no key that can be used: `*why` is then
 * text that a message has after the file's name ("is encrypted ..."), valid until the next call. Nothing here
 * locks: one thread calls it.
 */
MUST_CHECK EVP_PKEY *key_file_parse(struct slice pem, struct slice passphrase, const char **why);

#endif
