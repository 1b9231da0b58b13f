/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CERTIFICATE_H
#define DEEPPROXY_TLS_CERTIFICATE_H

#include "base/must_check.h"
#include "tls/certificates/tls_access.h"
#include "tls/certificates/tls_hello.h"
#include "tls/certificates/tls_keys.h"
#include "tls/tls_file.h"
#include "tls/tls_report.h"
#include "tls/tls_settings.h"

#include <openssl/pool.h>
#include <stdatomic.h>

/*
 * A certificate chain and its key, read from PEM files and checked: the key belongs to the leaf, each
 * certificate has the next one as its issuer, the dates are right. It never changes, and is counted by
 * reference: a new context takes those of the previous one whose files have not changed. Private to tls/.
 */
struct tls_certificate {
    atomic_uint references;
    struct tls_certificate_files files; /* owned; `ocsp` is never NULL, `passphrase` may be */
    /* of the chain, the key and the OCSP response, from before they were read */
    struct tls_file_mark marks[3];
    CRYPTO_BUFFER **chain; /* DER, the leaf first */
    size_t chain_len;
    EVP_PKEY *key;                     /* only its public half, if `keys` has the private one */
    const struct tls_key_source *keys; /* NULL: the private key is in this process */
    uint32_t key_number;               /* in `keys` */
    enum tls_key_kind kind;
    char **names; /* the leaf's DNS names (RFC 9525 section 6.3: the common name does not count) */
    size_t name_count;
    int64_t begins; /* the validity of the leaf, in seconds since 1970 */
    int64_t ends;
    bool self_signed;  /* the leaf is its own issuer */
    struct bytes ocsp; /* the response to staple; empty: none */
    int64_t ocsp_ends; /* until when it may be used, in seconds since 1970; 0: there is none */
};

/* Where the private key is, and which end of TLS it is for. */
struct tls_key_use {
    const struct tls_key_source *source; /* NULL: it is read into this process */
    enum tls_key_role role;
};

/*
 * Reads and checks one certificate. `source` is its index for the report. The caller owns one reference. NULL
 * after an error was reported. A certificate that only its peers may reject (expired, in the wrong order) and
 * an OCSP response that can't be used are warnings.
 */
MUST_CHECK struct tls_certificate *tls_certificate_load(const struct tls_certificate_files *files,
                                                        const struct tls_key_use *use, int source,
                                                        const struct tls_report *report);

/*
 * Whether its files are as they were when it was read, its key is still in its source, and its OCSP response
 * has not expired. `now` in seconds since 1970. `seen` (NULL: nothing is) has the marks of the same chain and
 * key, with which no file is looked at: a change after them is for the next reading.
 */
bool tls_certificate_is_fresh(const struct tls_certificate *certificate, const struct tls_seen_files *seen,
                              int64_t now);

/* Adds a reference, and returns the certificate. */
struct tls_certificate *tls_certificate_ref(struct tls_certificate *certificate);

/*
 * Drops a reference, and sets the pointer to NULL. The last one frees it, and releases its key in the source.
 */
void tls_certificate_unref(struct tls_certificate **certificate);

#endif
