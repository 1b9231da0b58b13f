/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_DEEP_H
#define DEEPPROXY_CONFIG_CFG_DEEP_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

struct cfg_deep {
    char *status; /* "" where it is empty or wrong */
    bool merge;   /* with what the backend announces */
};

/*
 * A group "deep": the status that clients are shown, and may hold the server to for ever (draft
 * sections 5.1, 5.3). A tag that this configuration can't keep is an error, and so is merging where the backend may
 * bring one.
 */
struct cfg_deep cfg_deep_read(struct cfg_loader *loader, config_setting_t *group, const struct cfg_tls *tls);

#endif
