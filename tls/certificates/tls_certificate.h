/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CERTIFICATE_H
#define DEEPPROXY_TLS_CERTIFICATE_H

#include "tls/tls_file.h"
#include "tls/certificates/tls_hello.h"
#include "tls/certificates/tls_keys.h"
#include "tls/tls_report.h"

#include <openssl/pool.h>
#include <stdatomic.h>

/*
 * A certificate chain and its private key, read from PEM files and checked: the key belongs to the leaf, each
 * certificate names the next as its issuer, the dates hold. Immutable and counted by reference: a new context takes over
 * those of the old one whose files have not changed. Inner to tls/.
 */
struct tls_certificate {
    atomic_uint references;
    struct tls_certificate_files files; /* strings of its own; `ocsp` is never NULL */
    struct tls_file_mark marks[3];      /* of the chain, the key and the OCSP response, when they were read */
    CRYPTO_BUFFER **chain;              /* DER, leaf first */
    size_t chain_len;
    EVP_PKEY *key;                     /* its public half alone, where `keys` has the rest */
    const struct tls_key_source *keys; /* NULL: it is in this process */
    uint32_t key_number;               /* there */
    enum tls_key_kind kind;
    char **names; /* the leaf's DNS names (RFC 9525 section 6.3: no other counters) */
    size_t name_count;
    int64_t begins; /* seconds since 1970: the validity of the leaf */
    int64_t ends;
    bool self_signed;  /* the leaf is its own issuer */
    struct bytes ocsp; /* to be stapled; empty: none */
    int64_t ocsp_ends;
};

/* Where the keys of certificates are, and what for. */
struct tls_key_use {
    const struct tls_key_source *source; /* NULL: they are read into this process */
    enum tls_key_role role;
};

/*
 * Reads and checks one; `source` is for the report. NULL after an error was reported. What is merely bad for its peers
 * (expired, out of order, an OCSP response of no use) is a warning.
 */
struct tls_certificate *tls_certificate_load(const struct tls_certificate_files *files,
                                             const struct tls_key_use *use, int source,
                                             const struct tls_report *report);

/* The files are as they were when it was read, its key is where it was, and no OCSP response has come to its end. */
bool tls_certificate_is_fresh(const struct tls_certificate *certificate, int64_t now);

struct tls_certificate *tls_certificate_ref(struct tls_certificate *certificate);
void tls_certificate_unref(struct tls_certificate **certificate);

/* To be sent in a handshake. False where memory is short. */
bool tls_certificate_use(const struct tls_certificate *certificate, SSL *ssl);

#endif
