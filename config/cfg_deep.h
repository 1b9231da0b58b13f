/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_DEEP_H
#define DEEPPROXY_CONFIG_CFG_DEEP_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * Reads a group "deep": the status that clients are shown, and may hold the server to for ever (draft
 * sections 5.1, 5.3). A tag that the versions of `tls` break is an error, and so is merging a backend's
 * status that may bring such a tag. Certificates are checked elsewhere (proxy/runtime/commitments.h). In the
 * arena.
 */
const struct cfg_deep *cfg_deep_read(struct cfg_loader *loader, config_setting_t *group,
                                     const struct cfg_tls *tls);

/* An empty status, for a configuration without such a group. In the arena. */
const struct cfg_deep *cfg_deep_none(struct cfg_loader *loader);

#endif
