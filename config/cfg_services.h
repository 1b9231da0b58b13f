/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_SERVICES_H
#define DEEPPROXY_CONFIG_CFG_SERVICES_H

#include "config/cfg_deep.h"
#include "config/cfg_pools.h"

/*
 * Reads the list "services": what clients connect to. Call it after cfg->pools and cfg->tls are read. `deep`
 * is for a service without a group "deep" of its own. Notes in `uses` which pools serve which protocols.
 */
void cfg_services_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg,
                       const struct cfg_deep *deep, struct cfg_pool_use *uses);

#endif
