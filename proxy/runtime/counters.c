/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/counters.h"

#include <stdlib.h>
#include <string.h>

enum counter counters_of_limit(enum client_limit limit)
{
    return (enum counter)(COUNTER_LIMITS + limit);
}

struct counters *counters_new(void)
{
    struct counters *counters = aligned_alloc(COUNTERS_LINE, sizeof *counters);
    if (counters == NULL)
        return NULL;
    memset(counters, 0, sizeof *counters);
    atomic_init(&counters->references, 1);
    return counters;
}

struct counters *counters_ref(struct counters *counters)
{
    atomic_fetch_add_explicit(&counters->references, 1, memory_order_relaxed);
    return counters;
}

void counters_unref(struct counters **counters)
{
    struct counters *last = *counters;
    *counters = NULL;
    if (last != NULL && atomic_fetch_sub_explicit(&last->references, 1, memory_order_acq_rel) == 1)
        free(last);
}

void counters_add(struct counters *counters, unsigned worker, enum counter what)
{
    atomic_fetch_add_explicit(&counters->shards[worker % COUNTERS_SHARDS].values[what], 1,
                              memory_order_relaxed);
}

uint64_t counters_sum(const struct counters *counters, enum counter what)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < COUNTERS_SHARDS; i++)
        sum += atomic_load_explicit(&counters->shards[i].values[what], memory_order_relaxed);
    return sum;
}

/* The two are not read at one moment: where that shows, there was none a moment ago. */
uint64_t counters_open_sessions(const struct counters *counters)
{
    uint64_t ended = counters_sum(counters, COUNTER_ENDED);
    uint64_t begun = counters_sum(counters, COUNTER_SESSIONS);
    return begun > ended ? begun - ended : 0;
}
