/* SPDX-License-Identifier: BSD-2-Clause */
#include "server_pool.h"

#include <check.h>
#include <stdio.h>

const struct server_rules server_pool_rules = {.weight = 1, .rise = 1, .fall = 1};

static struct server_state *make_server(size_t index)
{
    char name[24];
    struct server_identity identity = {.pool = "stores", .name = name};
    snprintf(name, sizeof name, "s%zu", index);
    struct server_state *server = server_state_new(&identity);
    ck_assert_ptr_nonnull(server);
    return server;
}

struct membership *server_pool_new_with(const struct server_rules *rules, size_t servers, unsigned backups)
{
    struct pool_state *pool = pool_state_new("stores", SERVER_POOL_WORKERS, NULL);
    ck_assert_ptr_nonnull(pool);
    struct membership *members = membership_new(pool, servers, SERVER_POOL_WORKERS);
    ck_assert_ptr_nonnull(members);
    pool_state_unref(&pool);
    for (size_t i = 0; i < servers; i++)
        membership_add(members, make_server(i), &rules[i], i < 32 && (backups & 1u << i) != 0);
    membership_install(members, NULL, SERVER_POOL_NOW, NULL);
    return members;
}

struct membership *server_pool_new(size_t servers)
{
    struct server_rules rules[1024];
    ck_assert_uint_le(servers, 1024);
    for (size_t i = 0; i < servers; i++)
        rules[i] = server_pool_rules;
    return server_pool_new_with(rules, servers, 0);
}

void server_pool_free(struct membership **members)
{
    ck_assert_uint_eq((*members)->references.count, 1);
    for (size_t i = 0; i < (*members)->count; i++) {
        const struct server_state *server = (*members)->members[i].server;
        ck_assert_uint_eq(server_state_sessions(server), 0);
        ck_assert_uint_eq(server->connecting, 0);
        ck_assert(!server->trial);
    }
    membership_unref(members);
}
