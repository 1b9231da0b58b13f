/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_POOLS_H
#define DEEPPROXY_CONFIG_CFG_POOLS_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * Reads the list "backends": pools of servers. What depends on the services that use a pool is noted in
 * struct cfg_pool_use, and checked when these are read.
 */

/* What a pool has as "identity". */
enum cfg_identity_given { CFG_IDENTITY_ABSENT, CFG_IDENTITY_GIVEN, CFG_IDENTITY_WRONG };

/* How services use a pool; an array of them is by the pool's index. */
struct cfg_pool_use {
    enum cfg_identity_given identity_given;
    struct cfg_place identity_place; /* of the pool, if it has no "identity" */
    bool used;                       /* a service or a host names it */
    unsigned protocols;              /* 1 << enum protocol of each of those whose protocol is known */
};

/*
 * Reads the pools into cfg. `*uses`, in the arena, has a row for each that cfg_services_read and
 * cfg_hosts_read fill in.
 */
void cfg_pools_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg,
                    struct cfg_pool_use **uses);

/* Checks what depends on the services: pools that none uses, and identities that endanger a server. */
void cfg_pools_check_uses(struct cfg_loader *loader, const struct cfg *cfg, const struct cfg_pool_use *uses);

/* Checks what depends on the timeouts: sessions that would wait for longer than they may. */
void cfg_pools_check_times(struct cfg_loader *loader, const struct cfg *cfg);

/* Finds the pool that an item names, and its index. False after a problem. */
bool cfg_find_pool(struct cfg_loader *loader, struct cfg_item item, const struct cfg *cfg, size_t *pool);

/* Reads a key that names a pool, into its index. False if the key is absent, or after a problem. */
bool cfg_read_pool(struct cfg_reader *reader, const char *key, const struct cfg *cfg, size_t *pool);

/*
 * Reads "name": letters, digits, ".", "_" and "-", at most 64, as names of services and pools are in log
 * lines and metrics. `like` is one for its message. False if it is absent, or after a problem.
 */
bool cfg_read_name(struct cfg_reader *reader, const char *like, char **name);

#endif
