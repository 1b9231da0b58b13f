/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_HANDSHAKES_H
#define DEEPPROXY_PROXY_WORKER_HANDSHAKES_H

#include "base/bytes.h"
#include "proxy/common/address_counts.h"
#include "proxy/common/deadlines.h"

#include <uv.h>

/*
 * The handshakes of a worker: how many there may be, and how much of the loop's time they get.
 *
 * How many. A client is half open from its connection to the end of its handshake; with STARTTLS the dialogue before it
 * counts too. Each holds a slot. Where none is free the worker accepts nobody, and new connections wait in the kernel's
 * queue: in a storm of clients that mean well the work is done at full speed, and nobody is turned away. Against clients
 * that only hold slots, the one that has been half open longest goes, as soon as it has been for HANDSHAKES_HURRY_MS.
 *
 * How much time. A handshake costs as much as a hundred commands, and libuv tells of up to 1,024 sockets before it asks
 * the kernel for more. So handshakes get HANDSHAKES_BUDGET_US in each iteration of the loop. Within it they are done where
 * their input is read, at no cost; beyond it input is put aside, first come first served, and taken up when the other
 * sessions that had something to do have been served. At least one goes on in each iteration, however busy these are.
 */
enum {
    /* The default: half a second's work of a core for RSA-2048, a tenth for P-256; 22 MB if all do their worst. */
    HANDSHAKES_PER_WORKER = 512,
    /* A round trip through the proxy takes two iterations. A P-256 handshake takes some 200, one with RSA-2048 some 800. */
    HANDSHAKES_BUDGET_US = 1000,
    /* Accepting is 20 microseconds each: the rest of the kernel's queue is for the next iteration. */
    HANDSHAKES_ACCEPTS = 32,
    /* Ten round trips of a slow mobile network; who is slower still is only cut off where others have no slot. */
    HANDSHAKES_HURRY_MS = 3000
};

/* Of a client that is half open. All zero: of one that is not. In the worker's thread only. */
struct handshake {
    struct deadline slot; /* in handshakes.half_open */
    struct deadline turn; /* in handshakes.queue */
    struct bytes input;   /* what is put aside until then */
    uint64_t address;     /* address_counts_key */
    bool is_counted;
};

struct handshakes {
    uv_check_t check;
    uv_idle_t idle; /* active while somebody waits for a turn: the loop does not sleep then */
    struct deadline_list half_open;
    struct deadline_list queue; /* in order of arrival */
    struct address_counts *counts;
    size_t count;
    size_t max;               /* 0: no limit */
    uint32_t per_address_max; /* 0: no limit */
    uint64_t spent_ns;        /* in this iteration */
    unsigned accepted;        /* in this iteration */
    bool is_awaited;          /* a connection waits to be accepted */
    uint64_t (*clock_ns)(void);
    const struct handshakes_events *events;
    void *arg;
};

struct handshakes_events {
    /* A handshake goes on with input that has come. */
    void (*go_on)(struct handshake *handshake, struct slice input);
    /* The client is to be gone when this returns, handshakes_leave included. */
    void (*hurry)(struct handshake *handshake);
    /* Connections that had to wait may be accepted: each is asked for anew, by handshakes_may_accept. */
    void (*accept)(void *arg);
};

/*
 * `counts` is shared by all workers. Handles do not keep the loop alive, and are closed as any others of the loop.
 * Limits are 0 until handshakes_set_limits.
 */
void handshakes_init(struct handshakes *handshakes, uv_loop_t *loop, struct address_counts *counts,
                     const struct handshakes_events *events, void *arg);
void handshakes_set_limits(struct handshakes *handshakes, size_t max, uint32_t per_address_max);

enum handshakes_answer {
    HANDSHAKES_ACCEPT,
    HANDSHAKES_LATER, /* the next iteration */
    HANDSHAKES_FULL   /* when a slot is free */
};

/* May a connection be accepted now? If not it is to be left waiting; `accept` comes. May hurry another client. */
enum handshakes_answer handshakes_may_accept(struct handshakes *handshakes);

/* A client is half open from now on. False where its address has as many already: it has no slot then. */
bool handshakes_enter(struct handshakes *handshakes, struct handshake *handshake,
                      const struct sockaddr *address);
/* It is so no longer. Nothing where it holds no slot. */
void handshakes_leave(struct handshakes *handshakes, struct handshake *handshake);

/* Its input has come: goes on with it at once, or puts it aside, and then no more must be read. */
void handshakes_take(struct handshakes *handshakes, struct handshake *handshake, struct slice input);
bool handshake_is_put_aside(const struct handshake *handshake);

/* Now and then: where connections wait for a slot, clients that hold one for too long go. */
void handshakes_tick(struct handshakes *handshakes);

#endif
