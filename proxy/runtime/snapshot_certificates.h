/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_SNAPSHOT_CERTIFICATES_H
#define DEEPPROXY_PROXY_RUNTIME_SNAPSHOT_CERTIFICATES_H

#include "proxy/runtime/runtime.h"

/*
 * Reads the certificates that a snapshot names: those that clients are shown, and what its pools need for TLS
 * with their servers. It never judges them by what clients were promised: commitment_guard.h does. All of it
 * reads files and may block, so it must not run in a worker.
 */

/* Paths of certificate chains. */
struct chain_paths {
    const char *const *paths; /* in the order of strcmp */
    size_t count;
};

/*
 * Loads the TLS context for clients, whose only reference is the caller's. Certificates of `previous` (NULL:
 * there are none) are taken over if their files are unchanged, and stay, with a warning, if their files are
 * broken now. NULL after an error in `problems`.
 */
struct tls_context *snapshot_certificates_load(const struct snapshot *snapshot, struct tls_context *previous,
                                               struct cfg_problems *problems);

/*
 * As snapshot_certificates_load, but what is in the files with these paths now is not used: `previous` has
 * the certificate instead, or there is none.
 */
struct tls_context *snapshot_certificates_load_without(const struct snapshot *snapshot,
                                                       struct tls_context *previous,
                                                       const struct chain_paths *refused,
                                                       struct cfg_problems *problems);

/*
 * Loads TLS for the servers of all pools (`members`; NULL: they are not known); the reference is the
 * caller's. `before` runs with the same snapshot, or with the one before it, or is all NULL. What can't be
 * read now stays as it was before, with a warning. NULL after an error in `problems`.
 */
struct pool_tls_set *snapshot_certificates_load_pools(const struct snapshot *snapshot,
                                                      const struct member_lists *members,
                                                      const struct runtime *before,
                                                      struct cfg_problems *problems);

/*
 * Adds what is wrong with the authorities for clients' certificates of a configuration of which no snapshot
 * was tried.
 */
void snapshot_certificates_check_clients(const struct cfg *cfg, struct cfg_problems *problems);

/* Adds what is wrong with certificates and TLS of a configuration that has other errors. */
void snapshot_certificates_check(const struct cfg *cfg, const struct tls_key_source *keys,
                                 struct cfg_problems *problems);

#endif
