/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_servers.h"

#include "config/cfg_endpoint.h"
#include "config/cfg_pools.h"
#include "config/cfg_syntax.h"

#include <string.h>

#define SECONDS ((uint64_t)1000)
#define HOURS   (3600 * SECONDS)

enum { CONNECTIONS_MAX = 1000000 };

static const char example[] = "servers = ( { address = \"10.0.0.11:143\"; } )";

/* ---- one server ---- */

/* Log, metrics and control know a server by its name: two of a pool can't have the same. */
static bool check_name(struct cfg_loader *loader, const struct cfg_pool *pool,
                       const struct cfg_server *server)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        const struct cfg_server *other = &pool->servers[i];
        if (strcmp(other->name, server->name) != 0)
            continue;
        CFG_FAIL(
            loader, server->place,
            "another server of this pool is called \"%s\" already, in %s:%u: give this one a \"name\" of "
            "its own%s",
            server->name, other->place.file, other->place.line,
            cfg_endpoint_equals(&other->address, &server->address)
                ? ", or the other one a \"weight\" in place of two lines"
                : "");
        return false;
    }
    return true;
}

static void warn_of_twin(struct cfg_loader *loader, const struct cfg_pool *pool,
                         const struct cfg_server *server)
{
    for (size_t i = 0; i < pool->server_count; i++)
        if (cfg_endpoint_equals(&pool->servers[i].address, &server->address))
            cfg_problems_add(loader->problems, CFG_WARNING, server->address.place,
                             "\"%s\" is there twice in this pool, first in %s:%u", server->address.text,
                             pool->servers[i].address.place.file, pool->servers[i].address.place.line);
}

static bool read_address(struct cfg_reader *reader, struct cfg_server *server)
{
    char *text;
    return cfg_reader_require(reader, "address", "a host and a port: \"10.0.0.11:143\"") &&
           cfg_read_string(reader, "address", "10.0.0.11:143", &text) &&
           cfg_endpoint_read(reader->loader, CFG_ENDPOINT_SERVER,
                             (struct cfg_item){text, cfg_reader_place(reader, "address")}, &server->address);
}

static void read_server(struct cfg_loader *loader, config_setting_t *group, struct cfg_pool *pool)
{
    struct cfg_reader reader;
    struct cfg_server *server = &pool->servers[pool->server_count];
    *server = (struct cfg_server){.weight = 1, .place = cfg_tree_place(group)};
    cfg_reader_open(&reader, loader, group, "a server");
    bool ok = read_address(&reader, server);
    cfg_read_name(&reader, "s1", &server->name);
    cfg_read_number(&reader, "weight", 0, CFG_WEIGHT_MAX, &server->weight);
    cfg_read_number(&reader, "max_connections", 0, CONNECTIONS_MAX, &server->max_connections);
    cfg_read_switch(&reader, "backup", &server->is_backup);
    cfg_reader_close(&reader);
    if (!ok)
        return;
    if (server->name == NULL)
        server->name = server->address.text;
    if (!check_name(loader, pool, server))
        return;
    warn_of_twin(loader, pool, server);
    pool->server_count++;
}

/* ---- all servers ---- */

/* A pool of which no server could ever get a session. */
static void check_shares(struct cfg_reader *reader, const struct cfg_pool *pool)
{
    bool has_weight = false;
    bool has_regular = false;
    for (size_t i = 0; i < pool->server_count; i++) {
        has_weight = has_weight || pool->servers[i].weight > 0;
        has_regular = has_regular || !pool->servers[i].is_backup;
    }
    struct cfg_place place = cfg_reader_place(reader, "servers");
    if (!has_weight)
        CFG_FAIL(reader->loader, place,
                 "weight = 0 for each server of the pool \"%s\": none would ever get a session; expected a "
                 "weight from 1 to %d for one of them at least",
                 pool->name != NULL ? pool->name : "", CFG_WEIGHT_MAX);
    if (!has_regular)
        CFG_FAIL(reader->loader, place,
                 "backup = true for each server of the pool \"%s\": a backup stands in for others, expected "
                 "one of them without it",
                 pool->name != NULL ? pool->name : "");
}

static void read_servers(struct cfg_reader *reader, struct cfg_pool *pool)
{
    config_setting_t *list;
    if (!cfg_reader_require(reader, "servers", example))
        return;
    size_t count = cfg_read_groups(reader, "servers", example, &list);
    pool->servers = cfg_arena_alloc(reader->loader->arena, count, sizeof *pool->servers);
    for (unsigned i = 0; i < count; i++)
        read_server(reader->loader, config_setting_get_elem(list, i), pool);
    if (pool->server_count > 0)
        check_shares(reader, pool);
}

static void read_sources(struct cfg_reader *reader, struct cfg_pool *pool)
{
    struct cfg_item *items;
    size_t count = cfg_read_one_or_more(reader, "source", "10.0.0.5", &items);
    pool->sources = cfg_arena_alloc(reader->loader->arena, count, sizeof *pool->sources);
    for (size_t i = 0; i < count; i++)
        if (cfg_endpoint_read(reader->loader, CFG_ENDPOINT_SOURCE, items[i],
                              &pool->sources[pool->source_count]))
            pool->source_count++;
}

void cfg_servers_read(struct cfg_reader *pool_reader, struct cfg_pool *pool)
{
    pool->resolve_ms = 10 * SECONDS;
    pool->hold_ms = HOURS;
    read_servers(pool_reader, pool);
    cfg_read_duration(pool_reader, "resolve", SECONDS, HOURS, &pool->resolve_ms);
    cfg_read_duration(pool_reader, "hold", 0, 7 * 24 * HOURS, &pool->hold_ms);
    read_sources(pool_reader, pool);
}
