/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/balance.h"

#include "base/array.h"

static const struct balance_policy *const policies[] = {[CFG_BALANCE_ROUND_ROBIN] = &balance_round_robin};
_Static_assert(ARRAY_LEN(policies) == CFG_BALANCES, "a policy for each word of \"balance\"");

const struct balance_policy *balance_policy_of(enum cfg_balance balance)
{
    return policies[balance];
}

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

bool balance_may_choose(const struct balance_choice *choice, size_t index)
{
    return !was_tried(choice->tries, index) &&
           (choice->takes_avoided || !is_avoided(&choice->pool->servers[index], choice->now));
}

struct server *balance_next(const struct pool *pool, size_t *position, struct balance_tries *tries,
                            uint64_t now)
{
    if (pool->server_count == 0 || tries->count == BALANCE_ATTEMPTS)
        return NULL;
    struct balance_choice choice = {.pool = pool, .position = position, .tries = tries, .now = now};
    size_t index = pool->policy->choose(&choice);
    if (index == pool->server_count) {
        choice.takes_avoided = true;
        index = pool->policy->choose(&choice);
    }
    if (index == pool->server_count)
        return NULL;
    tries->tried[tries->count++] = (uint16_t)index;
    return &pool->servers[index];
}

void balance_server_failed(struct server *server, uint64_t now)
{
    atomic_store_explicit(&server->avoid_until, now + BALANCE_AVOID_MS, memory_order_relaxed);
}

void balance_server_worked(struct server *server)
{
    /* Read first: a store on every session would pull the line from core to core. */
    if (atomic_load_explicit(&server->avoid_until, memory_order_relaxed) != 0)
        atomic_store_explicit(&server->avoid_until, 0, memory_order_relaxed);
}
