/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_METRICS_POOLS_H
#define DEEPPROXY_PROXY_ADMIN_METRICS_POOLS_H

#include "proxy/admin/metrics_text.h"
#include "proxy/runtime/runtime.h"

/*
 * The metrics of pools and their servers, in the order of the configuration: a server that no pool has any
 * more is not written. There may be thousands of them, so the text is written bit by bit, between which the
 * caller does other things. All that it reads is immutable or atomic. To add one of servers: a row in
 * metrics_pools.c.
 */

/* How far the text is. All zero: nothing is written. */
struct metrics_pools_cursor {
    size_t family;
    size_t pool;
    size_t server;
    bool is_begun; /* the family */
};

enum {
    /* Servers, or pools, of a family at once: half a millisecond, as some of them have 16 lines. */
    METRICS_POOLS_STEP = 100
};

/*
 * Writes as many as METRICS_POOLS_STEP more of them. True if all are written. `runtime` is the same each
 * time.
 */
bool metrics_pools_write_some(struct metrics_text *text, const struct runtime *runtime,
                              struct metrics_pools_cursor *cursor);

#endif
