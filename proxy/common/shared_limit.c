/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/shared_limit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

/* More than there can ever be, and so far from overflow that nothing has to be checked. */
#define NO_LIMIT (INT64_MAX / 4)

/* What a worker has taken ahead. Its own thread adds to it; all may take from it. */
struct stock {
    _Alignas(CACHE_LINE) _Atomic int64_t places;
};

struct shared_limit {
    /* Free places that are in no stock. Below zero if the limit was lowered: so many have to come back. */
    _Alignas(CACHE_LINE) _Atomic int64_t free;
    _Alignas(CACHE_LINE) _Atomic uint64_t max;
    int64_t ample; /* while so many are free, places are taken and given by way of the stocks */
    unsigned holders;
    struct stock stocks[];
};

static int64_t places_of(uint64_t max)
{
    return max == 0 || max > NO_LIMIT ? NO_LIMIT : (int64_t)max;
}

struct shared_limit *shared_limit_new(unsigned holders)
{
    size_t len = sizeof(struct shared_limit) + holders * sizeof(struct stock);
    struct shared_limit *limit = aligned_alloc(CACHE_LINE, len);
    if (limit == NULL)
        return NULL;
    memset(limit, 0, len);
    atomic_init(&limit->free, NO_LIMIT);
    limit->ample = (int64_t)holders * SHARED_LIMIT_BATCH;
    limit->holders = holders;
    return limit;
}

void shared_limit_free(struct shared_limit **limit)
{
    free(*limit);
    *limit = NULL;
}

void shared_limit_set_max(struct shared_limit *limit, uint64_t max)
{
    uint64_t before = atomic_exchange(&limit->max, max);
    atomic_fetch_add(&limit->free, places_of(max) - places_of(before));
}

uint64_t shared_limit_max(const struct shared_limit *limit)
{
    return atomic_load(&limit->max);
}

unsigned shared_limit_holders(const struct shared_limit *limit)
{
    return limit->holders;
}

/* Takes `count` of those that are there, if there are at least `least`. */
static bool take_from(_Atomic int64_t *places, int64_t count, int64_t least)
{
    int64_t seen = atomic_load(places);
    while (seen >= least)
        if (atomic_compare_exchange_weak(places, &seen, seen - count))
            return true;
    return false;
}

/* ---- many are free ---- */

static bool are_many_free(const struct shared_limit *limit)
{
    return atomic_load(&limit->free) >= limit->ample;
}

static bool take_from_stock(struct shared_limit *limit, unsigned holder)
{
    _Atomic int64_t *stock = &limit->stocks[holder].places;
    if (take_from(stock, 1, 1))
        return true;
    if (!take_from(&limit->free, SHARED_LIMIT_BATCH, limit->ample))
        return false;
    atomic_fetch_add(stock, SHARED_LIMIT_BATCH - 1);
    return true;
}

static void give_to_stock(struct shared_limit *limit, unsigned holder)
{
    _Atomic int64_t *stock = &limit->stocks[holder].places;
    atomic_fetch_add(stock, 1);
    if (take_from(stock, SHARED_LIMIT_BATCH, 2 * (int64_t)SHARED_LIMIT_BATCH))
        atomic_fetch_add(&limit->free, SHARED_LIMIT_BATCH);
}

/* ---- few are free, or none ---- */

static bool take_from_any_stock(struct shared_limit *limit)
{
    for (unsigned i = 0; i < limit->holders; i++)
        if (take_from(&limit->stocks[i].places, 1, 1))
            return true;
    return false;
}

/* The limit was lowered: what lies in stocks is owed. False if nothing does. */
static bool return_stocks(struct shared_limit *limit)
{
    int64_t returned = 0;
    for (unsigned i = 0; i < limit->holders; i++)
        returned += atomic_exchange(&limit->stocks[i].places, 0);
    atomic_fetch_add(&limit->free, returned);
    return returned > 0;
}

static bool take_one(struct shared_limit *limit)
{
    do {
        if (take_from(&limit->free, 1, 1))
            return true;
        if (atomic_load(&limit->free) == 0)
            return take_from_any_stock(limit);
    } while (return_stocks(limit));
    return false;
}

bool shared_limit_take(struct shared_limit *limit, unsigned holder)
{
    return (are_many_free(limit) && take_from_stock(limit, holder)) || take_one(limit);
}

void shared_limit_give(struct shared_limit *limit, unsigned holder)
{
    if (are_many_free(limit))
        give_to_stock(limit, holder);
    else
        atomic_fetch_add(&limit->free, 1);
}

bool shared_limit_is_full(const struct shared_limit *limit)
{
    int64_t places = atomic_load(&limit->free);
    for (unsigned i = 0; i < limit->holders && places <= 0; i++)
        places += atomic_load(&limit->stocks[i].places);
    return places <= 0;
}
