/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/snapshot.h"

#include "proxy/common/address.h"
#include "proxy/runtime/client_certificates.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- certificates ---- */

struct tls_problems {
    const struct cfg *cfg;
    struct cfg_problems *problems;
};

static void add_tls_problem(void *arg, int source, bool is_error, const char *text)
{
    const struct tls_problems *to = arg;
    const struct cfg_tls *tls = &to->cfg->tls;
    struct cfg_place place = tls->place;
    if (source >= 0 && (size_t)source < tls->certificate_count)
        place = tls->certificates[source].place;
    else if (source >= 0 && (size_t)source < tls->certificate_count + tls->directory_count)
        place = tls->directories[(size_t)source - tls->certificate_count].place;
    cfg_problems_add(to->problems, is_error ? CFG_ERROR : CFG_WARNING, place, "%s", text);
}

static void add_out_of_memory(const struct cfg *cfg, struct cfg_problems *problems)
{
    cfg_problems_add(problems, CFG_ERROR, (struct cfg_place){cfg->path, 0}, "out of memory");
}

/* `settings` but for the certificates, which are put in. */
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
        settings.strict_sni = tls->strict_sni;
        struct tls_problems to = {cfg, problems};
        struct tls_report report = {.say = add_tls_problem, .arg = &to, .now = (long long)time(NULL)};
        context = tls_context_new_server(&settings, &report);
    }
    /* Whatever else is wrong has been added already. */
    if (context == NULL && problems->errors == errors)
        add_out_of_memory(cfg, problems);
    free(files);
    free(directories);
    return context;
}

static struct tls_context *load_tls(const struct snapshot *snapshot, struct tls_context *previous,
                                    const struct promises_culprits *kept, struct cfg_problems *problems)
{
    static const uint16_t versions[] = {
        [CFG_TLS_1_0] = TLS_1_0, [CFG_TLS_1_1] = TLS_1_1, [CFG_TLS_1_2] = TLS_1_2, [CFG_TLS_1_3] = TLS_1_3};
    const struct cfg *cfg = snapshot->cfg;
    struct tls_settings settings = {.keys = snapshot->keys,
                                    .previous = previous,
                                    .kept = kept->chains,
                                    .kept_count = kept->count,
                                    .min_version = versions[cfg->tls.min_version],
                                    .max_version = versions[cfg->tls.max_version],
                                    .ciphers = cfg->tls.ciphers,
                                    .groups = cfg->tls.groups,
                                    .session_tickets = cfg->tls.session_tickets,
                                    .ticket_keys = snapshot->tickets.keys};
    return make_context(cfg, settings, problems);
}

struct tls_context *snapshot_load_tls(const struct snapshot *snapshot, struct tls_context *previous,
                                      struct cfg_problems *problems)
{
    static const struct promises_culprits none;
    return load_tls(snapshot, previous, &none, problems);
}

static bool has_text(const struct cfg_problems *problems, const char *text)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].severity == CFG_ERROR && strcmp(problems->items[i].text, text) == 0)
            return true;
    return false;
}

/* Is there an error in the one that is not in the other? */
static bool breaks_more(const struct cfg_problems *problems, const struct cfg_problems *before)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].severity == CFG_ERROR && !has_text(before, problems->items[i].text))
            return true;
    return false;
}

/* With what there was before in place of the culprits; NULL where that breaks more than `broken` too. */
static struct tls_context *load_without(const struct promises_culprits *culprits,
                                        const struct snapshot *snapshot, struct tls_context *previous,
                                        const struct cfg_problems *broken)
{
    struct cfg_problems said = {0}; /* already */
    struct cfg_problems found = {0};
    struct tls_context *tls = culprits->count > 0 ? load_tls(snapshot, previous, culprits, &said) : NULL;
    if (tls != NULL)
        promises_check(snapshot->cfg, tls, NULL, NULL, &found);
    if (breaks_more(&found, broken))
        tls_context_unref(&tls);
    cfg_problems_free(&said);
    cfg_problems_free(&found);
    return tls;
}

