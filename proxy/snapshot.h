/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_SNAPSHOT_H
#define DEEPPROXY_PROXY_SNAPSHOT_H

#include "config/cfg.h"
#include "protocols/engine.h"
#include "proxy/reports.h"
#include "proxy/tickets.h"
#include "tls/tls_context.h"

#include <stdatomic.h>

/*
 * A configuration made ready to run: certificates loaded, names resolved, services and pools joined.
 * Immutable, but for the servers' health, the counts of reports and the ticket keys; counted by reference: each session keeps the one that it began
 * with.
 */

/* One address of a pool. A name with several addresses is several servers. */
struct server {
    char *name; /* for logs: as in the file, with the address where that is a name */
    struct sockaddr_storage address;
    socklen_t address_len;
    /* Until then (uv_hrtime, milliseconds) others are tried first: it failed a moment ago. */
    _Atomic uint64_t avoid_until;
    /* When the log last had a warning of it (the same clock); 0: never. */
    _Atomic uint64_t warned;
};

struct pool {
    const struct cfg_pool *cfg;
    struct server *servers;
    size_t server_count;
};

struct service {
    const struct cfg_service *cfg;
    struct engine_service engine;
    const char *alpn; /* what its protocol is called there, as tls_endpoint.h has it */
    struct pool *pool;
    size_t pool_index;
    struct reports reports;
};

struct snapshot {
    atomic_uint references;
    struct cfg *cfg;
    struct tls_context *tls;
    struct tickets tickets;   /* the main thread's */
    struct service *services; /* as many as in cfg */
    struct pool *pools;       /* as many as in cfg */
};

/*
 * Takes `*cfg` over, also where it fails (NULL, with the errors in `problems`). Reads the certificates and
 * asks the resolver for names of servers: it may block, so main thread only.
 */
struct snapshot *snapshot_new(struct cfg **cfg, struct cfg_problems *problems);

/* What is wrong with the certificates and ticket keys of a configuration that has errors of its own (cfg_load_to_check). */
void snapshot_check_certificates(const struct cfg *cfg, struct cfg_problems *problems);

struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot **snapshot);

#endif
