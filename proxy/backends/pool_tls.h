/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_POOL_TLS_H
#define DEEPPROXY_PROXY_BACKENDS_POOL_TLS_H

#include "config/cfg.h"
#include "tls/endpoint/tls_backend.h"

#include <stdatomic.h>

/*
 * TLS towards the servers of a pool, made ready: files read, and a place for the sessions that each worker can resume at
 * each server. Its files change more often than the configuration, and apart from it, as certificates do (snapshot.h).
 * Counted by reference: each endpoint's owner holds one.
 */
struct pool_tls {
    atomic_uint references;
    struct tls_context *context;
    struct tls_resumption *resumption;
    size_t workers; /* those beyond resume nothing */
};

/*
 * For a pool whose mode is not CFG_POOL_TLS_NONE, with so many servers; the key of its certificate by way of `keys` (NULL:
 * into this process). NULL where an error was added to `problems`. It reads files: not in a worker.
 */
struct pool_tls *pool_tls_new(const struct cfg *cfg, const struct cfg_pool *pool, size_t server_count,
                              const struct tls_key_source *keys, struct cfg_problems *problems);
struct pool_tls *pool_tls_ref(struct pool_tls *tls);
void pool_tls_unref(struct pool_tls **tls);

/*
 * As pool_tls_new, for one that is there: it itself where its files are unchanged, or, with a warning and `*stale`, where they
 * can't be used any more. Never NULL; a reference of the caller's.
 */
struct pool_tls *pool_tls_renew(struct pool_tls *old, const struct cfg *cfg, const struct cfg_pool *pool,
                                size_t server_count, const struct tls_key_source *keys, bool *stale,
                                struct cfg_problems *problems);

/* Do both name the same files, and want the same of them? */
bool pool_tls_is_same(const struct cfg_pool_tls *a, const struct cfg_pool_tls *b);

/*
 * As pool_tls_new, after another configuration with a pool whose settings are the same: where its files can't be used now, what
 * was read then stays in use, with a warning and `*stale`.
 */
struct pool_tls *pool_tls_new_after(const struct pool_tls *old, const struct cfg *cfg,
                                    const struct cfg_pool *pool, size_t server_count,
                                    const struct tls_key_source *keys, bool *stale,
                                    struct cfg_problems *problems);

/* Those of all pools, as they stand in the configuration; NULL for one whose servers are spoken with in the clear. */
struct pool_tls_set {
    atomic_uint references;
    size_t stale; /* those that stay from before, as their files could not be used */
    size_t count;
    struct pool_tls *pools[];
};

/* All NULL. NULL where memory is short. */
struct pool_tls_set *pool_tls_set_new(size_t count);
struct pool_tls_set *pool_tls_set_ref(struct pool_tls_set *set);
void pool_tls_set_unref(struct pool_tls_set **set);
/* What a pool's servers are shown that ask; false where there is nothing. */
bool pool_tls_set_certificate(const struct pool_tls_set *set, size_t pool, struct tls_certificate_info *into);
bool pool_tls_set_equals(const struct pool_tls_set *a, const struct pool_tls_set *b);

/* Whom a worker meets at the server with this index, who has this name. */
struct tls_backend_server pool_tls_server(const struct pool_tls *tls, size_t server, const char *name,
                                          size_t worker);

/* What is wrong with the files of all pools of a configuration that has errors of its own (cfg_load_to_check). */
void pool_tls_check(const struct cfg *cfg, const struct tls_key_source *keys, struct cfg_problems *problems);

#endif