static void add_found(struct cfg_problems *problems, const struct cfg_problems *found,
                      const struct cfg_problems *broken, bool is_mended)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct cfg_problem *at = &found->items[i];
        bool is_softened = at->severity == CFG_ERROR && is_mended;
        const char *consequence = has_text(broken, at->text)
                                      ? "; so it was before"
                                      : "; the certificate that was loaded before stays in use";
        cfg_problems_add(problems, is_softened ? CFG_WARNING : at->severity,
                         (struct cfg_place){at->file, at->line}, "%s%s", at->text,
                         is_softened ? consequence : "");
    }
}

void snapshot_keep_promises(const struct snapshot *snapshot, const struct loaded *before,
                            struct tls_context **tls, struct cfg_problems *problems)
{
    struct cfg_problems found = {0};
    struct cfg_problems broken = {0};
    struct promises_culprits culprits = {0};
    promises_check(snapshot->cfg, *tls, before->tls, &culprits, &found);
    if (found.errors > 0 && before->tls != NULL)
        promises_check(before->snapshot->cfg, before->tls, NULL, NULL, &broken);
    bool is_mended = true;
    if (breaks_more(&found, &broken)) {
        struct tls_context *mended =
            before->tls != NULL ? load_without(&culprits, snapshot, before->tls, &broken) : NULL;
        is_mended = mended != NULL;
        tls_context_unref(tls);
        *tls = mended;
    }
    add_found(problems, &found, &broken, is_mended);
    promises_culprits_free(&culprits);
    cfg_problems_free(&found);
    cfg_problems_free(&broken);
}

static const struct pool *find_pool(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; snapshot != NULL && i < snapshot->cfg->pool_count; i++)
        if (strcmp(snapshot->cfg->pools[i].name, name) == 0)
            return &snapshot->pools[i];
    return NULL;
}

/* What there was for a pool of that name and with the same settings; NULL where there was nothing. */
static const struct pool_tls *find_pool_tls(const struct loaded *before, const struct cfg_pool *pool)
{
    const struct pool *old = find_pool(before->snapshot, pool->name);
    return old != NULL && pool_tls_is_same(&old->cfg->tls, &pool->tls)
               ? before->pools->pools[old - before->snapshot->pools]
               : NULL;
}

static struct pool_tls *load_pool(const struct snapshot *snapshot, size_t index, const struct loaded *before,
                                  bool *stale, struct cfg_problems *problems)
{
    const struct cfg *cfg = snapshot->cfg;
    const struct cfg_pool *pool = &cfg->pools[index];
    size_t servers = snapshot->pools[index].server_count;
    if (before->snapshot == snapshot)
        return pool_tls_renew(before->pools->pools[index], cfg, pool, servers, snapshot->keys, stale,
                              problems);
    const struct pool_tls *old = find_pool_tls(before, pool);
    return old != NULL ? pool_tls_new_after(old, cfg, pool, servers, snapshot->keys, stale, problems)
                       : pool_tls_new(cfg, pool, servers, snapshot->keys, problems);
}

struct pool_tls_set *snapshot_load_pools(const struct snapshot *snapshot, const struct loaded *before,
                                         struct cfg_problems *problems)
{
    const struct cfg *cfg = snapshot->cfg;
    struct pool_tls_set *set = pool_tls_set_new(cfg->pool_count);
    bool ok = set != NULL;
    if (!ok)
        add_out_of_memory(cfg, problems);
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        bool stale = false;
        if (cfg->pools[i].tls.mode == CFG_POOL_TLS_NONE)
            continue;
        set->pools[i] = load_pool(snapshot, i, before, &stale, problems);
        set->stale += stale;
        ok = ok && set->pools[i] != NULL;
    }
    if (!ok)
        pool_tls_set_unref(&set);
    return set;
}

static void check_client_certificates(const struct cfg *cfg, struct cfg_problems *problems)
{
    for (size_t i = 0; i < cfg->service_count; i++) {
        const struct cfg_client_certificates *clients = cfg->services[i].client_certificates;
        struct tls_client_trust *trust =
            clients != NULL && clients->ca != NULL ? client_certificates_load(clients, problems) : NULL;
        tls_client_trust_unref(&trust);
    }
}

