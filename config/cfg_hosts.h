/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_HOSTS_H
#define DEEPPROXY_CONFIG_CFG_HOSTS_H

#include "config/cfg.h"
#include "config/cfg_pools.h"

/*
 * Reads the list "hosts": what is different for clients that ask for a name. Call it after the pools and
 * services are read, and before cfg_pools_check_uses: it notes the uses of pools.
 */
void cfg_hosts_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg,
                    struct cfg_pool_use *uses);

#endif
