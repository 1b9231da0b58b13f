/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/pool_resolve.h"

#include "base/array.h"
#include "proxy/common/address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a pool is made of: its members, until all of them are there. */
struct making {
    const struct cfg_pool *cfg;
    struct server_registry *registry;
    const struct membership *previous;
    struct cfg_problems *problems;
    struct member *members;
    size_t count;
    size_t cap;
};

static bool add_server(struct making *making, size_t line, const struct sockaddr *address, socklen_t len,
                       const char *name)
{
    const struct cfg_pool *cfg = making->cfg;
    const struct cfg_server *line_of = &cfg->servers[line];
    struct server_identity identity = {.pool = cfg->name, .name = name, .address_len = len};
    struct member *members =
        array_make_room(making->members, making->count, &making->cap, sizeof making->members[0]);
    if (members == NULL)
        return false;
    making->members = members;
    if (cfg->tls.mode != CFG_POOL_TLS_NONE)
        identity.tls_name = cfg->tls.server_names[line];
    memcpy(&identity.address, address, len);
    struct server_state *server = server_registry_server(making->registry, &identity);
    if (server == NULL)
        return false;
    members[making->count++] = (struct member){.server = server,
                                               .is_backup = line_of->is_backup,
                                               .rules = {.weight = line_of->weight,
                                                         .max_connections = line_of->max_connections,
                                                         .rise = cfg->check.rise,
                                                         .fall = cfg->check.fall,
                                                         .slow_start_ms = cfg->slow_start_ms,
                                                         .is_checked = cfg->check.is_on}};
    return true;
}

/* The addresses that a name had when it was last resolved. How many. */
static size_t add_known(struct making *making, size_t line)
{
    const char *name = making->cfg->servers[line].name;
    const struct membership *previous = making->previous;
    size_t count = 0;
    size_t len = strlen(name);
    for (size_t i = 0; previous != NULL && i < previous->count; i++) {
        const struct server_identity *known = &previous->members[i].server->identity;
        if (strncmp(known->name, name, len) == 0 && known->name[len] == '@')
            count += add_server(making, line, (const struct sockaddr *)&known->address, known->address_len,
                                known->name);
    }
    return count;
}

static bool add_unresolved(struct making *making, size_t line, const char *error)
{
    const struct cfg_endpoint *endpoint = &making->cfg->servers[line].address;
    bool known = add_known(making, line) > 0;
    cfg_problems_add(making->problems, known ? CFG_WARNING : CFG_ERROR, endpoint->place,
                     "the server's name \"%s\" can't be resolved: %s; %s", endpoint->host, error,
                     known ? "the addresses that it had before are used"
                           : "give its address, or mend the name service");
    return known;
}

/* Every address that the resolver has for a name. */
static bool resolve_server(struct making *making, size_t line)
{
    const struct cfg_endpoint *endpoint = &making->cfg->servers[line].address;
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    snprintf(port, sizeof port, "%u", endpoint->port);
    int error = getaddrinfo(endpoint->host, port, &hints, &found);
    if (error != 0)
        return add_unresolved(making, line, gai_strerror(error));
    bool ok = true;
    for (const struct addrinfo *a = found; a != NULL && ok; a = a->ai_next) {
        char address[ADDRESS_TEXT_MAX];
        char name[ADDRESS_TEXT_MAX + 300];
        address_format(a->ai_addr, address);
        snprintf(name, sizeof name, "%.255s@%s", making->cfg->servers[line].name, address);
        ok = add_server(making, line, a->ai_addr, a->ai_addrlen, name);
    }
    freeaddrinfo(found);
    return ok;
}

/* Takes over the members' references, or drops them. NULL if memory is short. */
static struct membership *make_list(struct making *making)
{
    struct pool_state *state = server_registry_pool(making->registry, making->cfg->name);
    struct membership *list =
        state != NULL ? membership_new(state, making->count, server_registry_workers(making->registry))
                      : NULL;
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

struct membership *pool_resolve(const struct cfg_pool *cfg, struct server_registry *registry,
                                const struct membership *previous, struct cfg_problems *problems)
{
    struct making making = {.cfg = cfg, .registry = registry, .previous = previous, .problems = problems};
    bool ok = true;
    for (size_t i = 0; i < cfg->server_count; i++) {
        const struct cfg_endpoint *endpoint = &cfg->servers[i].address;
        bool added = endpoint->address_len > 0
                         ? add_server(&making, i, (const struct sockaddr *)&endpoint->address,
                                      endpoint->address_len, cfg->servers[i].name)
                         : resolve_server(&making, i);
        ok = added && ok;
    }
    struct membership *list = make_list(&making);
    if (!ok && list != NULL)
        membership_unref(&list);
    return list;
}
