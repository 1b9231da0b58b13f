/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_POOL_TLS_H
#define DEEPPROXY_CONFIG_CFG_POOL_TLS_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * Reads the group "tls" of a pool: TLS towards its servers, and how they are verified. No file of it is
 * opened here. Call it after the pool's servers are read: each gets the name that its certificate must have.
 */
void cfg_pool_tls_read(struct cfg_reader *pool_reader, struct cfg_pool *pool);

#endif
