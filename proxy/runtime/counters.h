/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_COUNTERS_H
#define DEEPPROXY_PROXY_RUNTIME_COUNTERS_H

#include "base/refcount.h"
#include "proxy/common/client_limit.h"
#include "proxy/common/log.h"
#include "proxy/common/refusal.h"
#include "tls/endpoint/tls_usage.h"

#include <stdint.h>

/*
 * Counts what the clients of a service have done since the program began. Each worker counts in cache lines
 * of its own (from the seventeenth worker on two share them), without a lock and without waiting for another
 * core; a reader adds them up. A new counter is an enumerator here and a row in counters.c, which is its
 * metric. The manual page names each metric. How many counters there are is known when the program is built:
 * no peer makes a new one.
 */
enum counter {
    /* Sessions begun: connections accepted, and those too that a limit closes at once. */
    COUNTER_SESSIONS,
    /* Of these sessions, those that have ended. */
    COUNTER_ENDED,
    COUNTER_HANDSHAKES,
    /* One for each reason: handshakes that were not completed. See counters_of_failure. */
    COUNTER_FAILED,
    /* The client took too long, or others were waiting for its place. */
    COUNTER_FAILED_TIMEOUT = COUNTER_FAILED + TLS_FAILURES - 1,
    /* Connections whose client has ended them, or was cut off, without having sent an octet. */
    COUNTER_SILENT,
    /* Sessions of health checks that are known. */
    COUNTER_PROBES,
    /* One for each limit: clients that it closed, or made wait. See counters_of_limit. */
    COUNTER_LIMITS,
    /* One for each reason: connections that were refused. See counters_of_refusal. */
    COUNTER_REFUSED = COUNTER_LIMITS + CLIENT_LIMITS,
    /* Attempts to accept that failed for want of descriptors or memory. */
    COUNTER_ACCEPT_FAILED = COUNTER_REFUSED + REFUSALS,
    /* One for each version, cipher suite and group of completed handshakes. See counters_add_usage. */
    COUNTER_TLS_VERSIONS,
    COUNTER_TLS_CIPHERS = COUNTER_TLS_VERSIONS + TLS_USAGE_VERSIONS,
    COUNTER_TLS_GROUPS = COUNTER_TLS_CIPHERS + TLS_USAGE_CIPHERS,
    COUNTERS = COUNTER_TLS_GROUPS + TLS_USAGE_GROUPS
};

/* Counters that are one metric. */
struct counter_family {
    const char *name; /* for Prometheus and the manual page */
    const char *help;
    enum counter first;
    size_t count;
    /* The label that tells its counters apart; NULL: there is one counter. */
    const char *label;
    /* The label's value for `first` + `index`; static. */
    const char *(*value)(size_t index);
};

enum { COUNTER_FAMILIES = 11 };
extern const struct counter_family counter_families[COUNTER_FAMILIES];

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

/* The counter of the connections that were refused so. */
enum counter counters_of_refusal(enum refusal refusal);

/* The counter of the handshakes that have failed so: any failure but TLS_FAILURE_NONE. */
enum counter counters_of_failure(enum tls_failure failure);

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

/* Adds a completed handshake to the counters of its version, cipher suite and group, likewise. */
void counters_add_usage(struct counters *counters, unsigned worker, struct tls_usage usage);

/* The sum of all workers, from any thread. */
uint64_t counters_sum(const struct counters *counters, enum counter what);

/*
 * Logs how many sessions of the service there have been without a line of their own at level info; nothing if
 * there were none.
 */
void counters_log_unlogged(const struct counters *counters, const char *service, struct log *log);

/* How many sessions have begun and not ended, from any thread. */
uint64_t counters_open_sessions(const struct counters *counters);

#endif
