/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_TIMEOUTS_H
#define DEEPPROXY_CONFIG_CFG_TIMEOUTS_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * Reads the group "timeouts" into cfg->timeouts. Call it after the services are read: what is too short
 * depends on their protocols.
 */
void cfg_timeouts_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg);

#endif
