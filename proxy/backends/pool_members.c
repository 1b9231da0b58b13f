/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/pool_members.h"

#include "base/array.h"
#include "proxy/common/address.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_NAME_MAX_LEN = 253 + 7 /* a dot at the end, and a port */ };

/* What a pool is made of: its members, until all of them are there. */
struct making {
    const struct cfg_pool *cfg;
    struct server_registry *registry;
    struct member *members;
    size_t count;
    size_t cap;
};

static struct server_rules rules_of(const struct cfg_pool *pool, const struct cfg_server *server)
{
    return (struct server_rules){.weight = server->weight,
                                 .max_connections = server->max_connections,
                                 .rise = pool->check.rise,
                                 .fall = pool->check.fall,
                                 .slow_start_ms = pool->slow_start_ms,
                                 .is_checked = pool->check.is_on};
}

static bool add(struct making *making, size_t line, const char *name, const struct sockaddr_storage *address,
                socklen_t len)
{
    const struct cfg_pool *pool = making->cfg;
    const struct cfg_server *from = &pool->servers[line];
    struct server_identity identity = {
        .pool = pool->name, .name = name, .address = *address, .address_len = len};
    struct member *members =
        array_make_room(making->members, making->count, &making->cap, sizeof making->members[0]);
    if (members == NULL)
        return false;
    making->members = members;
    if (pool->tls.mode != CFG_POOL_TLS_NONE)
        identity.tls_name = pool->tls.server_names[line];
    struct server_state *server = server_registry_server(making->registry, &identity);
    if (server == NULL)
        return false;
    members[making->count++] =
        (struct member){.server = server, .rules = rules_of(pool, from), .is_backup = from->is_backup};
    return true;
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
}

static bool add_one(struct making *making, size_t line, struct sockaddr_storage *address, socklen_t len)
{
    const struct cfg_server *server = &making->cfg->servers[line];
    char text[ADDRESS_TEXT_MAX];
    char name[HOST_NAME_MAX_LEN + ADDRESS_TEXT_MAX + 2];
    set_port(address, server->address.port);
    address_format((const struct sockaddr *)address, text);
    snprintf(name, sizeof name, "%.*s@%s", HOST_NAME_MAX_LEN, server->name, text);
    return add(making, line, name, address, len);
}

/* Every address that is known of a name; or one server that stands for it. */
static bool add_host(struct making *making, size_t line, const struct known_addresses *known)
{
    const struct cfg_server *server = &making->cfg->servers[line];
    struct sockaddr_storage address = {0};
    size_t count = 0;
    bool ok = true;
    socklen_t len;
    while (ok && (len = known->get(known->arg, server->address.host, count, &address)) > 0) {
        ok = add_one(making, line, &address, len);
        memset(&address, 0, sizeof address);
        count++;
    }
    return ok && (count > 0 || add(making, line, server->name, &address, 0));
}

/* Takes over the members' references, or drops them. NULL if memory is short. */
static struct membership *make_list(struct making *making, bool ok)
{
    struct pool_state *state = server_registry_pool(making->registry, making->cfg->name);
    struct membership *list = NULL;
    if (ok && state != NULL)
        list = membership_new(state, making->count, server_registry_workers(making->registry));
    for (size_t i = 0; i < making->count; i++) {
        struct member *member = &making->members[i];
        if (list != NULL)
            membership_add(list, member->server, &member->rules, member->is_backup);
        else
            server_state_unref(&member->server);
    }
    pool_state_unref(&state);
    free(making->members);
    return list;
}

struct membership *pool_members_make(const struct cfg_pool *cfg, struct server_registry *registry,
                                     const struct known_addresses *known)
{
    struct making making = {.cfg = cfg, .registry = registry};
    bool ok = true;
    for (size_t i = 0; i < cfg->server_count && ok; i++) {
        const struct cfg_endpoint *endpoint = &cfg->servers[i].address;
        ok = endpoint->address_len > 0
                 ? add(&making, i, cfg->servers[i].name, &endpoint->address, endpoint->address_len)
                 : add_host(&making, i, known);
    }
    return make_list(&making, ok);
}

struct member_lists *pool_members_make_all(const struct cfg *cfg, struct server_registry *registry,
                                           const struct known_addresses *known)
{
    struct member_lists *lists = member_lists_new(cfg->pool_count);
    bool ok = lists != NULL;
    for (size_t i = 0; ok && i < cfg->pool_count; i++) {
        lists->lists[i] = pool_members_make(&cfg->pools[i], registry, known);
        ok = lists->lists[i] != NULL;
    }
    if (!ok)
        member_lists_unref(&lists);
    return lists;
}
