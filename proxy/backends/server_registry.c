/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/server_registry.h"

#include "base/slice.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Chains of a few, with thousands of servers. */
enum { CHAINS = 1024 };

struct server_registry {
    struct refcount references;
    pthread_mutex_t mutex;
    unsigned workers;
    uint64_t last_id;
    const struct wait_queue_alarm *alarm;
    struct server_state *servers[CHAINS];
    struct pool_state *pools;
};

struct server_registry *server_registry_new(unsigned workers)
{
    struct server_registry *registry = calloc(1, sizeof *registry);
    if (registry == NULL)
        return NULL;
    refcount_init(&registry->references);
    pthread_mutex_init(&registry->mutex, NULL);
    registry->workers = workers;
    return registry;
}

struct server_registry *server_registry_ref(struct server_registry *registry)
{
    refcount_take(&registry->references);
    return registry;
}

void server_registry_unref(struct server_registry **registry)
{
    struct server_registry *freed = *registry;
    *registry = NULL;
    if (freed == NULL || !refcount_drop(&freed->references))
        return;
    for (size_t i = 0; i < CHAINS; i++)
        for (struct server_state *server; (server = freed->servers[i]) != NULL;) {
            freed->servers[i] = server->next;
            server_state_unref(&server);
        }
    for (struct pool_state *pool; (pool = freed->pools) != NULL;) {
        freed->pools = pool->next;
        pool_state_unref(&pool);
    }
    pthread_mutex_destroy(&freed->mutex);
    free(freed);
}

unsigned server_registry_workers(const struct server_registry *registry)
{
    return registry->workers;
}

void server_registry_set_alarm(struct server_registry *registry, const struct wait_queue_alarm *alarm)
{
    pthread_mutex_lock(&registry->mutex);
    registry->alarm = alarm;
    for (struct pool_state *pool = registry->pools; pool != NULL; pool = pool->next)
        wait_queue_set_alarm(pool->queue, alarm);
    pthread_mutex_unlock(&registry->mutex);
}

/* ---- finding ---- */

static bool is_same(const struct server_identity *a, const struct server_identity *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->pool, b->pool) == 0 &&
           text_is_same(a->tls_name, b->tls_name) && a->address_len == b->address_len &&
           memcmp(&a->address, &b->address, a->address_len) == 0;
}

/* How many servers of the pool have slots from 64 * `part` on: a bit for each. */
static uint64_t taken_slots(const struct server_registry *registry, const char *pool, size_t part)
{
    uint64_t taken = 0;
    for (size_t i = 0; i < CHAINS; i++)
        for (const struct server_state *at = registry->servers[i]; at != NULL; at = at->next)
            if (at->slot / 64 == part && strcmp(at->identity.pool, pool) == 0)
                taken |= (uint64_t)1 << at->slot % 64;
    return taken;
}

/* The lowest that is free. */
static size_t find_slot(const struct server_registry *registry, const char *pool)
{
    size_t part = 0;
    uint64_t taken;
    while ((taken = taken_slots(registry, pool, part)) == UINT64_MAX)
        part++;
    return part * 64 + (size_t)__builtin_ctzll(~taken);
}

/* The registry's own reference; made if it is not there. */
static struct server_state *find_server(struct server_registry *registry,
                                        const struct server_identity *identity)
{
    struct server_state **chain = &registry->servers[server_name_hash(identity->name) % CHAINS];
    struct server_state *server = *chain;
    while (server != NULL && !is_same(&server->identity, identity))
        server = server->next;
    if (server == NULL && (server = server_state_new(identity)) != NULL) {
        server->id = ++registry->last_id;
        server->slot = find_slot(registry, identity->pool);
        server->next = *chain;
        *chain = server;
    }
    return server;
}

struct server_state *server_registry_server(struct server_registry *registry,
                                            const struct server_identity *identity)
{
    pthread_mutex_lock(&registry->mutex);
    struct server_state *server = find_server(registry, identity);
    if (server != NULL)
        server_state_ref(server);
    pthread_mutex_unlock(&registry->mutex);
    return server;
}

static struct pool_state *find_pool(struct server_registry *registry, const char *name)
{
    struct pool_state *pool = registry->pools;
    while (pool != NULL && strcmp(pool->name, name) != 0)
        pool = pool->next;
    if (pool == NULL && (pool = pool_state_new(name, registry->workers, registry->alarm)) != NULL) {
        pool->next = registry->pools;
        registry->pools = pool;
    }
    return pool;
}

struct pool_state *server_registry_pool(struct server_registry *registry, const char *name)
{
    pthread_mutex_lock(&registry->mutex);
    struct pool_state *pool = find_pool(registry, name);
    if (pool != NULL)
        pool_state_ref(pool);
    pthread_mutex_unlock(&registry->mutex);
    return pool;
}

/* ---- forgetting ---- */

/* The registry alone hands out references of what nobody else has, and it is locked meanwhile. */
static bool is_forgotten(struct refcount *references)
{
    return atomic_load_explicit(&references->count, memory_order_acquire) == 1;
}

static size_t sweep_servers(struct server_state **chain)
{
    size_t left = 0;
    while (*chain != NULL) {
        struct server_state *server = *chain;
        if (is_forgotten(&server->references)) {
            *chain = server->next;
            server_state_unref(&server);
        } else {
            chain = &server->next;
            left++;
        }
    }
    return left;
}

static void sweep_pools(struct pool_state **chain)
{
    while (*chain != NULL) {
        struct pool_state *pool = *chain;
        if (is_forgotten(&pool->references)) {
            *chain = pool->next;
            pool_state_unref(&pool);
        } else {
            chain = &pool->next;
        }
    }
}

size_t server_registry_sweep(struct server_registry *registry)
{
    size_t left = 0;
    pthread_mutex_lock(&registry->mutex);
    for (size_t i = 0; i < CHAINS; i++)
        left += sweep_servers(&registry->servers[i]);
    sweep_pools(&registry->pools);
    pthread_mutex_unlock(&registry->mutex);
    return left;
}
