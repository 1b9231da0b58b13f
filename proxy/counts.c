/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/counts.h"

#include <stdlib.h>
#include <string.h>

enum counts_what counts_of_limit(enum overload_limit limit)
{
    return (enum counts_what)(COUNTS_OVERLOAD + limit);
}

struct counts *counts_new(void)
{
    struct counts *counts = aligned_alloc(COUNTS_LINE, sizeof *counts);
    if (counts == NULL)
        return NULL;
    memset(counts, 0, sizeof *counts);
    atomic_init(&counts->references, 1);
    return counts;
}

struct counts *counts_ref(struct counts *counts)
{
    atomic_fetch_add_explicit(&counts->references, 1, memory_order_relaxed);
    return counts;
}

void counts_unref(struct counts **counts)
{
    struct counts *last = *counts;
    *counts = NULL;
    if (last != NULL && atomic_fetch_sub_explicit(&last->references, 1, memory_order_acq_rel) == 1)
        free(last);
}

void counts_add(struct counts *counts, unsigned worker, enum counts_what what)
{
    atomic_fetch_add_explicit(&counts->shards[worker % COUNTS_SHARDS].values[what], 1, memory_order_relaxed);
}

uint64_t counts_sum(const struct counts *counts, enum counts_what what)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < COUNTS_SHARDS; i++)
        sum += atomic_load_explicit(&counts->shards[i].values[what], memory_order_relaxed);
    return sum;
}

/* The two are not read at one moment: where that shows, there was none a moment ago. */
uint64_t counts_open_sessions(const struct counts *counts)
{
    uint64_t ended = counts_sum(counts, COUNTS_ENDED);
    uint64_t begun = counts_sum(counts, COUNTS_SESSIONS);
    return begun > ended ? begun - ended : 0;
}
