/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/snapshot.h"

#include "base/array.h"
#include "proxy/common/worker_bound.h"
#include "proxy/runtime/client_certificates.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- pools ---- */

const struct pool *snapshot_find_pool(const struct snapshot *snapshot, const char *name)
{
    if (snapshot == NULL)
        return NULL;
    const struct cfg *cfg = snapshot->cfg;
    size_t index = array_find_name(cfg->pools, cfg->pool_count, sizeof cfg->pools[0], name);
    return index < cfg->pool_count ? &snapshot->pools[index] : NULL;
}

static void set_pools(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->cfg->pool_count; i++) {
        const struct cfg_pool *cfg = &snapshot->cfg->pools[i];
        snapshot->pools[i] = (struct pool){.cfg = cfg, .policy = policy_of(cfg->balance)};
    }
}

/* ---- services ---- */

static int64_t seconds_since_1970(void)
{
    return (int64_t)time(NULL);
}

static const struct service *find_service(const struct snapshot *snapshot, const char *name)
{
    if (snapshot == NULL)
        return NULL;
    const struct cfg *cfg = snapshot->cfg;
    size_t index = array_find_name(cfg->services, cfg->service_count, sizeof cfg->services[0], name);
    return index < cfg->service_count ? &snapshot->services[index] : NULL;
}

/* Counters and reports go on if there was a service of that name. */
static bool set_counters(struct service *service, const struct service *before)
{
    const char *status = service->cfg->deep->status;
    service->counters = before != NULL ? counters_ref(before->counters) : counters_new();
    service->reports = before != NULL ? client_reports_ref(before->reports) : client_reports_new(status);
    return service->counters != NULL && service->reports != NULL &&
           (before == NULL || client_reports_add_status(service->reports, status));
}

static void set_pool(struct service *service, struct snapshot *snapshot, size_t pool)
{
    service->pool = &snapshot->pools[pool];
    service->pool_index = pool;
    service->engine.sends_identity = snapshot->cfg->pools[pool].identity == CFG_IDENTITY_NATIVE;
}

static bool make_service(struct service *service, struct snapshot *snapshot, const struct cfg_service *from,
                         const struct snapshot *previous)
{
    *service = (struct service){.cfg = from,
                                .engine = {.protocol = from->protocol,
                                           .deep_status = from->deep->status,
                                           .hostname = snapshot->cfg->hostname,
                                           .starttls = from->tls_mode == CFG_TLS_STARTTLS,
                                           .deep_merge = from->deep->merge,
                                           .imap_line_max = snapshot->cfg->limits.imap_line,
                                           .sasl_max = snapshot->cfg->limits.sasl_line,
                                           .adds_received = from->adds_received,
                                           .refuses_bare_lf = from->refuses_bare_lf,
                                           .now = seconds_since_1970},
                                .tls = {.protocols = protocol_traits(from->protocol)->alpn.list}};
    set_pool(service, snapshot, from->pool);
    return set_counters(service, find_service(previous, from->name));
}

/* Makes what the service is for clients that ask for the host. */
static bool make_variant(struct service *service, struct snapshot *snapshot, const struct service *base,
                         const struct cfg_host *host)
{
    int pool = host->pools[base->cfg->protocol];
    *service = *base;
    client_reports_ref(service->reports);
    counters_ref(service->counters);
    if (pool != CFG_NO_POOL)
        set_pool(service, snapshot, (size_t)pool);
    if (host->deep == NULL)
        return true;
    service->engine.deep_status = host->deep->status;
    service->engine.deep_merge = host->deep->merge;
    return client_reports_add_status(service->reports, host->deep->status);
}

static size_t service_total(const struct snapshot *snapshot)
{
    return snapshot->cfg->service_count * (1 + snapshot->hosts->kind_count);
}

static bool join_services(struct snapshot *snapshot, const struct snapshot *previous)
{
    const struct cfg *cfg = snapshot->cfg;
    const struct host_index *hosts = snapshot->hosts;
    size_t count = cfg->service_count;
    bool ok = true;
    for (size_t i = 0; i < count; i++)
        ok = make_service(&snapshot->services[i], snapshot, &cfg->services[i], previous) && ok;
    for (size_t i = 0; i < hosts->kind_count && ok; i++) {
        struct service *variants = snapshot->services + count * (1 + i);
        for (size_t j = 0; j < count; j++)
            ok = make_variant(&variants[j], snapshot, &snapshot->services[j], hosts->kinds[i]) && ok;
    }
    return ok;
}

struct service *snapshot_service(const struct snapshot *snapshot, struct service *service, const char *name)
{
    const struct host_index *hosts = snapshot->hosts;
    if (name == NULL || hosts->kind_count == 0)
        return service;
    size_t kind = tls_names_find(&hosts->names, slice_of(name), hosts->kind_count);
    return kind < hosts->kind_count ? service + snapshot->cfg->service_count * (1 + kind) : service;
}

