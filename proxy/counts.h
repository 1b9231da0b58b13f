/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COUNTS_H
#define DEEPPROXY_PROXY_COUNTS_H

#include "proxy/overload.h"

#include <stdatomic.h>
#include <stdint.h>

/*
 * What a service's clients have done since the program began. Each worker counts in a cache line of its own (from the
 * seventeenth on two share one), without a lock and without waiting for another core; who reads adds them up.
 */
enum counts_what {
    COUNTS_SESSIONS, /* begun: connections accepted, those that a limit closes at once among them */
    COUNTS_ENDED,    /* of these */
    COUNTS_HANDSHAKES,
    COUNTS_HANDSHAKES_FAILED, /* for whatever reason, a client that goes in the middle included */
    COUNTS_OVERLOAD,          /* the first of the limits', in their order */
    COUNTS = COUNTS_OVERLOAD + OVERLOAD_LIMITS
};

enum { COUNTS_SHARDS = 16, COUNTS_LINE = 64 /* octets of a cache line */ };

struct counts_shard {
    _Alignas(COUNTS_LINE) _Atomic uint64_t values[COUNTS];
};
_Static_assert(sizeof(struct counts_shard) == COUNTS_LINE, "one cache line");

struct counts {
    struct counts_shard shards[COUNTS_SHARDS];
    atomic_uint references;
};

/* Clients that the limit closed, or made wait. */
enum counts_what counts_of_limit(enum overload_limit limit);

/* NULL where memory is short. One reference is the caller's. */
struct counts *counts_new(void);
struct counts *counts_ref(struct counts *counts);
void counts_unref(struct counts **counts);

/* From the worker's thread. */
void counts_add(struct counts *counts, unsigned worker, enum counts_what what);

/* From any thread. */
uint64_t counts_sum(const struct counts *counts, enum counts_what what);

/* Sessions begun and not ended yet. */
uint64_t counts_open_sessions(const struct counts *counts);

#endif
