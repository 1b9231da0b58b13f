/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/runtime.h"

#include "proxy/backends/pool_members.h"
#include "proxy/common/privileges.h"
#include "proxy/runtime/commitment_guard.h"
#include "proxy/runtime/commitments.h"
#include "proxy/runtime/pool_access.h"
#include "proxy/runtime/snapshot_certificates.h"

static void check_ticket_keys(const struct cfg *cfg, struct cfg_problems *problems)
{
    struct tickets tickets;
    tickets_open(&tickets, cfg, tickets_time_now(), problems);
    tickets_close(&tickets);
}

static void check_state_file(const struct cfg *cfg, struct cfg_problems *problems)
{
    struct commitments commitments = {0};
    if (cfg->state_file == NULL)
        return;
    /* What is wrong has been added; what is right is of no use here. */
    (void)!commitments_read(cfg, &commitments, problems);
    commitments_free(&commitments);
}

/* The text has errors: what of the rest is read with a snapshot, of which there is none? */
static void check_without_snapshot(const struct cfg *cfg, struct cfg_problems *problems)
{
    check_ticket_keys(cfg, problems);
    snapshot_certificates_check_clients(cfg, problems);
}

/* Nothing will run: what else is wrong with the files that the configuration names? */
static void check_files(const struct cfg *cfg, const struct tls_key_source *keys,
                        struct cfg_problems *problems)
{
    pool_tls_check(cfg, keys, problems);
    snapshot_certificates_check(cfg, keys, problems);
    check_state_file(cfg, problems);
}

const struct membership *runtime_find_members(const struct runtime *runtime, const char *name)
{
    const struct pool *pool = snapshot_find_pool(runtime->snapshot, name);
    return pool != NULL ? runtime->members->lists[pool - runtime->snapshot->pools] : NULL;
}

static socklen_t get_none(void *arg, const char *host, size_t index, struct sockaddr_storage *address)
{
    (void)arg;
    (void)host;
    (void)index;
    (void)address;
    return 0;
}

/* NULL after an error. */
static struct member_lists *load_members(const struct snapshot *snapshot, struct cfg_problems *problems)
{
    static const struct known_addresses none = {get_none, NULL};
    struct member_lists *lists = pool_members_make_all(snapshot->cfg, snapshot->registry, &none);
    if (lists == NULL)
        cfg_problems_add_out_of_memory(problems, snapshot->cfg->path);
    return lists;
}

/* Loads the rest for a snapshot; leaves NULL what failed. */
static void load_rest(struct runtime *into, const struct runtime *before, struct cfg_problems *problems)
{
    into->members = load_members(into->snapshot, problems);
    into->pools = snapshot_certificates_load_pools(into->snapshot, into->members, before, problems);
    into->tls = snapshot_certificates_load(into->snapshot, before->tls, problems);
    if (into->tls != NULL)
        commitment_guard_check(before, into, problems);
}

bool runtime_load(const char *path, const struct tls_key_source *keys, const struct runtime *before,
                  struct runtime *into, struct cfg_problems *problems)
{
    struct cfg *cfg = cfg_load_to_check(path, problems);
    *into = (struct runtime){0};
    if (cfg == NULL)
        return false;
    privileges_check(cfg, problems);
    pool_access_check(cfg, problems);
    if (problems->errors > 0)
        check_without_snapshot(cfg, problems);
    else
        into->snapshot = snapshot_new(&cfg, keys, before->snapshot, problems);
    if (into->snapshot != NULL)
        load_rest(into, before, problems);
    else
        check_files(cfg, keys, problems);
    cfg_free(&cfg);
    if (into->tls == NULL || into->pools == NULL || into->members == NULL || problems->errors > 0)
        runtime_unref(into);
    return into->snapshot != NULL;
}

struct runtime runtime_ref(const struct runtime *runtime)
{
    return (struct runtime){
        .snapshot = runtime->snapshot != NULL ? snapshot_ref(runtime->snapshot) : NULL,
        .tls = runtime->tls != NULL ? tls_context_ref(runtime->tls) : NULL,
        .pools = runtime->pools != NULL ? pool_tls_set_ref(runtime->pools) : NULL,
        .members = runtime->members != NULL ? member_lists_ref(runtime->members) : NULL,
    };
}

void runtime_unref(struct runtime *runtime)
{
    member_lists_unref(&runtime->members);
    pool_tls_set_unref(&runtime->pools);
    tls_context_unref(&runtime->tls);
    snapshot_unref(&runtime->snapshot);
}
