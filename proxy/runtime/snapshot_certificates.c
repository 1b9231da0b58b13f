/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/snapshot_certificates.h"

#include "proxy/runtime/client_certificates.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- what clients are shown ---- */

struct tls_problems {
    const struct cfg *cfg;
    struct cfg_problems *problems;
};

static struct cfg_place place_of(const struct cfg_tls *tls, int source)
{
    if (source == TLS_SOURCE_CIPHERS)
        return tls->ciphers_place;
    if (source == TLS_SOURCE_GROUPS)
        return tls->groups_place;
    if (source >= 0 && (size_t)source < tls->certificate_count)
        return tls->certificates[source].place;
    if (source >= 0 && (size_t)source < tls->certificate_count + tls->directory_count)
        return tls->directories[(size_t)source - tls->certificate_count].place;
    return tls->place;
}

static void add_tls_problem(void *arg, int source, bool is_error, const char *text)
{
    const struct tls_problems *to = arg;
    cfg_problems_add(to->problems, is_error ? CFG_ERROR : CFG_WARNING, place_of(&to->cfg->tls, source), "%s",
                     text);
}

/* A context of these settings with the configuration's certificates. */
static struct tls_context *make_context(const struct cfg *cfg, struct tls_settings settings,
                                        struct cfg_problems *problems)
{
    const struct cfg_tls *tls = &cfg->tls;
    struct tls_certificate_files *files = calloc(tls->certificate_count + 1, sizeof *files);
    const char **directories = calloc(tls->directory_count + 1, sizeof *directories);
    struct tls_context *context = NULL;
    size_t errors = problems->errors;
    if (files != NULL && directories != NULL) {
        for (size_t i = 0; i < tls->certificate_count; i++)
            files[i] =
                (struct tls_certificate_files){tls->certificates[i].chain, tls->certificates[i].key,
                                               tls->certificates[i].passphrase, tls->certificates[i].ocsp};
        for (size_t i = 0; i < tls->directory_count; i++)
            directories[i] = tls->directories[i].path;
        settings.certificates = files;
        settings.certificate_count = tls->certificate_count;
        settings.directories = directories;
        settings.directory_count = tls->directory_count;
        settings.passphrase = tls->passphrase;
        settings.hostname = cfg->hostname;
        settings.strict_sni = tls->strict_sni;
        struct tls_problems to = {cfg, problems};
        struct tls_report report = {.add = add_tls_problem, .arg = &to, .now = (long long)time(NULL)};
        context = tls_context_new_server(&settings, &report);
    }
    /* Everything else that is wrong has been added already. */
    if (context == NULL && problems->errors == errors)
        cfg_problems_add(problems, CFG_ERROR, (struct cfg_place){cfg->path, 0}, "out of memory");
    free(files);
    free(directories);
    return context;
}

static uint16_t version_of(enum cfg_tls_version version)
{
    static const uint16_t versions[] = {
        [CFG_TLS_1_0] = TLS_1_0, [CFG_TLS_1_1] = TLS_1_1, [CFG_TLS_1_2] = TLS_1_2, [CFG_TLS_1_3] = TLS_1_3};
    return versions[version];
}

struct tls_context *snapshot_certificates_load_without(const struct snapshot *snapshot,
                                                       struct tls_context *previous,
                                                       const struct chain_paths *refused,
                                                       struct cfg_problems *problems)
{
    const struct cfg *cfg = snapshot->cfg;
    struct tls_settings settings = {.keys = snapshot->keys,
                                    .previous = previous,
                                    .retained = (const char **)refused->paths,
                                    .retained_count = refused->count,
                                    .min_version = version_of(cfg->tls.min_version),
                                    .max_version = version_of(cfg->tls.max_version),
                                    .ciphers = cfg->tls.ciphers,
                                    .groups = cfg->tls.groups,
                                    .session_tickets = cfg->tls.session_tickets,
                                    .ticket_keys = snapshot->tickets.keys};
    return make_context(cfg, settings, problems);
}

struct tls_context *snapshot_certificates_load(const struct snapshot *snapshot, struct tls_context *previous,
                                               struct cfg_problems *problems)
{
    static const struct chain_paths none;
    return snapshot_certificates_load_without(snapshot, previous, &none, problems);
}

