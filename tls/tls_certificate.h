/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CERTIFICATE_H
#define DEEPPROXY_TLS_CERTIFICATE_H

#include "tls/tls_context.h"
#include "tls/tls_names.h"

#include <openssl/base.h>
#include <openssl/pool.h>

/*
 * A certificate chain and its private key, read from PEM files and checked: the key belongs to the leaf, each
 * certificate names the next as its issuer, the dates hold. Inner to tls/.
 */
struct tls_certificate {
    CRYPTO_BUFFER **chain; /* DER, leaf first */
    size_t chain_len;
    EVP_PKEY *key;
};

/*
 * Reads number `index` of the settings, adds the leaf's names to `names` and reports what is wrong with it.
 * False where it can't be used; `*into` is to be freed either way.
 */
bool tls_certificate_load(const struct tls_certificate_files *files, int index,
                          const struct tls_report *report, struct tls_certificate *into,
                          struct tls_names *names);
void tls_certificate_free(struct tls_certificate *certificate);

/* printf-like, into report->say. */
__attribute__((format(printf, 4, 5))) void tls_report_say(const struct tls_report *report, int certificate,
                                                          bool is_error, const char *format, ...);

/* The newest entry of the library's error queue as text, which is emptied; a static or thread-local string. */
const char *tls_library_error(void);

#endif
