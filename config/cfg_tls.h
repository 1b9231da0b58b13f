/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_TLS_H
#define DEEPPROXY_CONFIG_CFG_TLS_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/* Reads the group "tls". No file of it is opened here. */
void cfg_tls_read(struct cfg_loader *loader, struct cfg_reader *top, struct cfg_tls *tls);

#endif
