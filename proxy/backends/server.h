/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_SERVER_H
#define DEEPPROXY_PROXY_BACKENDS_SERVER_H

#include "config/cfg.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * A pool of servers whose addresses are resolved (pool_resolve.h). A snapshot owns its pools, and a pool owns
 * its servers; both live as long as the snapshot. They are immutable, but for a server's atomics, which every
 * worker reads and writes. A visitor of this room begins here; balance.h chooses a server, and pool_tls.h has
 * what TLS with it takes.
 */

/* One address of a pool. A name with several addresses is several servers. */
struct server {
    /* For logs: as in the file, and "/" and the address after it if that is a name. */
    char *name;
    /* The name that its certificate must have, if the pool has TLS. It belongs to the configuration. */
    const char *tls_name;
    struct sockaddr_storage address;
    socklen_t address_len;
    /* Until then (uv_hrtime, milliseconds) other servers are tried first: it failed a moment ago. */
    _Atomic uint64_t avoid_until;
    /* When the log last had a warning of it (the same clock); 0: never. */
    _Atomic uint64_t warned;
    /* When the log last had what this machine lacked to connect to it (the same clock); 0: never. */
    _Atomic uint64_t warned_of_us;
};

struct pool {
    const struct cfg_pool *cfg;
    /* By which a server is chosen (balance.h), as the configuration says. */
    const struct balance_policy *policy;
    struct server *servers;
    size_t server_count;
};

#endif
