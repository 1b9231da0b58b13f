/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_ACCEPTING_H
#define DEEPPROXY_PROXY_WORKER_ACCEPTING_H

#include "base/must_check.h"
#include "proxy/common/accept.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/*
 * The listening sockets of a worker, and the connections that come to them. In a turn of the loop it accepts
 * as many as handshakes.h lets it; the rest waits in the kernel's queue. It makes no session: the worker's
 * table of calls does.
 *
 * If descriptors or memory are short, nothing is accepted for ACCEPTING_PAUSE_MS. The sessions that are there
 * are served meanwhile, and their end is what helps.
 *
 * A listener that is to be closed leaves: the clients in its queue have a connection already, and would be
 * reset. So they are accepted first, while the kernel does not reply to clients that come only now. The
 * listener is closed as soon as its queue is empty, and at the latest after ACCEPTING_LEAVE_MS.
 *
 * In the worker's thread only, or before it has begun.
 */
enum {
    /* Often enough to go unnoticed by a client, and next to no work. */
    ACCEPTING_PAUSE_MS = 100,
    /* Longer than a full queue takes, as long as there are slots for handshakes. */
    ACCEPTING_LEAVE_MS = 2000
};

struct generation;
struct listener;
struct service;
struct worker;

struct accepting {
    struct worker *worker;
    /*
     * By index in the configuration in effect; NULL for one that could not listen. The list is the worker's.
     */
    struct listener **listeners;
    size_t count;
    struct listener *leaving; /* a list */
    uv_timer_t pause;         /* runs while nothing is accepted */
    uv_timer_t leave;         /* runs while listeners leave */
    uv_tcp_t first;           /* libuv opens a descriptor with a loop's first stream: at the start */
};

/* A connection that waits at a listener. */
struct incoming {
    int listener;
    struct service *service;
    struct generation *generation; /* that its session is to belong to: it has the service */
    bool leaves;                   /* that listener */
};

/* For worker_session_calls.accept: accepts it, as accept_connection without an address. */
MUST_CHECK enum accept_outcome accepting_take(const struct incoming *incoming, int *fd);

/* No handle of it keeps the loop alive but those of the listeners. */
void accepting_init(struct accepting *accepting, struct worker *worker);

/* Memory for a listener: NULL if it is short. The caller frees it by free(), or accepting_listen takes it. */
MUST_CHECK struct listener *accepting_new_listener(void);

/*
 * Listens on a socket that is bound, as the next listener of the list, for a service of the worker's newest
 * generation. Takes over `*listener` and `*fd`, which become NULL and -1. Returns 0, or a libuv error: then
 * it has taken nothing, and the list has NULL in its place.
 */
MUST_CHECK int accepting_listen(struct accepting *accepting, struct listener **listener, int *fd,
                                struct service *service);

/* The same for one that listens already, or NULL. It loses no connection. */
void accepting_continue(struct accepting *accepting, struct listener *listener, struct service *service);

/* Takes one that is in no list any more, and lets it leave. Its service belongs to `generation`. */
void accepting_leave(struct accepting *accepting, struct listener *listener, struct generation *generation);

/* All listeners leave. */
void accepting_leave_all(struct accepting *accepting);

/* Closes all listeners, whoever waits. */
void accepting_close(struct accepting *accepting);

/* Is there a listener, one that leaves included? */
bool accepting_is_open(const struct accepting *accepting);

/* Accepts connections that had to wait, if they may be accepted now. True if one still has to wait. */
bool accepting_retry(struct accepting *accepting);

#endif
