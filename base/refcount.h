/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_REFCOUNT_H
#define DEEPPROXY_BASE_REFCOUNT_H

#include <stdatomic.h>
#include <stdbool.h>

/*
 * How many owners an object has. The object embeds a refcount and frees itself when refcount_drop returns
 * true. Any thread may take a further reference of an object that it has one of, and drop it; nothing else
 * here is synchronised.
 *
 *     void thing_unref(struct thing **thing)
 *     {
 *         struct thing *dropped = *thing;
 *         *thing = NULL;
 *         if (dropped != NULL && refcount_drop(&dropped->references))
 *             free(dropped);
 *     }
 */
struct refcount {
    atomic_uint count;
};

/* Call when the object is made: its maker has one reference. */
static inline void refcount_init(struct refcount *references)
{
    atomic_init(&references->count, 1);
}

/* Adds a reference. The caller has one already, so that the object can't be freed meanwhile. */
static inline void refcount_take(struct refcount *references)
{
    atomic_fetch_add_explicit(&references->count, 1, memory_order_relaxed);
}

/*
 * Drops one of the caller's references. True if it was the last: the caller frees the object, and sees all
 * that was done to it.
 */
static inline bool refcount_drop(struct refcount *references)
{
    return atomic_fetch_sub_explicit(&references->count, 1, memory_order_acq_rel) == 1;
}

#endif
