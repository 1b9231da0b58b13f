/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_SERVERS_H
#define DEEPPROXY_CONFIG_CFG_SERVERS_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * Reads what a pool says of its servers: "servers", how their names are looked up ("resolve", "hold"), and
 * from which addresses the proxy connects ("source").
 */
void cfg_servers_read(struct cfg_reader *pool_reader, struct cfg_pool *pool);

#endif
