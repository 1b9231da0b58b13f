/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_HEARTBEAT_H
#define DEEPPROXY_PROXY_WORKER_HEARTBEAT_H

#include <stdatomic.h>
#include <stdbool.h>

/*
 * Does a worker still go round its loop? It counts a beat each HEARTBEAT_MS, and the main thread, which looks
 * as often, calls it hung if HEARTBEATS_MISSED looks in a row have found no other count. Looks are counted,
 * not time: if the whole process was stopped, or the machine has no time for it, the looks stop as well.
 */
enum {
    HEARTBEAT_MS = 1000,
    /* No iteration of a busy worker takes a tenth of that. */
    HEARTBEATS_MISSED = 10
};

struct heartbeat {
    /* Of the worker, which begins with 0. */
    _Atomic unsigned beats;
    /* The main thread's. */
    unsigned seen;
    unsigned missed;
    bool is_hung;
};

enum heartbeat_change {
    HEARTBEAT_SAME,
    HEARTBEAT_HUNG, /* from now on */
    HEARTBEAT_BACK  /* from now on */
};

/* In the worker. */
void heartbeat_beat(struct heartbeat *heartbeat);

/* In the worker, last: it has ended, and will not be called hung. */
void heartbeat_end(struct heartbeat *heartbeat);

/* One look, by the main thread, each HEARTBEAT_MS. */
enum heartbeat_change heartbeat_look(struct heartbeat *heartbeat);

#endif