/* ---- what pools need ---- */

/* What a pool of the same name and with the same settings had before; NULL if there was none. */
static struct pool_tls *find_pool_tls(const struct runtime *before, const struct pool *old,
                                      const struct cfg_pool *pool)
{
    return old != NULL && pool_tls_is_same(&old->cfg->tls, &pool->tls)
               ? before->pools->pools[old - before->snapshot->pools]
               : NULL;
}

/* Names may get further addresses while the pool's TLS stays as it is. */
static size_t count_slots(const struct cfg_pool *pool, const struct membership *members)
{
    enum { SPARE = 32 };
    size_t slots = members != NULL ? membership_slots(members) : pool->server_count;
    for (size_t i = 0; i < pool->server_count; i++)
        if (pool->servers[i].address.address_len == 0)
            return slots + SPARE;
    return slots;
}

static struct pool_tls *load_pool_tls(const struct snapshot *snapshot, size_t index, size_t slots,
                                      const struct runtime *before, const struct pool_tls_source *from,
                                      bool *stale, struct cfg_problems *problems)
{
    const struct cfg *cfg = snapshot->cfg;
    const struct cfg_pool *pool = &cfg->pools[index];
    if (before->snapshot == snapshot)
        return pool_tls_renew(before->pools->pools[index], cfg, pool, slots, from, stale, problems);
    struct pool_tls *old = find_pool_tls(before, snapshot_find_pool(before->snapshot, pool->name), pool);
    return old != NULL ? pool_tls_new_after(old, cfg, pool, slots, from, stale, problems)
                       : pool_tls_new(cfg, pool, slots, from, problems);
}

struct pool_tls_set *snapshot_certificates_load_pools(const struct snapshot *snapshot,
                                                      const struct member_lists *members,
                                                      const struct runtime *before,
                                                      struct cfg_problems *problems)
{
    const struct cfg *cfg = snapshot->cfg;
    struct pool_tls_set *set = pool_tls_set_new(cfg->pool_count);
    struct pool_tls_source from = {snapshot->keys, {before->pools, set}};
    bool ok = set != NULL;
    if (!ok)
        cfg_problems_add_out_of_memory(problems, cfg->path);
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        bool stale = false;
        if (cfg->pools[i].tls.mode == CFG_POOL_TLS_NONE)
            continue;
        size_t slots = count_slots(&cfg->pools[i], members != NULL ? members->lists[i] : NULL);
        set->pools[i] = load_pool_tls(snapshot, i, slots, before, &from, &stale, problems);
        set->stale += stale;
        ok = ok && set->pools[i] != NULL;
    }
    if (!ok)
        pool_tls_set_unref(&set);
    return set;
}

/* ---- for a configuration with errors ---- */

void snapshot_certificates_check_clients(const struct cfg *cfg, struct cfg_problems *problems)
{
    for (size_t i = 0; i < cfg->service_count; i++) {
        const struct cfg_client_certificates *clients = cfg->services[i].client_certificates;
        struct tls_client_trust *trust = clients != NULL && clients->ca != NULL
                                             ? client_certificates_load(clients, NULL, 0, problems)
                                             : NULL;
        tls_client_trust_unref(&trust);
    }
}

void snapshot_certificates_check(const struct cfg *cfg, const struct tls_key_source *keys,
                                 struct cfg_problems *problems)
{
    /* Versions of which none is left are reported already: these always leave some. */
    bool has_versions = cfg->tls.min_version <= cfg->tls.max_version;
    struct tls_settings settings = {.keys = keys,
                                    .min_version = has_versions ? version_of(cfg->tls.min_version) : TLS_1_2,
                                    .max_version = has_versions ? version_of(cfg->tls.max_version) : TLS_1_3,
                                    .ciphers = cfg->tls.ciphers,
                                    .groups = cfg->tls.groups};
    for (size_t i = 0; i < cfg->tls.certificate_count; i++)
        if (cfg->tls.certificates[i].chain == NULL || cfg->tls.certificates[i].key == NULL)
            return;
    if (cfg->tls.certificate_count + cfg->tls.directory_count == 0)
        return;
    struct tls_context *tls = make_context(cfg, settings, problems);
    tls_context_unref(&tls);
}
