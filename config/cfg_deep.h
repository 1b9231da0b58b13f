/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_DEEP_H
#define DEEPPROXY_CONFIG_CFG_DEEP_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * A group "deep": the status that clients are shown, and may hold the server to for ever (draft
 * sections 5.1, 5.3). A tag that this configuration can't keep is an error, and so is merging where the backend may
 * bring one. In the arena.
 */
const struct cfg_deep *cfg_deep_read(struct cfg_loader *loader, config_setting_t *group,
                                     const struct cfg_tls *tls);

/* Where there is no such group: an empty status. */
const struct cfg_deep *cfg_deep_none(struct cfg_loader *loader);

#endif
