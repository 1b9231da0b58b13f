/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/pool_tls.h"

#include "base/array.h"
#include "base/slice.h"
#include "proxy/common/ca_bundle.h"
#include "proxy/common/worker_bound.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct tls_problems {
    const struct cfg_pool_tls *tls;
    struct cfg_problems *problems;
};

static void add_problem(void *arg, int certificate, bool is_error, const char *text)
{
    const struct tls_problems *to = arg;
    bool own = certificate == TLS_BACKEND_OWN_CERTIFICATE;
    cfg_problems_add(to->problems, is_error ? CFG_ERROR : CFG_WARNING,
                     own ? to->tls->certificate_place : to->tls->ca_place, "%s", text);
}

/* The file of authorities; NULL after an error. */
static const char *ca_bundle_for(const struct cfg_pool_tls *tls, struct cfg_problems *problems)
{
    if (tls->ca != NULL)
        return tls->ca;
    if (ca_bundle_of_system() != NULL)
        return ca_bundle_of_system();
    cfg_problems_add(problems, CFG_ERROR, tls->place,
                     "this system has no file of authorities (%s) to verify servers by: install its package "
                     "(ca-certificates), or name a file as \"ca\"",
                     ca_bundle_usual_place());
    return NULL;
}

/*
 * The contexts of all pools that are known; how many. NULL if there is none, or memory is short: the files
 * are read then.
 */
static struct tls_context **known_contexts(const struct pool_tls_source *from, size_t *count)
{
    size_t most = 0;
    *count = 0;
    for (size_t i = 0; i < ARRAY_LEN(from->known); i++)
        most += from->known[i] != NULL ? from->known[i]->count : 0;
    struct tls_context **contexts = most > 0 ? calloc(most, sizeof(struct tls_context *)) : NULL;
    for (size_t i = 0; contexts != NULL && i < ARRAY_LEN(from->known); i++)
        for (size_t j = 0; from->known[i] != NULL && j < from->known[i]->count; j++)
            if (from->known[i]->pools[j] != NULL)
                contexts[(*count)++] = from->known[i]->pools[j]->context;
    return contexts;
}

static uint16_t version_of(enum cfg_tls_version version)
{
    static const uint16_t versions[] = {
        [CFG_TLS_1_0] = TLS_1_0, [CFG_TLS_1_1] = TLS_1_1, [CFG_TLS_1_2] = TLS_1_2, [CFG_TLS_1_3] = TLS_1_3};
    return versions[version];
}

static struct tls_context *make_context(const struct cfg_pool_tls *tls, const struct pool_tls_source *from,
                                        struct cfg_problems *problems)
{
    struct tls_problems to = {tls, problems};
    struct tls_report report = {.add = add_problem, .arg = &to, .now = (long long)time(NULL)};
    struct tls_context *context = NULL;
    struct tls_backend_settings settings = {
        .verify = tls->verify,
        .own = {.chain = tls->certificate, .key = tls->key, .passphrase = tls->passphrase},
        .keys = from->keys,
        .min_version = version_of(tls->min_version)};
    if (tls->verify)
        settings.ca = ca_bundle_for(tls, problems);
    struct tls_context **others = known_contexts(from, &settings.other_count);
    settings.others = others;
    if (!tls->verify || settings.ca != NULL)
        context = tls_context_new_backend(&settings, &report);
    free(others);
    return context;
}

/* Takes the context over. NULL after an error. */
static struct pool_tls *new_with_context(struct tls_context *context, const struct cfg *cfg,
                                         const struct cfg_pool *pool, size_t slots,
                                         struct cfg_problems *problems)
{
    struct pool_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        tls_context_unref(&context);
    } else {
        refcount_init(&tls->references);
        tls->workers = worker_bound(cfg);
        tls->slots = slots;
        tls->context = context;
        tls->resumption = tls_resumption_new(context, slots * tls->workers);
    }
    if (tls != NULL && tls->resumption != NULL)
        return tls;
    cfg_problems_add(problems, CFG_ERROR, pool->tls.place, "no memory for the pool's TLS");
    pool_tls_unref(&tls);
    return NULL;
}

struct pool_tls *pool_tls_new(const struct cfg *cfg, const struct cfg_pool *pool, size_t slots,
                              const struct pool_tls_source *from, struct cfg_problems *problems)
{
    struct tls_context *context = make_context(&pool->tls, from, problems);
    return context != NULL ? new_with_context(context, cfg, pool, slots, problems) : NULL;
}

struct pool_tls *pool_tls_ref(struct pool_tls *tls)
{
    refcount_take(&tls->references);
    return tls;
}

static void destroy_pool(struct disposal *disposal)
{
    struct pool_tls *tls = DISPOSAL_OWNER(disposal, struct pool_tls, disposal);
    tls_resumption_free(&tls->resumption);
    tls_context_unref(&tls->context);
    free(tls);
}

