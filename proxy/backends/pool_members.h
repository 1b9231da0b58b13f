/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_POOL_MEMBERS_H
#define DEEPPROXY_PROXY_BACKENDS_POOL_MEMBERS_H

#include "config/cfg.h"
#include "proxy/backends/member_lists.h"
#include "proxy/backends/server_registry.h"

/*
 * Which servers a pool has, from what the configuration says and what is known of its names. It asks nobody,
 * and never blocks.
 *
 *   an address, a Unix socket   one server, called by its name in the file
 *   a host's name               a server for each address, NAME@ADDRESS; all have the line's weight and
 *                               limit each. If the name has no address: one of no address (address_len is
 *                               0), NAME, whose state is "unresolved"
 */
struct known_addresses {
    /*
     * The address of this index of a host, without a port, which the callee writes into `address`. Its
     * length; 0: the host has no more.
     */
    socklen_t (*get)(void *arg, const char *host, size_t index, struct sockaddr_storage *address);
    void *arg;
};

/* The list of the pool's members now. NULL if memory is short. One reference is the caller's. */
MUST_CHECK struct membership *pool_members_make(const struct cfg_pool *cfg, struct server_registry *registry,
                                                const struct known_addresses *known);

/* Those of all pools, likewise. */
MUST_CHECK struct member_lists *pool_members_make_all(const struct cfg *cfg, struct server_registry *registry,
                                                      const struct known_addresses *known);

#endif
