/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_HISTOGRAM_H
#define DEEPPROXY_PROXY_COMMON_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How often something took how long, in classes from a millisecond to half a minute, without a lock: any
 * thread adds, any thread reads. A reader may see a time in its class and not yet in the sum. It has cache
 * lines of its own, and is meant for what happens once in a session. All zero is an empty one.
 */
enum {
    HISTOGRAM_BOUNDS = 13,
    HISTOGRAM_CLASSES = HISTOGRAM_BOUNDS + 1 /* the last one has no bound */
};

/* The upper bounds of the classes, which belong to them; in milliseconds. */
extern const uint32_t histogram_bounds_ms[HISTOGRAM_BOUNDS];

struct histogram {
    _Alignas(64) _Atomic uint64_t classes[HISTOGRAM_CLASSES];
    _Atomic uint64_t sum_ms;
};

/* Adds a time. */
void histogram_add(struct histogram *histogram, uint64_t ms);

#endif
