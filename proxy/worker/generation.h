/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_GENERATION_H
#define DEEPPROXY_PROXY_WORKER_GENERATION_H

#include "proxy/common/deadlines.h"
#include "proxy/runtime/snapshot.h"

/*
 * What the sessions of one worker have in common that began under the same snapshot: its timeouts, TLS towards its pools, and
 * the worker's places in the rounds of these. A reload begins a new generation; an old one ends with its last session. Belongs to the
 * worker's thread.
 */

/* Classes of timeout; see struct cfg_timeouts. */
enum worker_timeout {
    WORKER_TIMEOUT_HANDSHAKE,
    WORKER_TIMEOUT_CONNECT,
    WORKER_TIMEOUT_GREETING,
    WORKER_TIMEOUT_LEAVING, /* in place of these two, for a client that has ended */
    WORKER_TIMEOUT_LOGIN,
    WORKER_TIMEOUT_IDLE,
    WORKER_TIMEOUT_CLOSING,
    WORKER_TIMEOUT_ENDING, /* as CLOSING, where the worker itself ends */
    WORKER_TIMEOUTS
};

struct generation {
    struct generation *older;
    struct snapshot *snapshot;
    struct pool_tls_set *pools; /* as they are now, for the newest; as they were, for those before */
    struct deadline_list timeouts[WORKER_TIMEOUTS];
    size_t *turns; /* for balance_next, by pool */
    size_t sessions;
};

/* `worker`: its index, so that workers begin at different servers, and few connections already spread. NULL: no memory. */
struct generation *generation_new(struct snapshot *snapshot, struct pool_tls_set *pools, unsigned worker);

/* Without sessions. */
void generation_free(struct generation **generation);

/* A deadline of any generation in the list that has passed; NULL where there is none. */
struct deadline *generation_take_expired(struct generation *newest, uint64_t now);

/* Frees those behind the newest that have no session. */
void generation_drop_empty(struct generation *newest);

#endif
