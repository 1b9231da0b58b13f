/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_POOL_STATE_H
#define DEEPPROXY_PROXY_BACKENDS_POOL_STATE_H

#include "base/must_check.h"
#include "base/refcount.h"
#include "proxy/backends/wait_queue.h"
#include "proxy/common/histogram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What is known of one pool, apart from the configuration: who waits for it, how long its servers take to
 * greet, and if it is in panic. Counted by reference, known by its name, living through reloads
 * (server_registry.h). It has no lock and no clock.
 */
struct pool_state {
    char *name;              /* written when it is made */
    struct pool_state *next; /* the registry's */
    struct refcount references;
    struct wait_queue *queue;
    /* The control thread writes it (ejection.h): failures are so many that not all of them eject a server. */
    _Alignas(64) _Atomic bool panic;
    /* Workers write. */
    _Alignas(64) _Atomic uint32_t greeting_us; /* usual time from connecting to greeting; 0: not known */
    _Atomic uint64_t told_down_ms;             /* when the log last had that none of its servers is left */
    /* Likewise, of the sessions that wait in the queue. */
    struct histogram waits;          /* how long they did, with success or without */
    _Atomic uint64_t queue_full;     /* that found it full */
    _Atomic uint64_t queue_unserved; /* whose time there was over, or for which no server was left */
};

enum {
    POOL_GREETING_LEAST_MS = 1000, /* the shortest limit for a greeting while another server is left */
    POOL_GREETING_TIMES = 4,       /* that limit in usual times */
    /* That limit until a server has greeted: some wait for seconds first, on purpose. */
    POOL_GREETING_UNKNOWN_MS = 10000,
    POOL_TELL_DOWN_MS = 1000
};

/* Copies the name. NULL if memory is short. One reference is the caller's. */
MUST_CHECK struct pool_state *pool_state_new(const char *name, unsigned workers,
                                             const struct wait_queue_alarm *alarm);

/* Adds a reference, and returns its argument. */
struct pool_state *pool_state_ref(struct pool_state *pool);

/* Drops a reference, and nulls the pointer, which may be NULL already. */
void pool_state_unref(struct pool_state **pool);

/* A server has greeted so long after its connection was begun. Any worker. */
void pool_state_greeted(struct pool_state *pool, uint64_t us);

/*
 * How long a session waits for a greeting while another server is left: the larger of 1 s and four times the
 * usual time, and half of that if the server is suspected (`is_trial`).
 */
uint64_t pool_state_greeting_limit_ms(const struct pool_state *pool, bool is_trial);

/*
 * For how long a server is silent as usual: if a client leaves before that, it says nothing of the server.
 * Four times the usual time, and `least_ms` at least.
 */
uint64_t pool_state_silence_ms(const struct pool_state *pool, uint64_t least_ms);

/* May the log have now that no server of this pool is left? True at most once a second, over all workers. */
bool pool_state_may_tell_down(struct pool_state *pool, uint64_t now_ms);

#endif
