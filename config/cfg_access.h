/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_ACCESS_H
#define DEEPPROXY_CONFIG_CFG_ACCESS_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * Reads which addresses a service has its clients from: the group "proxy_protocol", and the networks "allow"
 * and "deny". Call it after the service's "tls" is read.
 */
void cfg_access_read(struct cfg_reader *reader, struct cfg_service *service);

#endif
