/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_POOL_TLS_H
#define DEEPPROXY_PROXY_POOL_TLS_H

#include "config/cfg.h"
#include "tls/tls_backend.h"

/*
 * TLS towards the servers of a pool, made ready: files read, and a place for the sessions that each worker can resume at
 * each server. It belongs to the pool, and so goes with its snapshot.
 */
struct pool_tls {
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
void pool_tls_free(struct pool_tls **tls);

/* Whom a worker meets at the server with this index, who has this name. */
struct tls_backend_server pool_tls_server(const struct pool_tls *tls, size_t server, const char *name,
                                          size_t worker);

/* What is wrong with the files of all pools of a configuration that has errors of its own (cfg_load_to_check). */
void pool_tls_check(const struct cfg *cfg, const struct tls_key_source *keys, struct cfg_problems *problems);

#endif
