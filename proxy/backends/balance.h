/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_BALANCE_H
#define DEEPPROXY_PROXY_BACKENDS_BALANCE_H

#include "proxy/backends/server.h"

/*
 * Chooses the server of a pool for a session, by the policy that the pool's key "balance" names. Each worker
 * balances by itself. No server is tried twice for one session, and servers that failed a moment ago are
 * tried last, whatever the policy is. It never connects, and never ends a session: the session reports how a
 * server did. To add a policy: a value of enum cfg_balance with its word (config/cfg.h), a file balance_*.c,
 * and its row in balance.c.
 */
enum {
    /*
     * Servers tried for one session. With more the client would wait longer than it is patient (connect
     * timeout each).
     */
    BALANCE_ATTEMPTS = 4,
    /* How long a server that failed is tried last. */
    BALANCE_AVOID_MS = 10000,
    /*
     * A server that was silent for this long when its client disconnected counts as failed: others greet at
     * once.
     */
    BALANCE_SLOW_MS = 750
};

/* The servers that were tried for one session, by index. All zero: none. */
struct balance_tries {
    uint16_t tried[BALANCE_ATTEMPTS];
    uint8_t count;
};

/* What a policy knows when it chooses. */
struct balance_choice {
    const struct pool *pool;
    /*
     * The worker's own position in this pool, for policies that take servers in turn; any number is one to
     * begin with.
     */
    size_t *position;
    const struct balance_tries *tries;
    uint64_t now; /* milliseconds */
    /* May servers that failed a moment ago be chosen? A policy is asked without them first. */
    bool takes_avoided;
};

/* May the policy choose the server with this index? A policy skips those for which this is false. */
bool balance_may_choose(const struct balance_choice *choice, size_t index);

struct balance_policy {
    /* As the file spells it: cfg_balance_name() of the policy's enumerator. */
    const char *word;
    /*
     * The index of the server to try next; pool->server_count if there is none that it may choose. The pool
     * is not empty.
     */
    size_t (*choose)(const struct balance_choice *choice);
};

/* balance_round_robin.c: the servers in turn. */
extern const struct balance_policy balance_round_robin;

/* The policy that the configuration means, static. */
const struct balance_policy *balance_policy_of(enum cfg_balance balance);

/*
 * Chooses the next server for a session by the pool's policy, and adds it to `tries`. NULL if the pool has
 * none that is left, or BALANCE_ATTEMPTS were tried. `*position` is the worker's for this pool; `now` is in
 * milliseconds (uv_hrtime).
 */
struct server *balance_next(const struct pool *pool, size_t *position, struct balance_tries *tries,
                            uint64_t now);

/* Call if a server could not be connected to, or did not greet. It is tried last for BALANCE_AVOID_MS. */
void balance_server_failed(struct server *server, uint64_t now);

/* Call if a server has greeted: it is no longer tried last. */
void balance_server_worked(struct server *server);

#endif