/* What is wrong with the certificates, and the authorities of clients', of a configuration that has errors of its own. */
static void check_certificates(const struct cfg *cfg, const struct tls_key_source *keys,
                               struct cfg_problems *problems)
{
    check_client_certificates(cfg, problems);
    /* The other settings may be what is wrong with the file: these are always right. */
    struct tls_settings settings = {.keys = keys, .min_version = TLS_1_2, .max_version = TLS_1_3};
    for (size_t i = 0; i < cfg->tls.certificate_count; i++)
        if (cfg->tls.certificates[i].chain == NULL || cfg->tls.certificates[i].key == NULL)
            return;
    if (cfg->tls.certificate_count + cfg->tls.directory_count == 0)
        return;
    struct tls_context *tls = make_context(cfg, settings, problems);
    tls_context_unref(&tls);
}

static void check_ticket_keys(const struct cfg *cfg, struct cfg_problems *problems)
{
    struct tickets tickets;
    tickets_open(&tickets, cfg, tickets_time_now(), problems);
    tickets_close(&tickets);
}

/* ---- pools ---- */

static const struct server *find_address(const struct pool *previous, const struct server *server)
{
    for (size_t i = 0; previous != NULL && i < previous->server_count; i++) {
        const struct server *other = &previous->servers[i];
        if (strcmp(other->name, server->name) == 0 && other->address_len == server->address_len &&
            memcmp(&other->address, &server->address, server->address_len) == 0)
            return other;
    }
    return NULL;
}

/* What is known of its health stays known. */
static void inherit(struct server *server, const struct pool *previous)
{
    const struct server *known = find_address(previous, server);
    if (known == NULL)
        return;
    atomic_store(&server->avoid_until, atomic_load(&known->avoid_until));
    atomic_store(&server->warned, atomic_load(&known->warned));
}

static bool add_server(struct pool *pool, const struct sockaddr *address, socklen_t len, const char *name,
                       const struct pool *previous)
{
    struct server *servers = realloc(pool->servers, (pool->server_count + 1) * sizeof *servers);
    if (servers == NULL)
        return false;
    pool->servers = servers;
    struct server *server = &servers[pool->server_count];
    memset(server, 0, sizeof *server);
    memcpy(&server->address, address, len);
    server->address_len = len;
    server->name = strdup(name);
    if (server->name == NULL)
        return false;
    inherit(server, previous);
    pool->server_count++;
    return true;
}

/* The addresses that a name had when it was last resolved. How many. */
static size_t add_known(struct pool *pool, const struct cfg_endpoint *endpoint, const struct pool *previous)
{
    size_t count = 0;
    size_t len = strlen(endpoint->text);
    for (size_t i = 0; previous != NULL && i < previous->server_count; i++) {
        const struct server *known = &previous->servers[i];
        if (strncmp(known->name, endpoint->text, len) == 0 && known->name[len] == '/')
            count += add_server(pool, (const struct sockaddr *)&known->address, known->address_len,
                                known->name, previous);
    }
    return count;
}

static bool add_unresolved(struct pool *pool, const struct cfg_endpoint *endpoint,
                           const struct pool *previous, const char *error, struct cfg_problems *problems)
{
    bool known = add_known(pool, endpoint, previous) > 0;
    cfg_problems_add(problems, known ? CFG_WARNING : CFG_ERROR, endpoint->place,
                     "the server's name \"%s\" can't be resolved: %s; %s", endpoint->host, error,
                     known ? "the addresses that it had before are used"
                           : "give its address, or mend the name service");
    return known;
}

