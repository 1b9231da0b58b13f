/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_SNAPSHOT_H
#define DEEPPROXY_PROXY_RUNTIME_SNAPSHOT_H

#include "config/cfg.h"
#include "protocols/engine.h"
#include "proxy/runtime/counters.h"
#include "proxy/backends/pool_tls.h"
#include "proxy/backends/server.h"
#include "proxy/runtime/promises.h"
#include "proxy/runtime/reports.h"
#include "proxy/runtime/tickets.h"
#include "tls/endpoint/tls_endpoint.h"
#include "tls/tls_names.h"

#include <stdatomic.h>

/*
 * A configuration made ready to run: names resolved, services and pools joined.
 * Immutable, but for the servers' health, the counts of clients and reports, and the ticket keys; counted by reference: each
 * session keeps the one that it began with.
 */

struct service {
    const struct cfg_service *cfg;
    struct engine_service engine;
    struct tls_service_settings tls; /* for its endpoints; its trust is the service's */
    struct pool *pool;
    size_t pool_index;
    struct reports *reports;   /* shared with that of the same name in other snapshots */
    struct counters *counters; /* likewise */
};

struct snapshot {
    atomic_uint references;
    struct cfg *cfg;
    const struct tls_key_source *keys; /* that has the private keys; NULL: they are in this process */
    struct tickets tickets;            /* the main thread's */
    struct promises promises;          /* what clients have been promised, by this configuration and before */
    struct service
        *services; /* as many as in cfg, and behind them, host by host, what they are for each host */
    struct tls_names hosts; /* to indexes of cfg->hosts */
    struct pool *pools;     /* as many as in cfg */
};

/* What a configuration makes the program run with. */
struct loaded {
    struct snapshot *snapshot;
    struct tls_context *tls;
    struct pool_tls_set *pools;
};

/*
 * Loads the file and all that it names, private keys by way of `keys` (NULL: into this process); the caller has one reference of each. It reads files and asks the resolver for names
 * of servers, and may block, so not in a worker. What is known from `before` (all NULL: nothing) stays known: servers that
 * failed a moment ago, counts of clients and reports, the addresses of a name that can't be resolved just now, and certificates as in
 * snapshot_load_tls. False, with all NULL, where there is an error in `problems`: everything that is wrong.
 */
bool snapshot_load(const char *path, const struct tls_key_source *keys, const struct loaded *before,
                   struct loaded *into, struct cfg_problems *problems);

/*
 * What a service is for clients that ask for a name (SNI; NULL: for none). `service` is one of the first of the list, and what
 * comes is it or one behind them; its `cfg`, `reports` and `counts` are the same.
 */
struct service *snapshot_service(const struct snapshot *snapshot, struct service *service, const char *name);

struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot **snapshot);

/*
 * The TLS context alone. Certificates change more often than it, and apart from it: sessions need
 * them until their handshake is done. Those of `previous` whose files are unchanged are taken over, and those whose files are
 * broken now stay. NULL after an error in `problems`. It reads files, and may block.
 */
struct tls_context *snapshot_load_tls(const struct snapshot *snapshot, struct tls_context *previous,
                                      struct cfg_problems *problems);

/*
 * Holds a new context against what is promised. A certificate by which a promise is broken that was kept `before` (all NULL:
 * nothing was) is refused: the one from the same file stays in use, and what there was none of is left out, with a warning. Where
 * that does not help `*tls` becomes NULL after an error. What was broken before already, as by a certificate that has expired,
 * is a warning, and no reason to keep others out.
 */
void snapshot_keep_promises(const struct snapshot *snapshot, const struct loaded *before,
                            struct tls_context **tls, struct cfg_problems *problems);

/* As snapshot_load_tls, for TLS towards servers; `before` is of the same snapshot, or of the one before, or all NULL. */
struct pool_tls_set *snapshot_load_pools(const struct snapshot *snapshot, const struct loaded *before,
                                         struct cfg_problems *problems);

struct loaded loaded_ref(const struct loaded *loaded);
void loaded_unref(struct loaded *loaded);

#endif
