/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_PEM_H
#define DEEPPROXY_TLS_PEM_H

#include "tls/certificates/tls_keys.h"
#include "tls/tls_report.h"

#include <openssl/base.h>

/*
 * Chains and private keys from PEM files (RFC 7468), each with words for what is wrong with it. A file may hold a chain
 * and its key both: who reads the one never decodes the other. Inner to tls/.
 */

/* Longer than any chain in use; a file of more is the wrong file (a bundle of authorities). */
enum { TLS_CHAIN_MAX = 16 };

/*
 * How many certificates were read, in the order of the file; 0 where an error was reported. The caller frees each.
 * `source` is for the report. `keys`, where it is not NULL, is asked for them: the file has a key that is not to be read here.
 */
size_t tls_pem_read_chain(const char *path, const struct tls_key_source *keys, int source,
                          const struct tls_report *report, X509 *chain[TLS_CHAIN_MAX]);

/*
 * The private key, or NULL after an error was reported. `passphrase` is the path of a file whose first line opens an
 * encrypted key; NULL: there is none, and an encrypted key is an error.
 */
EVP_PKEY *tls_pem_read_key(const char *path, const char *passphrase, int source,
                           const struct tls_report *report);

/* Is there a private key in the file? False where it can't be read. */
bool tls_pem_has_key(const char *path);

#endif