/* Every address that the resolver has for a name. */
static bool resolve_server(struct pool *pool, const struct cfg_endpoint *endpoint,
                           const struct pool *previous, struct cfg_problems *problems)
{
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    snprintf(port, sizeof port, "%u", endpoint->port);
    int error = getaddrinfo(endpoint->host, port, &hints, &found);
    if (error != 0)
        return add_unresolved(pool, endpoint, previous, gai_strerror(error), problems);
    bool ok = true;
    for (const struct addrinfo *a = found; a != NULL && ok; a = a->ai_next) {
        char address[ADDRESS_TEXT_MAX];
        char name[ADDRESS_TEXT_MAX + 300];
        address_format(a->ai_addr, address);
        snprintf(name, sizeof name, "%.255s/%s", endpoint->text, address);
        ok = add_server(pool, a->ai_addr, a->ai_addrlen, name, previous);
    }
    freeaddrinfo(found);
    return ok;
}

static bool add_servers(struct pool *pool, const struct cfg_pool *cfg, const struct pool *before,
                        struct cfg_problems *problems)
{
    bool ok = true;
    for (size_t i = 0; i < cfg->server_count; i++) {
        const struct cfg_endpoint *endpoint = &cfg->servers[i];
        size_t first = pool->server_count;
        if (endpoint->address_len > 0)
            ok = add_server(pool, (const struct sockaddr *)&endpoint->address, endpoint->address_len,
                            endpoint->text, before) &&
                 ok;
        else
            ok = resolve_server(pool, endpoint, before, problems) && ok;
        for (size_t j = first; cfg->tls.mode != CFG_POOL_TLS_NONE && j < pool->server_count; j++)
            pool->servers[j].tls_name = cfg->tls.server_names[i];
    }
    return ok;
}

static bool make_pool(struct pool *pool, const struct cfg_pool *from, const struct snapshot *previous,
                      struct cfg_problems *problems)
{
    pool->cfg = from;
    return add_servers(pool, from, find_pool(previous, from->name), problems);
}

/* ---- services ---- */

static int64_t seconds_since_1970(void)
{
    return (int64_t)time(NULL);
}

static const struct service *find_service(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; snapshot != NULL && i < snapshot->cfg->service_count; i++)
        if (strcmp(snapshot->cfg->services[i].name, name) == 0)
            return &snapshot->services[i];
    return NULL;
}

/* The counts go on where there was a service of that name. */
static bool set_counts(struct service *service, const struct service *before)
{
    const char *status = service->cfg->deep->status;
    service->counters = before != NULL ? counters_ref(before->counters) : counters_new();
    service->reports = before != NULL ? reports_ref(before->reports) : reports_new(status);
    return service->counters != NULL && service->reports != NULL &&
           (before == NULL || reports_add_status(service->reports, status));
}

static void set_pool(struct service *service, struct snapshot *snapshot, size_t pool)
{
    service->pool = &snapshot->pools[pool];
    service->pool_index = pool;
    service->engine.tells_identity = snapshot->cfg->pools[pool].identity == CFG_IDENTITY_NATIVE;
}

static bool make_service(struct service *service, struct snapshot *snapshot, const struct cfg_service *from,
                         const struct snapshot *previous)
{
    static const enum engine_protocol protocols[] = {
        [CFG_IMAP] = ENGINE_IMAP, [CFG_POP3] = ENGINE_POP3, [CFG_SUBMISSION] = ENGINE_SUBMISSION};
    /* IANA's names; there is none for SMTP, and this is what its servers and clients use. */
    static const char *const alpn[] = {
        [CFG_IMAP] = "\x04imap", [CFG_POP3] = "\x04pop3", [CFG_SUBMISSION] = "\x04smtp"};
    *service = (struct service){.cfg = from,
                                .engine = {.protocol = protocols[from->protocol],
                                           .deep_status = from->deep->status,
                                           .hostname = snapshot->cfg->hostname,
                                           .starttls = from->tls_mode == CFG_TLS_STARTTLS,
                                           .deep_merge = from->deep->merge,
                                           .adds_received = from->adds_received,
                                           .refuses_bare_lf = from->refuses_bare_lf,
                                           .now = seconds_since_1970},
                                .tls = {.protocols = alpn[from->protocol]}};
    set_pool(service, snapshot, from->pool);
    return set_counts(service, find_service(previous, from->name));
}

