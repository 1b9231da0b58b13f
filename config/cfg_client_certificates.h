/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_CLIENT_CERTIFICATES_H
#define DEEPPROXY_CONFIG_CFG_CLIENT_CERTIFICATES_H

#include "config/cfg.h"
#include "config/cfg_reader.h"

/*
 * Reads the group "client_certificates" of a service. No file of it is opened here. In the arena; NULL if the
 * service has no such group, and so asks its clients for no certificate.
 */
struct cfg_client_certificates *cfg_client_certificates_read(struct cfg_reader *service);

/* Checks what depends on the service's pool: do its servers learn of a client's certificate? */
void cfg_client_certificates_check(struct cfg_loader *loader, const struct cfg_service *service,
                                   const struct cfg_pool *pool);

#endif
