/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_POOLS_H
#define DEEPPROXY_CONFIG_CFG_POOLS_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/* The list "backends": pools of servers. */

/* What stands under "identity" of a pool. */
enum cfg_identity_given { CFG_IDENTITY_ABSENT, CFG_IDENTITY_GIVEN, CFG_IDENTITY_WRONG };

/* What the services make of a pool, by the pool's index. */
struct cfg_pool_use {
    enum cfg_identity_given identity_given;
    struct cfg_place identity_place; /* there, or where the pool begins */
    bool used;                       /* a service names it */
    unsigned protocols;              /* 1 << enum protocol of each of those whose protocol is known */
};

/* Reads the pools. `*uses`, in the arena, is for the services to fill in. */
void cfg_pools_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg,
                    struct cfg_pool_use **uses);

/* What can be said only when the services are known: pools without use, and identity where it matters most. */
void cfg_pools_check_uses(struct cfg_loader *loader, const struct cfg *cfg, const struct cfg_pool_use *uses);

/* The pool that a key names. False where the key is absent, or the problem was added. */
bool cfg_read_pool(struct cfg_reader *reader, const char *key, const struct cfg *cfg, size_t *pool);

/* Names of services and pools go to log lines and metrics: letters, digits, ".", "_" and "-", at most 64. */
bool cfg_read_name(struct cfg_reader *reader, char **name);

#endif