/* What the service is for clients that ask for the host. */
static bool make_variant(struct service *service, struct snapshot *snapshot, const struct service *base,
                         const struct cfg_host *host)
{
    int pool = host->pools[base->cfg->protocol];
    *service = *base;
    reports_ref(service->reports);
    counters_ref(service->counters);
    if (pool != CFG_NO_POOL)
        set_pool(service, snapshot, (size_t)pool);
    if (host->deep == NULL)
        return true;
    service->engine.deep_status = host->deep->status;
    service->engine.deep_merge = host->deep->merge;
    return reports_add_status(service->reports, host->deep->status);
}

static size_t service_total(const struct cfg *cfg)
{
    return cfg->service_count * (1 + cfg->host_count);
}

static bool join_services(struct snapshot *snapshot, const struct snapshot *previous)
{
    const struct cfg *cfg = snapshot->cfg;
    size_t count = cfg->service_count;
    bool ok = true;
    for (size_t i = 0; i < count; i++)
        ok = make_service(&snapshot->services[i], snapshot, &cfg->services[i], previous) && ok;
    for (size_t i = 0; i < cfg->host_count && ok; i++) {
        const struct cfg_host *host = &cfg->hosts[i];
        struct service *variants = snapshot->services + count * (1 + i);
        for (size_t j = 0; j < count; j++)
            ok = make_variant(&variants[j], snapshot, &snapshot->services[j], host) && ok;
        for (size_t j = 0; j < host->name_count; j++)
            ok = tls_names_add(&snapshot->hosts, slice_of(host->names[j]), i) && ok;
    }
    tls_names_sort(&snapshot->hosts);
    return ok;
}

struct service *snapshot_service(const struct snapshot *snapshot, struct service *service, const char *name)
{
    const struct cfg *cfg = snapshot->cfg;
    if (name == NULL || cfg->host_count == 0)
        return service;
    size_t host = tls_names_find(&snapshot->hosts, slice_of(name), cfg->host_count);
    return host < cfg->host_count ? service + cfg->service_count * (1 + host) : service;
}

static bool load_client_certificates(struct snapshot *snapshot, struct cfg_problems *problems)
{
    bool ok = true;
    for (size_t i = 0; i < snapshot->cfg->service_count; i++) {
        const struct cfg_client_certificates *clients = snapshot->cfg->services[i].client_certificates;
        if (clients == NULL)
            continue;
        snapshot->services[i].tls.clients = client_certificates_load(clients, problems);
        ok = snapshot->services[i].tls.clients != NULL && ok;
    }
    return ok;
}

/* ---- the whole ---- */

static bool build(struct snapshot *snapshot, const struct snapshot *previous, struct cfg_problems *problems)
{
    const struct cfg *cfg = snapshot->cfg;
    bool ok = true;
    snapshot->pools = calloc(cfg->pool_count, sizeof snapshot->pools[0]);
    snapshot->services = calloc(service_total(cfg), sizeof snapshot->services[0]);
    if (snapshot->pools == NULL || snapshot->services == NULL)
        return false;
    for (size_t i = 0; i < cfg->pool_count; i++)
        ok = make_pool(&snapshot->pools[i], &cfg->pools[i], previous, problems) && ok;
    ok = join_services(snapshot, previous) && ok;
    ok = load_client_certificates(snapshot, problems) && ok;
    return tickets_open(&snapshot->tickets, cfg, tickets_time_now(), problems) && ok;
}

/* All but the configuration. */
static void destroy(struct snapshot *snapshot)
{
    for (size_t i = 0; snapshot->pools != NULL && i < snapshot->cfg->pool_count; i++) {
        struct pool *pool = &snapshot->pools[i];
        for (size_t j = 0; j < pool->server_count; j++)
            free(pool->servers[j].name);
        free(pool->servers);
    }
    for (size_t i = 0; snapshot->services != NULL && i < service_total(snapshot->cfg); i++) {
        reports_unref(&snapshot->services[i].reports);
        counters_unref(&snapshot->services[i].counters);
        tls_client_trust_unref(&snapshot->services[i].tls.clients);
    }
    free(snapshot->pools);
    free(snapshot->services);
    tls_names_free(&snapshot->hosts);
    tickets_close(&snapshot->tickets);
    promises_free(&snapshot->promises);
    free(snapshot);
}

