/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_SHARED_LIMIT_H
#define DEEPPROXY_PROXY_COMMON_SHARED_LIMIT_H

#include "base/must_check.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * How many of something all workers together may have: one count of places. A worker takes a place and gives
 * it back, without a lock and without waiting.
 *
 * While many places are free, each worker takes and gives them from a stock of its own, of a cache line of
 * its own, which it fills and empties by SHARED_LIMIT_BATCH: workers then write no line that another one
 * uses. When fewer are free than all stocks could hold, places are taken and given one by one, and those that
 * still lie in a stock can be taken by all.
 *
 * There are never more places taken than the limit, except for those that were taken before it was lowered. A
 * place that is free is found, wherever it was given back, with one exception: a worker that the kernel stops
 * in the middle of a batch hides the places of that batch for so long. That takes many more free places than
 * a batch has, so that it is of no consequence unless others take all of these meanwhile.
 */
struct shared_limit;

enum {
    /*
     * A worker writes the common line once for so many places; and so many for each worker are taken one by
     * one before a limit is reached.
     */
    SHARED_LIMIT_BATCH = 16
};

/* For `holders` workers; there is no limit until shared_limit_set_max. NULL if memory is short. */
MUST_CHECK struct shared_limit *shared_limit_new(unsigned holders);

/* Frees it, and nulls the pointer, which may be NULL already. No worker uses it any longer. */
void shared_limit_free(struct shared_limit **limit);

/*
 * Sets how many places there are; 0 is no limit. Those that are taken stay so, and count. From one thread,
 * the main thread; workers may take and give places meanwhile.
 */
void shared_limit_set_max(struct shared_limit *limit, uint64_t max);

/* What was set last: 0 is no limit. From any thread. */
uint64_t shared_limit_max(const struct shared_limit *limit);

/* How many workers it is for. */
unsigned shared_limit_holders(const struct shared_limit *limit);

/*
 * Takes a place for the worker with index `holder`, in whose thread it is called. False if none is free. The
 * caller gives each place back once, by shared_limit_give.
 */
MUST_CHECK bool shared_limit_take(struct shared_limit *limit, unsigned holder);

/* Gives back a place that any worker has taken. In the thread of the worker with index `holder`. */
void shared_limit_give(struct shared_limit *limit, unsigned holder);

/* Is no place free? From any thread; another one may take or give one at the same moment. */
bool shared_limit_is_full(const struct shared_limit *limit);

#endif