void pool_tls_unref(struct pool_tls **tls)
{
    struct pool_tls *dropped = *tls;
    *tls = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        disposal_begin(&dropped->disposal, destroy_pool);
}

/* What is no reason to stop. */
static void add_as_warnings(struct cfg_problems *problems, const struct cfg_problems *found)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct cfg_problem *at = &found->items[i];
        bool is_error = at->severity == CFG_ERROR;
        cfg_problems_add(problems, CFG_WARNING, (struct cfg_place){at->file, at->line}, "%s%s", at->text,
                         is_error ? "; what was read before stays in use" : "");
    }
}

static bool is_fresh(const struct pool_tls *tls)
{
    return tls_context_backend_is_fresh(tls->context, (int64_t)time(NULL));
}

struct pool_tls *pool_tls_renew(struct pool_tls *old, const struct cfg *cfg, const struct cfg_pool *pool,
                                size_t slots, const struct pool_tls_source *from, bool *stale,
                                struct cfg_problems *problems)
{
    struct cfg_problems found = {0};
    struct pool_tls *renewed =
        is_fresh(old) ? pool_tls_ref(old) : pool_tls_new(cfg, pool, slots, from, &found);
    add_as_warnings(problems, &found);
    cfg_problems_free(&found);
    *stale = renewed == NULL;
    return *stale ? pool_tls_ref(old) : renewed;
}

bool pool_tls_is_same(const struct cfg_pool_tls *a, const struct cfg_pool_tls *b)
{
    return a->verify == b->verify && a->min_version == b->min_version && text_is_same(a->ca, b->ca) &&
           text_is_same(a->certificate, b->certificate) && text_is_same(a->key, b->key) &&
           text_is_same(a->passphrase, b->passphrase);
}

struct pool_tls *pool_tls_new_after(struct pool_tls *old, const struct cfg *cfg, const struct cfg_pool *pool,
                                    size_t slots, const struct pool_tls_source *from, bool *stale,
                                    struct cfg_problems *problems)
{
    struct cfg_problems found = {0};
    bool fresh = is_fresh(old);
    *stale = false;
    if (fresh && old->slots >= slots && old->workers == worker_bound(cfg))
        return pool_tls_ref(old);
    struct pool_tls *tls = fresh ? NULL : pool_tls_new(cfg, pool, slots, from, &found);
    *stale = !fresh && tls == NULL;
    if (tls == NULL)
        tls = new_with_context(tls_context_ref(old->context), cfg, pool, slots, problems);
    add_as_warnings(problems, &found);
    cfg_problems_free(&found);
    return tls;
}

/* ---- all of them ---- */

struct pool_tls_set *pool_tls_set_new(size_t count)
{
    struct pool_tls_set *set = calloc(1, sizeof *set + count * sizeof set->pools[0]);
    if (set == NULL)
        return NULL;
    refcount_init(&set->references);
    set->count = count;
    return set;
}

struct pool_tls_set *pool_tls_set_ref(struct pool_tls_set *set)
{
    refcount_take(&set->references);
    return set;
}

static void destroy_set(struct disposal *disposal)
{
    struct pool_tls_set *set = DISPOSAL_OWNER(disposal, struct pool_tls_set, disposal);
    for (size_t i = 0; i < set->count; i++)
        pool_tls_unref(&set->pools[i]);
    free(set);
}

void pool_tls_set_unref(struct pool_tls_set **set)
{
    struct pool_tls_set *dropped = *set;
    *set = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        disposal_begin(&dropped->disposal, destroy_set);
}

bool pool_tls_set_certificate(const struct pool_tls_set *set, size_t pool, struct tls_certificate_info *into)
{
    return set->pools[pool] != NULL && tls_context_own_certificate(set->pools[pool]->context, into);
}

bool pool_tls_set_equals(const struct pool_tls_set *a, const struct pool_tls_set *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = a->pools[i] == b->pools[i];
    return equal;
}

/* ---- for a session, and for a check ---- */

struct tls_backend_server pool_tls_server(const struct pool_tls *tls, const struct server_state *server,
                                          size_t worker)
{
    bool resumes = worker < tls->workers && server->slot < tls->slots;
    return (struct tls_backend_server){.name = server->identity.tls_name,
                                       .resumption = resumes ? tls->resumption : NULL,
                                       .slot = server->slot * tls->workers + worker,
                                       .owner = server->id};
}

void pool_tls_check(const struct cfg *cfg, const struct tls_key_source *keys, struct cfg_problems *problems)
{
    for (size_t i = 0; i < cfg->pool_count; i++) {
        const struct cfg_pool_tls *tls = &cfg->pools[i].tls;
        if (tls->mode == CFG_POOL_TLS_NONE || (tls->certificate == NULL) != (tls->key == NULL))
            continue;
        struct tls_context *context = make_context(tls, &(struct pool_tls_source){.keys = keys}, problems);
        tls_context_unref(&context);
    }
}
