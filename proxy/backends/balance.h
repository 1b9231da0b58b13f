/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_BALANCE_H
#define DEEPPROXY_PROXY_BACKENDS_BALANCE_H

#include "proxy/backends/server.h"

/*
 * Which server of a pool a session goes to. Round robin, each worker by itself; servers that failed within
 * the last seconds come last, and none is tried twice for one session.
 */
enum {
    /* Servers tried for one session: more would keep the client waiting longer than it waits (connect timeout each). */
    BALANCE_ATTEMPTS = 4,
    /* How long a server that failed is avoided, in milliseconds. */
    BALANCE_AVOID = 10000,
    /* A server that has said nothing for this long, in milliseconds, when its client goes, comes last: others greet at once. */
    BALANCE_SLOW = 750
};

struct balance_tries {
    uint16_t tried[BALANCE_ATTEMPTS];
    uint8_t count;
};

/*
 * The next server for a session, noted in `tries`; NULL where none is left to try. `*turn` is the worker's
 * own place in the pool's round. `now` in milliseconds.
 */
struct server *balance_next(const struct pool *pool, size_t *turn, struct balance_tries *tries, uint64_t now);

/* A server could not be connected to, or did not greet. */
void balance_server_failed(struct server *server, uint64_t now);
void balance_server_worked(struct server *server);

#endif
