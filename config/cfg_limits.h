/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_LIMITS_H
#define DEEPPROXY_CONFIG_CFG_LIMITS_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/* Reads the group "limits" into cfg->limits. */
void cfg_limits_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg *cfg);

#endif