/* Many services, and many snapshots, have the same files: lists of revoked certificates may be large. */
static bool load_client_certificates(struct snapshot *snapshot, const struct snapshot *previous,
                                     struct cfg_problems *problems)
{
    bool ok = true;
    size_t count = snapshot->cfg->service_count;
    size_t before = previous != NULL ? previous->cfg->service_count : 0;
    struct tls_client_trust **known = calloc(before + count, sizeof(struct tls_client_trust *));
    if (known == NULL)
        return false;
    for (size_t i = 0; i < before; i++)
        known[i] = previous->services[i].tls.clients;
    for (size_t i = 0; i < count; i++) {
        const struct cfg_client_certificates *clients = snapshot->cfg->services[i].client_certificates;
        if (clients == NULL)
            continue;
        known[before + i] = client_certificates_load(clients, known, before + i, problems);
        snapshot->services[i].tls.clients = known[before + i];
        ok = known[before + i] != NULL && ok;
    }
    free(known);
    return ok;
}

/* ---- the whole ---- */

/* Those of the snapshot before, if its configuration has the same hosts. NULL if memory is short. */
static struct host_index *get_hosts(const struct cfg *cfg, const struct snapshot *previous)
{
    if (previous != NULL && previous->cfg->host_list == cfg->host_list)
        return host_index_ref(previous->hosts);
    return host_index_new(cfg->hosts, cfg->host_count);
}

/* That of the snapshot before. NULL if memory is short. */
static struct server_registry *get_registry(const struct cfg *cfg, const struct snapshot *previous)
{
    return previous != NULL ? server_registry_ref(previous->registry)
                            : server_registry_new(worker_bound(cfg));
}

static bool build_snapshot(struct snapshot *snapshot, const struct snapshot *previous,
                           struct cfg_problems *problems)
{
    const struct cfg *cfg = snapshot->cfg;
    if (previous != NULL)
        cfg_share_hosts(snapshot->cfg, previous->cfg);
    snapshot->hosts = get_hosts(cfg, previous);
    snapshot->registry = get_registry(cfg, previous);
    if (snapshot->hosts == NULL || snapshot->registry == NULL)
        return false;
    snapshot->pools = calloc(cfg->pool_count, sizeof snapshot->pools[0]);
    snapshot->services = calloc(service_total(snapshot), sizeof snapshot->services[0]);
    if (snapshot->pools == NULL || snapshot->services == NULL)
        return false;
    set_pools(snapshot);
    bool ok = join_services(snapshot, previous);
    ok = load_client_certificates(snapshot, previous, problems) && ok;
    return tickets_open(&snapshot->tickets, cfg, tickets_time_now(), problems) && ok;
}

/* Frees all but the configuration. */
static void free_snapshot(struct snapshot *snapshot)
{
    for (size_t i = 0; snapshot->services != NULL && i < service_total(snapshot); i++) {
        client_reports_unref(&snapshot->services[i].reports);
        counters_unref(&snapshot->services[i].counters);
        tls_client_trust_unref(&snapshot->services[i].tls.clients);
    }
    free(snapshot->pools);
    free(snapshot->services);
    server_registry_unref(&snapshot->registry);
    host_index_unref(&snapshot->hosts);
    tickets_close(&snapshot->tickets);
    commitments_unref(&snapshot->commitments);
    free(snapshot);
}

struct snapshot *snapshot_new(struct cfg **cfg, const struct tls_key_source *keys,
                              const struct snapshot *previous, struct cfg_problems *problems)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    size_t errors = problems->errors;
    bool ok = snapshot != NULL;
    if (ok) {
        refcount_init(&snapshot->references);
        snapshot->cfg = *cfg;
        snapshot->keys = keys;
        ok = build_snapshot(snapshot, previous, problems);
    }
    if (ok) {
        *cfg = NULL;
        return snapshot;
    }
    if (problems->errors == errors)
        cfg_problems_add_out_of_memory(problems, (*cfg)->path);
    if (snapshot != NULL)
        free_snapshot(snapshot);
    return NULL;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    refcount_take(&snapshot->references);
    return snapshot;
}

static void destroy_snapshot(struct disposal *disposal)
{
    struct snapshot *snapshot = DISPOSAL_OWNER(disposal, struct snapshot, disposal);
    struct cfg *cfg = snapshot->cfg;
    free_snapshot(snapshot);
    cfg_free(&cfg);
}

void snapshot_unref(struct snapshot **snapshot)
{
    struct snapshot *dropped = *snapshot;
    *snapshot = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        disposal_begin(&dropped->disposal, destroy_snapshot);
}
