/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_POOL_RESOLVE_H
#define DEEPPROXY_PROXY_BACKENDS_POOL_RESOLVE_H

#include "config/cfg.h"
#include "proxy/backends/membership.h"
#include "proxy/backends/server_registry.h"

/*
 * Makes the list of a pool's members of what the configuration says of it: names of servers become addresses.
 * It asks the system's resolver and may block for as long as that does, so it must not run in a worker.
 *
 * What is known of its servers is in `registry`. `previous` is the list of the pool of the same name before,
 * or NULL: the addresses of a name that can't be resolved now are taken from it (a warning then). NULL if an
 * error was added to `problems`, or memory is short. One reference is the caller's.
 */
MUST_CHECK struct membership *pool_resolve(const struct cfg_pool *cfg, struct server_registry *registry,
                                           const struct membership *previous, struct cfg_problems *problems);

#endif
