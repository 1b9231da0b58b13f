/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_COUNTERS_H
#define DEEPPROXY_PROXY_RUNTIME_COUNTERS_H

#include "base/refcount.h"
#include "proxy/common/client_limit.h"

#include <stdint.h>

/*
 * Counts what the clients of a service have done since the program began. Each worker counts in cache lines
 * of its own (from the seventeenth worker on two share them), without a lock and without waiting for another
 * core; a reader adds them up. A new counter is an enumerator here and a row in counters.c, which is its
 * metric. The manual page names each metric.
 */
enum counter {
    /* Sessions begun: connections accepted, and those too that a limit closes at once. */
    COUNTER_SESSIONS,
    /* Of these sessions, those that have ended. */
    COUNTER_ENDED,
    COUNTER_HANDSHAKES,
    /* For whatever reason, a client that disconnects during the handshake included. */
    COUNTER_HANDSHAKES_FAILED,
    /* One for each limit: clients that it closed, or made wait. See counters_of_limit. */
    COUNTER_LIMIT_CONNECTIONS,
    COUNTER_LIMIT_OPEN_FILES,
    COUNTER_LIMIT_CONNECTIONS_PER_ADDRESS,
    COUNTER_LIMIT_HANDSHAKES,
    COUNTER_LIMIT_HANDSHAKES_PER_ADDRESS,
    /* Attempts to accept that failed for want of descriptors or memory. */
    COUNTER_ACCEPT_FAILED,
    COUNTERS
};

/* How a counter is shown as a metric. */
struct counter_metric {
    /* The family, for Prometheus and the manual page; NULL: the counter is not shown by itself. */
    const char *family;
    /* The family's help text: the same for each counter of a family. */
    const char *help;
    /*
     * Does it count for one limit? Its samples then have a label "limit", whose value is the name of `limit`.
     */
    bool is_of_limit;
    enum client_limit limit;
};

/* By counter. Counters of one family are neighbours. */
extern const struct counter_metric counter_metrics[COUNTERS];

enum { COUNTERS_SHARDS = 16, COUNTERS_LINE = 64 /* octets of a cache line */ };

/* What one worker counts: as many whole cache lines as it takes. */
struct counters_shard {
    _Alignas(COUNTERS_LINE) _Atomic uint64_t values[COUNTERS];
};

struct counters {
    struct counters_shard shards[COUNTERS_SHARDS];
    struct refcount references;
};

/* The counter of the clients that the limit closed, or made wait. */
enum counter counters_of_limit(enum client_limit limit);

/* NULL if memory is short. One reference is the caller's. */
struct counters *counters_new(void);

/* Adds a reference, and returns its argument. */
struct counters *counters_ref(struct counters *counters);

/*
 * Drops a reference, and nulls the pointer, which may be NULL already. The last reference frees the counters.
 */
void counters_unref(struct counters **counters);

/* Adds one. Call it in the thread of the worker with this index. */
void counters_add(struct counters *counters, unsigned worker, enum counter what);

/* The sum of all workers, from any thread. */
uint64_t counters_sum(const struct counters *counters, enum counter what);

/* How many sessions have begun and not ended, from any thread. */
uint64_t counters_open_sessions(const struct counters *counters);

#endif
