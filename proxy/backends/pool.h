/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_POOL_H
#define DEEPPROXY_PROXY_BACKENDS_POOL_H

#include "config/cfg.h"
#include "proxy/backends/membership.h"
#include "proxy/backends/policy.h"

/*
 * A pool of the configuration, made ready (pool_resolve.h): what the file says of it, how it selects a
 * server, and which servers it has. A snapshot owns its pools. A visitor of this room begins here: choose.h
 * chooses a server, server_state.h has what is known of one, and pool_tls.h what TLS with it takes.
 */
struct pool {
    const struct cfg_pool *cfg;
    const struct policy *policy;
    struct membership *members;
};

#endif
