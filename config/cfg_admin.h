/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_ADMIN_H
#define DEEPPROXY_CONFIG_CFG_ADMIN_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * Reads the group "admin" into cfg->admin. Call it after the services are read: no two may listen on one
 * address.
 */
void cfg_admin_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg);

#endif
