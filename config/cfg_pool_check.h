/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_POOL_CHECK_H
#define DEEPPROXY_CONFIG_CFG_POOL_CHECK_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/* Reads "check" of a pool: a group, with which its servers are checked, or false. Absent: all defaults. */
void cfg_pool_check_read(struct cfg_reader *pool_reader, struct cfg_pool *pool);

#endif