/* Takes `*cfg` over where it succeeds. */
static struct snapshot *new_snapshot(struct cfg **cfg, const struct tls_key_source *keys,
                                     const struct snapshot *previous, struct cfg_problems *problems)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    size_t errors = problems->errors;
    bool ok = snapshot != NULL;
    if (ok) {
        atomic_init(&snapshot->references, 1);
        snapshot->cfg = *cfg;
        snapshot->keys = keys;
        ok = build(snapshot, previous, problems);
    }
    if (ok) {
        *cfg = NULL;
        return snapshot;
    }
    if (problems->errors == errors)
        add_out_of_memory(*cfg, problems);
    if (snapshot != NULL)
        destroy(snapshot);
    return NULL;
}

/* What this process has promised, and what the file remembers of others. */
static bool remember(const struct snapshot *snapshot, const struct snapshot *before, struct promises *into,
                     struct cfg_problems *problems)
{
    *into = (struct promises){0};
    return (snapshot->cfg->state_file == NULL || promises_read(snapshot->cfg, into, problems)) &&
           (before == NULL || promises_merge(into, &before->promises));
}

/* What was promised is kept, and what is promised can be. */
static void check_promises(const struct loaded *before, struct loaded *into, struct cfg_problems *problems)
{
    struct snapshot *snapshot = into->snapshot;
    struct promises remembered;
    size_t errors = problems->errors;
    bool ok = remember(snapshot, before->snapshot, &remembered, problems) &&
              promises_of(snapshot->cfg, &snapshot->promises) &&
              promises_compare(&remembered, &snapshot->promises, snapshot->cfg, problems);
    if (!ok && problems->errors == errors)
        add_out_of_memory(snapshot->cfg, problems);
    promises_free(&remembered);
    snapshot_keep_promises(snapshot, before, &into->tls, problems);
}

bool snapshot_load(const char *path, const struct tls_key_source *keys, const struct loaded *before,
                   struct loaded *into, struct cfg_problems *problems)
{
    struct cfg *cfg = cfg_load_to_check(path, problems);
    *into = (struct loaded){0};
    if (problems->errors > 0)
        check_ticket_keys(cfg, problems);
    else
        into->snapshot = new_snapshot(&cfg, keys, before->snapshot, problems);
    if (into->snapshot != NULL) {
        into->pools = snapshot_load_pools(into->snapshot, before, problems);
        into->tls = snapshot_load_tls(into->snapshot, before->tls, problems);
    } else {
        pool_tls_check(cfg, keys, problems);
        check_certificates(cfg, keys, problems);
    }
    cfg_free(&cfg);
    if (into->tls != NULL)
        check_promises(before, into, problems);
    if (into->tls == NULL || into->pools == NULL || problems->errors > 0)
        loaded_unref(into);
    return into->snapshot != NULL;
}

struct loaded loaded_ref(const struct loaded *loaded)
{
    return (struct loaded){snapshot_ref(loaded->snapshot), tls_context_ref(loaded->tls),
                           pool_tls_set_ref(loaded->pools)};
}

void loaded_unref(struct loaded *loaded)
{
    pool_tls_set_unref(&loaded->pools);
    tls_context_unref(&loaded->tls);
    snapshot_unref(&loaded->snapshot);
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

static void free_all(struct snapshot *snapshot)
{
    struct cfg *cfg = snapshot->cfg;
    destroy(snapshot);
    cfg_free(&cfg);
}

void snapshot_unref(struct snapshot **snapshot)
{
    if (*snapshot != NULL &&
        atomic_fetch_sub_explicit(&(*snapshot)->references, 1, memory_order_acq_rel) == 1)
        free_all(*snapshot);
    *snapshot = NULL;
}
