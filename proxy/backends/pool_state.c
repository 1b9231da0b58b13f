/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/pool_state.h"

#include <stdlib.h>
#include <string.h>

struct pool_state *pool_state_new(const char *name, unsigned workers, const struct wait_queue_alarm *alarm)
{
    struct pool_state *pool = aligned_alloc(_Alignof(struct pool_state), sizeof *pool);
    if (pool == NULL)
        return NULL;
    memset(pool, 0, sizeof *pool);
    refcount_init(&pool->references);
    pool->name = strdup(name);
    pool->queue = wait_queue_new(workers, alarm);
    if (pool->name == NULL || pool->queue == NULL)
        pool_state_unref(&pool);
    return pool;
}

struct pool_state *pool_state_ref(struct pool_state *pool)
{
    refcount_take(&pool->references);
    return pool;
}

void pool_state_unref(struct pool_state **pool)
{
    struct pool_state *dropped = *pool;
    *pool = NULL;
    if (dropped == NULL || !refcount_drop(&dropped->references))
        return;
    wait_queue_free(&dropped->queue);
    free(dropped->name);
    free(dropped);
}

void pool_state_greeted(struct pool_state *pool, uint64_t us)
{
    uint64_t usual = atomic_load_explicit(&pool->greeting_us, memory_order_relaxed);
    uint64_t sample = us < UINT32_MAX / 2 ? us : UINT32_MAX / 2;
    uint64_t mean = usual == 0 ? sample : (usual * 7 + sample) / 8;
    mean = mean > 0 ? mean : 1;
    /* Workers would pull the line from core to core for what makes no difference. */
    uint64_t change = mean > usual ? mean - usual : usual - mean;
    if (change > usual / 64)
        atomic_store_explicit(&pool->greeting_us, (uint32_t)mean, memory_order_relaxed);
}

uint64_t pool_state_silence_ms(const struct pool_state *pool, uint64_t least_ms)
{
    uint64_t usual = atomic_load_explicit(&pool->greeting_us, memory_order_relaxed);
    uint64_t limit = usual * POOL_GREETING_TIMES / 1000;
    return limit > least_ms ? limit : least_ms;
}

uint64_t pool_state_greeting_limit_ms(const struct pool_state *pool, bool is_trial)
{
    uint64_t usual = atomic_load_explicit(&pool->greeting_us, memory_order_relaxed);
    uint64_t limit = usual * POOL_GREETING_TIMES / 1000;
    if (usual == 0 && !is_trial)
        limit = POOL_GREETING_UNKNOWN_MS;
    if (limit < POOL_GREETING_LEAST_MS)
        limit = POOL_GREETING_LEAST_MS;
    return is_trial ? limit / 2 : limit;
}

bool pool_state_may_tell_down(struct pool_state *pool, uint64_t now_ms)
{
    uint64_t told = atomic_load(&pool->told_down_ms);
    return (told == 0 || now_ms - told >= POOL_TELL_DOWN_MS) &&
           atomic_compare_exchange_strong(&pool->told_down_ms, &told, now_ms);
}
