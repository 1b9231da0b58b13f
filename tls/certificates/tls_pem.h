/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_PEM_H
#define DEEPPROXY_TLS_PEM_H

#include "base/must_check.h"
#include "tls/certificates/tls_keys.h"
#include "tls/tls_report.h"

#include <openssl/base.h>

/*
 * Reads chains and private keys from PEM files (RFC 7468), and reports what is wrong with one. A file may
 * have both a chain and its key: a function that reads the one never decodes the other. Private to tls/.
 */

/* Longer than any chain in use. A file with more certificates is the wrong one: a bundle of authorities. */
enum { TLS_CHAIN_MAX = 16 };

/*
 * Reads the certificates of a file into `chain`, in their order; the caller frees each with X509_free.
 * `keys`, unless it is NULL, reads them in place of this process if the file also has a key (`has_key`), or
 * if this process may not. `source` is the file's index for the report. Returns how many it read; 0, and
 * nothing to free, if an error was reported.
 */
MUST_CHECK size_t tls_pem_read_chain(const char *path, const struct tls_key_source *keys, bool has_key,
                                     int source, const struct tls_report *report, X509 *chain[TLS_CHAIN_MAX]);

/*
 * Reads the private key of a file. The caller frees it with EVP_PKEY_free. `passphrase` is the path of a file
 * whose first line decrypts the key; NULL: there is none, and an encrypted key is an error. NULL if an error
 * was reported.
 */
MUST_CHECK EVP_PKEY *tls_pem_read_key(const char *path, const char *passphrase, int source,
                                      const struct tls_report *report);

/* Whether the file has a private key. False if the file can't be read. */
bool tls_pem_has_key(const char *path);

#endif
