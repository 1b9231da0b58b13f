/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_KEYS_KEY_FILE_H
#define DEEPPROXY_KEYS_KEY_FILE_H

#include "base/slice.h"

#include <openssl/evp.h>

/*
 * A private key out of the text of a PEM file: PKCS#8, encrypted or not, SEC 1 or PKCS#1. Certificates and parameters
 * in the same file are passed over.
 */
enum {
    /* A key with 8192 bits takes 7 KB as PEM, and a chain beside it some 2 KB a certificate. */
    KEY_FILE_MAX = 128 * 1024,
    KEY_PASSPHRASE_MAX = 1024 /* PEM_BUFSIZE */
};

/*
 * `passphrase` has no data where there is none; of its octets the first line counts. NULL where there is no key to use:
 * `*why` then goes on behind the file's name ("is encrypted ..."), static.
 */
EVP_PKEY *key_file_parse(struct slice pem, struct slice passphrase, const char **why);

#endif
