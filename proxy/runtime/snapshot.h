/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_SNAPSHOT_H
#define DEEPPROXY_PROXY_RUNTIME_SNAPSHOT_H

#include "base/disposal.h"
#include "base/refcount.h"
#include "config/cfg.h"
#include "protocols/engine.h"
#include "proxy/backends/pool.h"
#include "proxy/backends/pool_tls.h"
#include "proxy/backends/server_registry.h"
#include "proxy/runtime/client_reports.h"
#include "proxy/runtime/commitments.h"
#include "proxy/runtime/counters.h"
#include "proxy/runtime/host_index.h"
#include "proxy/runtime/tickets.h"
#include "tls/endpoint/tls_endpoint.h"

/*
 * A configuration made ready to run: services joined with their pools. Certificates are not in it, nor which
 * servers the pools have (runtime.h). It is immutable, but for the servers' states, the counters, the
 * client reports and the ticket keys. It is counted by reference, and each session keeps the snapshot that it
 * began with.
 */

/* A service as a session needs it: as it is for all clients, or for those that ask for one host. */
struct service {
    const struct cfg_service *cfg;
    struct engine_service engine;
    /* For its TLS endpoints; the service owns the trust in it. */
    struct tls_service_settings tls;
    struct pool *pool;
    size_t pool_index;
    /*
     * Shared with the service of the same name in the snapshots before and after, and with its variants for
     * hosts.
     */
    struct client_reports *reports;
    struct counters *counters;
};

struct snapshot {
    struct refcount references;
    struct disposal disposal;
    struct cfg *cfg;
    /* Has the private keys; NULL: they are in this process. */
    const struct tls_key_source *keys;
    /* The main thread's. */
    struct tickets tickets;
    /*
     * What clients have been promised, by this configuration and those before; shared with the snapshot
     * before if it is the same. NULL until it is checked.
     */
    struct shared_commitments *commitments;
    /*
     * As many as in cfg; after them, for each kind of host, as many again: what each service is for clients
     * that ask for such a host.
     */
    struct service *services;
    /* Shared with the snapshots before and after as long as they have the same hosts. */
    struct host_index *hosts;
    /* As many as in cfg. */
    struct pool *pools;
    /* What is known of servers and pools; shared with the snapshots before and after. */
    struct server_registry *registry;
};

/*
 * Makes a snapshot of `*cfg`, a configuration without errors, and takes that over (it becomes NULL). `keys`
 * and `previous` are as in runtime_load; `previous` may be NULL. NULL after an error in `problems`; `*cfg`
 * then stays the caller's. It may block.
 */
struct snapshot *snapshot_new(struct cfg **cfg, const struct tls_key_source *keys,
                              const struct snapshot *previous, struct cfg_problems *problems);

/* Adds a reference, and returns its argument. */
struct snapshot *snapshot_ref(struct snapshot *snapshot);

/*
 * Drops a reference, and nulls the pointer, which may be NULL already. The last reference frees snapshot and
 * configuration.
 */
void snapshot_unref(struct snapshot **snapshot);

/*
 * What a service is for clients that ask for `name` (SNI; NULL: for none). `service` is one of the first
 * cfg->service_count. Returns it or its variant for a host; `cfg`, `reports` and `counters` are the same in
 * both.
 */
struct service *snapshot_service(const struct snapshot *snapshot, struct service *service, const char *name);

/* The pool of that name; NULL if there is none, or `snapshot` is NULL. */
const struct pool *snapshot_find_pool(const struct snapshot *snapshot, const char *name);

#endif
