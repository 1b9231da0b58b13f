/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_BATCH_H
#define DEEPPROXY_PROXY_WORKER_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * Work of one kind for very many sessions at once, in pieces: a batch in each iteration of the worker's loop,
 * so that the others are served in between. The loop does not sleep while pieces are left. What a piece is,
 * the owner knows. Nothing here allocates.
 */
enum {
    /* For the pieces in one iteration. At least one is done. */
    BATCH_BUDGET_US = 1000
};

struct batch {
    uv_idle_t idle; /* active while pieces are left */
    /* Does one piece. False if none is left. */
    bool (*step)(void *arg);
    void *arg;
    uint64_t (*clock_ns)(void); /* uv_hrtime; tests have their own */
};

/* The loop closes the handle; it does not keep the loop alive. */
void batch_init(struct batch *batch, uv_loop_t *loop, bool (*step)(void *arg), void *arg);

/* Does pieces as long as there is time, and the rest from the next iteration on. It may have begun already. */
void batch_start(struct batch *batch);

#endif
