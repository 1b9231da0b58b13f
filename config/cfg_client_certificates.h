/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_CLIENT_CERTIFICATES_H
#define DEEPPROXY_CONFIG_CFG_CLIENT_CERTIFICATES_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/* The group "client_certificates" of a service; NULL where the service has none, and asks for none. */
struct cfg_client_certificates *cfg_client_certificates_read(struct cfg_reader *service);

/* What can be said only when the service's pool is known: whether the servers learn of a certificate at all. */
void cfg_client_certificates_check(struct cfg_loader *loader, const struct cfg_service *service,
                                   const struct cfg_pool *pool);

#endif
