/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/pool_resolve.h"

#include "base/slice.h"
#include "proxy/backends/balance.h"
#include "proxy/common/address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct server *find_same_server(const struct pool *previous, const struct server *server)
{
    for (size_t i = 0; previous != NULL && i < previous->server_count; i++) {
        const struct server *other = &previous->servers[i];
        if (strcmp(other->name, server->name) == 0 && other->address_len == server->address_len &&
            memcmp(&other->address, &server->address, server->address_len) == 0)
            return other;
    }
    return NULL;
}

/* A reload forgets nothing of a server's health. */
static void inherit_health(struct server *server, const struct pool *previous)
{
    const struct server *known = find_same_server(previous, server);
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
    inherit_health(server, previous);
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

bool pool_resolve(struct pool *pool, const struct cfg_pool *cfg, const struct pool *previous,
                  struct cfg_problems *problems)
{
    bool ok = true;
    pool->cfg = cfg;
    pool->policy = balance_policy_of(cfg->balance);
    for (size_t i = 0; i < cfg->server_count; i++) {
        const struct cfg_endpoint *endpoint = &cfg->servers[i];
        size_t first = pool->server_count;
        if (endpoint->address_len > 0)
            ok = add_server(pool, (const struct sockaddr *)&endpoint->address, endpoint->address_len,
                            endpoint->text, previous) &&
                 ok;
        else
            ok = resolve_server(pool, endpoint, previous, problems) && ok;
        for (size_t j = first; cfg->tls.mode != CFG_POOL_TLS_NONE && j < pool->server_count; j++)
            pool->servers[j].tls_name = cfg->tls.server_names[i];
    }
    return ok;
}

static bool is_same_server(const struct server *a, const struct server *b)
{
    return strcmp(a->name, b->name) == 0 && text_is_same(a->tls_name, b->tls_name) &&
           a->address_len == b->address_len && memcmp(&a->address, &b->address, a->address_len) == 0;
}

bool pool_has_same_servers(const struct pool *a, const struct pool *b)
{
    bool same = a->server_count == b->server_count;
    for (size_t i = 0; same && i < a->server_count; i++)
        same = is_same_server(&a->servers[i], &b->servers[i]);
    return same;
}

void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < pool->server_count; i++)
        free(pool->servers[i].name);
    free(pool->servers);
    *pool = (struct pool){0};
}
