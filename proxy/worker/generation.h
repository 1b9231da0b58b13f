/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_GENERATION_H
#define DEEPPROXY_PROXY_WORKER_GENERATION_H

#include "base/must_check.h"
#include "proxy/common/deadlines.h"
#include "proxy/runtime/runtime.h"

/*
 * What the sessions of one worker have in common that began under the same snapshot: its timeouts, and TLS
 * towards its pools. A reload begins a new generation; an old one is dropped with its last session or
 * listener. A worker owns its generations, and only its thread
 * uses them.
 */

/* Classes of timeout: struct cfg_timeouts has most of them, the rest is fixed (generation.c). */
enum worker_timeout {
    WORKER_TIMEOUT_HANDSHAKE,
    WORKER_TIMEOUT_CONNECT,
    WORKER_TIMEOUT_GREETING,
    WORKER_TIMEOUT_ABANDONED, /* in place of these two, for a client that has half-closed without a command */
    WORKER_TIMEOUT_LOGIN,
    WORKER_TIMEOUT_COMMAND, /* in place of LOGIN, if turns restart it (protocol.h) */
    WORKER_TIMEOUT_IDLE,
    WORKER_TIMEOUT_CLOSING,
    WORKER_TIMEOUT_ENDING, /* as CLOSING, if the worker itself ends */
    /* Until its turn, in steps of WORKER_SLOWED_STEP_MS; SLOWED_LAST is the longest. */
    WORKER_TIMEOUT_SLOWED,
    WORKER_TIMEOUT_SLOWED_2,
    WORKER_TIMEOUT_SLOWED_3,
    WORKER_TIMEOUT_SLOWED_LAST,
    WORKER_TIMEOUT_FAILOVER, /* in place of CONNECT and GREETING, if it is shorter */
    /*
     * In place of CONNECT and GREETING, as long as another server is left, and for sessions that wait for a
     * place: GENERATION_QUICK_MS, twice that, and so on.
     */
    WORKER_TIMEOUT_QUICK,
    WORKER_QUICK_TIMEOUTS = 6,
    /*
     * Of a session that parts from its server (session_parting.c): GENERATION_PARTING_MS, twice that, and so
     * on. Several in a row make up any time. They are quick as well.
     */
    WORKER_TIMEOUT_PARTING = WORKER_TIMEOUT_QUICK + WORKER_QUICK_TIMEOUTS,
    WORKER_PARTING_TIMEOUTS = 8,
    WORKER_TIMEOUTS = WORKER_TIMEOUT_PARTING + WORKER_PARTING_TIMEOUTS
};

enum {
    GENERATION_QUICK_MS = 500,
    GENERATION_PARTING_MS = 100,
    /*
     * A server that was silent for this long when its client disconnected counts as failed: others greet at
     * once.
     */
    GENERATION_SLOW_MS = 750
};

enum {
    WORKER_SLOWED_STEP_MS = 500,
    /* A mail program waits longer than this for a greeting without a word to its user. */
    WORKER_SLOWED_MAX_MS = WORKER_SLOWED_STEP_MS * (WORKER_TIMEOUT_SLOWED_LAST - WORKER_TIMEOUT_SLOWED + 1)
};

struct generation {
    struct generation *older;
    struct snapshot *snapshot;
    /* Replaced in the newest generation when they change; in older ones as they were. */
    struct pool_tls_set *pools;
    struct member_lists *members;
    struct deadline_list timeouts[WORKER_TIMEOUTS];
    size_t sessions;
    size_t leaving; /* listeners that leave (accepting.h), and accept for it until they have */
};

/* Takes references of its own, and none of runtime->tls. NULL if memory is short. */
MUST_CHECK struct generation *generation_new(const struct runtime *runtime);

/* Frees one that has no sessions or listeners, and nulls the pointer, which may be NULL already. */
void generation_free(struct generation **generation);

/*
 * Takes a deadline that has passed out of a list, of any generation from `newest` on; NULL if there is none.
 */
struct deadline *generation_take_expired(struct generation *newest, uint64_t now);

/*
 * The first of the quick classes that is at least so long; WORKER_TIMEOUTS, which is no class, if none is.
 */
enum worker_timeout generation_quick_timeout(uint64_t limit_ms);

/* The longest of the classes for parting that is not longer than this; the first of them, if none is. */
enum worker_timeout generation_parting_timeout(uint64_t left_ms);

/* Is there a deadline of a quick class, in any generation from `newest` on? */
bool generation_has_quick(const struct generation *newest);

/* Frees those older than `newest` that have no sessions, and no listeners that leave. */
void generation_drop_empty(struct generation *newest);

#endif
