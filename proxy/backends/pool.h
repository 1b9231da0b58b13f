/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_POOL_H
#define DEEPPROXY_PROXY_BACKENDS_POOL_H

#include "config/cfg.h"
#include "proxy/backends/policy.h"

/*
 * A pool of the configuration, made ready: what the file says of it, and how it selects a server. Which
 * servers it has is apart from it (member_lists.h), as names get other addresses meanwhile. A visitor of this
 * room begins here: choose.h chooses a server, server_state.h has what is known of one, and pool_tls.h what
 * TLS with it takes.
 */
struct pool {
    const struct cfg_pool *cfg;
    const struct policy *policy;
};

#endif
