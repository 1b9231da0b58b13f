/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_POOL_TLS_H
#define DEEPPROXY_PROXY_BACKENDS_POOL_TLS_H

#include "base/disposal.h"
#include "base/refcount.h"
#include "config/cfg.h"
#include "proxy/backends/server_state.h"
#include "tls/endpoint/tls_backend.h"

/*
 * TLS towards the servers of a pool, made ready: its files are read, and each worker has a place for a
 * session that it can resume at each server. The files change more often than the configuration, so this is
 * apart from the snapshot, as certificates are. Counted by reference: each endpoint's owner holds one. No
 * function here connects to anything; those that read files may block and must not run in a worker.
 */
struct pool_tls {
    struct refcount references;
    struct disposal disposal;
    struct tls_context *context;
    struct tls_resumption *resumption;
    size_t slots;   /* servers whose slot (server_state.h) is beyond resume nothing */
    size_t workers; /* nor do those beyond */
};

struct pool_tls_set;

/* By what means a pool's files are read. */
struct pool_tls_source {
    /* By which the key of a pool's certificate is read; NULL: into this process. */
    const struct tls_key_source *keys;
    /*
     * Authorities and certificates that a pool here has of the same files are used again if these are
     * unchanged: those before, and those made so far. Each may be NULL.
     */
    const struct pool_tls_set *known[2];
};

/*
 * Makes it for a pool whose mode is not CFG_POOL_TLS_NONE, with so many slots for servers. Returns the only
 * reference, or NULL after an error in `problems`. Reads files.
 */
struct pool_tls *pool_tls_new(const struct cfg *cfg, const struct cfg_pool *pool, size_t slots,
                              const struct pool_tls_source *from, struct cfg_problems *problems);

/* Adds a reference, and returns its argument. */
struct pool_tls *pool_tls_ref(struct pool_tls *tls);

/* Drops a reference, and nulls the pointer, which may be NULL already. */
void pool_tls_unref(struct pool_tls **tls);

/*
 * As pool_tls_new, if the configuration is the same as that of `old`. Returns `old` itself if its files are
 * unchanged; and if they can't be used any more, with a warning and `*stale` true. Never NULL: a further
 * reference, the caller's. Reads files.
 */
struct pool_tls *pool_tls_renew(struct pool_tls *old, const struct cfg *cfg, const struct cfg_pool *pool,
                                size_t slots, const struct pool_tls_source *from, bool *stale,
                                struct cfg_problems *problems);

/* Do both name the same files, and demand the same of them? */
bool pool_tls_is_same(const struct cfg_pool_tls *a, const struct cfg_pool_tls *b);

/*
 * As pool_tls_new, if another configuration had a pool whose settings are the same, with `old`. If the files
 * are unchanged, what was read then is used again: `old` itself, with its sessions, if it has so many slots.
 * If the files can't be used
 * now, what was read then stays in use, with a warning and `*stale` true. Reads files.
 */
struct pool_tls *pool_tls_new_after(struct pool_tls *old, const struct cfg *cfg, const struct cfg_pool *pool,
                                    size_t slots, const struct pool_tls_source *from, bool *stale,
                                    struct cfg_problems *problems);

/*
 * The TLS of all pools, in the configuration's order; NULL for a pool whose servers are connected to in the
 * clear.
 */
struct pool_tls_set {
    struct refcount references;
    struct disposal disposal;
    size_t stale; /* how many stay from before, as their files can't be used now */
    size_t count;
    struct pool_tls *pools[];
};

/* A set of `count` pools, all NULL. Returns the only reference, or NULL if memory is short. */
struct pool_tls_set *pool_tls_set_new(size_t count);

/* Adds a reference, and returns its argument. */
struct pool_tls_set *pool_tls_set_ref(struct pool_tls_set *set);

/*
 * Drops a reference, and nulls the pointer, which may be NULL already. The last one drops those of the pools.
 */
void pool_tls_set_unref(struct pool_tls_set **set);

/*
 * The certificate that the pool's servers are shown if they ask; false if there is none. `into` lives as long
 * as the set.
 */
bool pool_tls_set_certificate(const struct pool_tls_set *set, size_t pool, struct tls_certificate_info *into);

/* Are these the same pools, each by its pointer? */
bool pool_tls_set_equals(const struct pool_tls_set *a, const struct pool_tls_set *b);

/* The TLS parameters with which a worker connects to a server of the pool. They live as long as both. */
struct tls_backend_server pool_tls_server(const struct pool_tls *tls, const struct server_state *server,
                                          size_t worker);

/*
 * Adds what is wrong with the files of all pools of a configuration that has errors of its own. Reads files.
 */
void pool_tls_check(const struct cfg *cfg, const struct tls_key_source *keys, struct cfg_problems *problems);

#endif
