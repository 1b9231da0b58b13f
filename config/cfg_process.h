/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_PROCESS_H
#define DEEPPROXY_CONFIG_CFG_PROCESS_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * Reads the keys at the top of the file that are about the program as a whole: "user", "workers" and so on.
 * Each is a row of one table, with its type, its limit, and whether a change takes a restart
 * (cfg_warn_of_restart in cfg.h). A new one is such a row.
 */
void cfg_process_read(struct cfg_reader *top, struct cfg *cfg);

/* Copies the keys that take a restart; their texts are in `arena`. */
void cfg_process_copy_start(struct cfg_arena *arena, const struct cfg *cfg, struct cfg *into);

#endif
