/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_STORE_H
#define DEEPPROXY_TLS_STORE_H

#include "base/must_check.h"
#include "tls/certificates/tls_certificate.h"
#include "tls/certificates/tls_directory.h"
#include "tls/tls_names.h"

/*
 * All certificates of a server's context, and the choice of one for a ClientHello. It never changes after it
 * is loaded, and is safe to use from all threads. Private to tls/.
 */
struct tls_store {
    struct tls_certificate **certificates; /* those of the list, then those of the folders */
    size_t count;
    struct tls_names names;           /* to indexes of `certificates` */
    struct tls_certificate **by_path; /* the same certificates, in the order of the chains' paths */
    struct tls_left_out left_out;     /* sorted by strcmp: it was told already */
    size_t first;                     /* the index of the default */
    const char *first_name; /* the name that the default is chosen for, its own; NULL: it has none */
    size_t stale;           /* how many stay although their files can't be used any more */
    bool strict;            /* reject clients with a name that no certificate has, or with none */
};

/*
 * Loads the certificates that the settings name. One of `previous` (NULL: there is none) is used again, with
 * a reference of its own, if its files have not changed, or, with a warning, if they can't be used any more.
 * A certificate of a folder that can't be used is left out with a warning; one of the list is an error. False
 * after an error was reported. The caller frees the store in any case.
 */
MUST_CHECK bool tls_store_load(struct tls_store *store, const struct tls_settings *settings,
                               const struct tls_store *previous, const struct tls_report *report);

/* Drops the references to the certificates; leaves an empty store. */
void tls_store_free(struct tls_store *store);

/*
 * Chooses the certificate for a ClientHello: among those for its name the first that the client can verify,
 * ECDSA before RSA; the default one if none is for its name. NULL if the client is to be rejected
 * (tls_store_rejects). It lives as long as the store.
 */
const struct tls_certificate *tls_store_choose(const struct tls_store *store, const SSL_CLIENT_HELLO *hello);

/*
 * The certificates that a client may be sent if it asks for `name` (NULL: for none). Writes their indexes, at
 * most `max`; returns how many it wrote. See tls_context_find.
 */
size_t tls_store_find(const struct tls_store *store, const char *name, size_t indexes[], size_t max);

/* Whether a client is rejected if it asks for `name` (NULL: for none). */
bool tls_store_rejects(const struct tls_store *store, const char *name);

#endif
