/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_POOL_RESOLVE_H
#define DEEPPROXY_PROXY_BACKENDS_POOL_RESOLVE_H

#include "proxy/backends/pool.h"
#include "proxy/backends/server_registry.h"

/*
 * Makes a pool of what the configuration says of it: names of servers become addresses. It asks the system's
 * resolver and may block for as long as that does, so it must not run in a worker.
 */

/*
 * Fills `pool`, all zero before, from `cfg`, which must live as long; what is known of its servers is in
 * `registry`. `previous` is the pool of the same name in the configuration before, or NULL: the addresses of
 * a name that can't be resolved now are taken from it (a warning then). False if an error was added to
 * `problems`, or memory is short. The caller calls pool_free either way.
 */
bool pool_resolve(struct pool *pool, const struct cfg_pool *cfg, struct server_registry *registry,
                  const struct pool *previous, struct cfg_problems *problems);

/* Have both the same servers in the same order, with the same names for their certificates? */
bool pool_has_same_servers(const struct pool *a, const struct pool *b);

/* Frees what the pool owns, not the pool itself. */
void pool_free(struct pool *pool);

#endif
