/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_STORE_H
#define DEEPPROXY_TLS_STORE_H

#include "tls/certificates/tls_certificate.h"
#include "tls/tls_names.h"

/*
 * All certificates of a context, and which of them a ClientHello is answered with. Immutable once made. Inner to tls/.
 */
struct tls_store {
    struct tls_certificate **certificates; /* those of the list, then those of the folders */
    size_t count;
    struct tls_names names;           /* to indexes of certificates */
    struct tls_certificate **by_path; /* the same, in the order of the chain's path */
    size_t stale;                     /* those that stay although their files can't be used any more */
    bool strict;                      /* no certificate for a name that none has */
};

/*
 * Reads what the settings name; certificates of settings->previous whose files have not changed are taken from it, and so
 * is one whose files have become wrong, with a warning. A certificate of a folder that can't be used is left out with a
 * warning; one of the list is an error. False after an error was reported; `store` is to be freed either way.
 */
bool tls_store_load(struct tls_store *store, const struct tls_settings *settings,
                    const struct tls_store *previous, const struct tls_report *report);
void tls_store_free(struct tls_store *store);

/*
 * The certificate for a ClientHello: of those for its name the first that it can use, ECDSA before RSA; without one the
 * default. NULL: none, by strictness.
 */
const struct tls_certificate *tls_store_choose(const struct tls_store *store, const SSL_CLIENT_HELLO *hello);

/* Those that clients may be shown who ask for the name (NULL: for none); see tls_context_find. */
size_t tls_store_find(const struct tls_store *store, const char *name, size_t indexes[], size_t max);

/* Is a client turned away that asks for this name (NULL: for none)? */
bool tls_store_refuses(const struct tls_store *store, const char *name);

#endif
