/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/balance.h"

static bool was_tried(const struct balance_tries *tries, size_t index)
{
    for (size_t i = 0; i < tries->count; i++)
        if (tries->tried[i] == index)
            return true;
    return false;
}

static bool is_avoided(const struct server *server, uint64_t now)
{
    return atomic_load_explicit(&server->avoid_until, memory_order_relaxed) > now;
}

/* One round from `start`: the first that was not tried and, unless `avoided_too`, did not fail a moment ago. */
static size_t find(const struct pool *pool, size_t start, const struct balance_tries *tries, uint64_t now,
                   bool avoided_too)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        size_t index = (start + i) % pool->server_count;
        if (!was_tried(tries, index) && (avoided_too || !is_avoided(&pool->servers[index], now)))
            return index;
    }
    return pool->server_count;
}

struct server *balance_next(const struct pool *pool, size_t *turn, struct balance_tries *tries, uint64_t now)
{
    if (pool->server_count == 0 || tries->count == BALANCE_ATTEMPTS)
        return NULL;
    size_t start = *turn % pool->server_count;
    size_t index = find(pool, start, tries, now, false);
    if (index == pool->server_count)
        index = find(pool, start, tries, now, true);
    if (index == pool->server_count)
        return NULL;
    *turn = index + 1;
    tries->tried[tries->count++] = (uint16_t)index;
    return &pool->servers[index];
}

void balance_server_failed(struct server *server, uint64_t now)
{
    atomic_store_explicit(&server->avoid_until, now + BALANCE_AVOID, memory_order_relaxed);
}

void balance_server_worked(struct server *server)
{
    /* Read first: a store on every session would pull the line from core to core. */
    if (atomic_load_explicit(&server->avoid_until, memory_order_relaxed) != 0)
        atomic_store_explicit(&server->avoid_until, 0, memory_order_relaxed);
}
