/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_COUNTERS_H
#define DEEPPROXY_PROXY_RUNTIME_COUNTERS_H

#include "proxy/common/client_limit.h"

#include <stdatomic.h>
#include <stdint.h>

/*
 * What a service's clients have done since the program began. Each worker counts in a cache line of its own (from the
 * seventeenth on two share one), without a lock and without waiting for another core; who reads adds them up.
 */
enum counter {
    COUNTER_SESSIONS, /* begun: connections accepted, those that a limit closes at once among them */
    COUNTER_ENDED,    /* of these */
    COUNTER_HANDSHAKES,
    COUNTER_HANDSHAKES_FAILED, /* for whatever reason, a client that goes in the middle included */
    COUNTER_LIMITS,            /* the first of the limits', in their order */
    COUNTER_COUNT = COUNTER_LIMITS + CLIENT_LIMITS
};

enum { COUNTERS_SHARDS = 16, COUNTERS_LINE = 64 /* octets of a cache line */ };

struct counters_shard {
    _Alignas(COUNTERS_LINE) _Atomic uint64_t values[COUNTER_COUNT];
};
_Static_assert(sizeof(struct counters_shard) == COUNTERS_LINE, "one cache line");

struct counters {
    struct counters_shard shards[COUNTERS_SHARDS];
    atomic_uint references;
};

/* Clients that the limit closed, or made wait. */
enum counter counters_of_limit(enum client_limit limit);

/* NULL where memory is short. One reference is the caller's. */
struct counters *counters_new(void);
struct counters *counters_ref(struct counters *counters);
void counters_unref(struct counters **counters);

/* From the worker's thread. */
void counters_add(struct counters *counters, unsigned worker, enum counter what);

/* From any thread. */
uint64_t counters_sum(const struct counters *counters, enum counter what);

/* Sessions begun and not ended yet. */
uint64_t counters_open_sessions(const struct counters *counters);

#endif
