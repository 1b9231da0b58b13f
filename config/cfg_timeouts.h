/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_TIMEOUTS_H
#define DEEPPROXY_CONFIG_CFG_TIMEOUTS_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/* The group "timeouts" into cfg->timeouts. cfg->services are read already: what is too short depends on them. */
void cfg_timeouts_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg);

#endif
