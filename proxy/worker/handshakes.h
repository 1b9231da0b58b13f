/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_HANDSHAKES_H
#define DEEPPROXY_PROXY_WORKER_HANDSHAKES_H

#include "base/bytes.h"
#include "base/must_check.h"
#include "proxy/common/address_counts.h"
#include "proxy/common/client_limit.h"
#include "proxy/common/deadlines.h"
#include "proxy/worker/handshake_slots.h"

#include <uv.h>

/*
 * The handshakes of a worker: how many there may be, and how much of the loop's time they get. It never reads
 * from a socket and never ends a session by itself: it calls the owner of a handshake (struct
 * handshakes_events).
 *
 * How many. A client is half open from its connection to the end of its handshake; with STARTTLS the dialogue
 * before it counts too. Each holds a slot, of which there is one number for all workers (handshake_slots.h).
 * If none is free, the worker accepts nobody, and new connections wait in the kernel's queue: in a storm of
 * honest clients the work is done at full speed, and nobody is rejected. Against clients that only hold
 * slots, the one that has been half open longest is evicted, once it has been for HANDSHAKES_EVICT_MS.
 *
 * How many of one address. Many honest clients may have one address, if a gateway hides theirs. So a
 * client whose address has as many half-open ones as it may is not rejected: it waits, with its
 * connection, until one of these is done (handshakes_wait). It holds no slot meanwhile, and clients of
 * other addresses pass it by. Of one address who came first is first. How long a client waits is for its
 * owner to limit. If clients of an address wait, those of it that only hold slots are evicted, once they
 * have for HANDSHAKES_YIELD_MS.
 *
 * A client whose address is not known yet, as the balancer before it has still to tell it, holds a slot and
 * none of an address (handshakes_enter_unnamed). When the address is known it leaves, and enters as any other
 * (handshakes_enter_late).
 *
 * How much time. A handshake costs as much as a hundred commands, and libuv reports up to 1,024 sockets
 * before it asks the kernel for more. So handshakes get HANDSHAKES_BUDGET_US in each iteration of the loop.
 * Within it they proceed as soon as their input is read, at no cost. Beyond it input is put aside into a run
 * queue, first come first served, and taken up after the other sessions that had something to do. At least
 * one proceeds in each iteration, however busy these are.
 */
enum {
    /*
     * The default: half a second's work of a core for RSA-2048, a tenth for P-256; 22 MB if all do their
     * worst.
     */
    HANDSHAKES_PER_WORKER = 512,
    /*
     * A round trip through the proxy takes two iterations. A P-256 handshake takes some 200, one with
     * RSA-2048 some 800.
     */
    HANDSHAKES_BUDGET_US = 1000,
    /*
     * In one iteration. Accepting takes 20 microseconds each: the rest of the kernel's queue is for the next
     * iteration.
     */
    HANDSHAKES_ACCEPTS = 32,
    /* Ten round trips of a slow mobile network. A slower client is only cut off if others have no slot. */
    HANDSHAKES_EVICT_MS = 3000,
    /*
     * Clients of a worker that wait for others of their addresses: a session's memory and a descriptor
     * each, 4 MB in all. A gateway before thousands of clients finds room.
     */
    HANDSHAKES_WAITING_MAX = 4096,
    /*
     * Lists of these, by address: an address that waits for long holds up one in so many others, if these
     * are at their own limit as well.
     */
    HANDSHAKES_WAITING_LISTS = 64,
    /*
     * As HANDSHAKES_EVICT_MS, for others of the address. These are of one gateway, and may all be slow;
     * and they keep no other address out.
     */
    HANDSHAKES_YIELD_MS = 10000,
    /* Clients of one address that are evicted at once for others of it. */
    HANDSHAKES_EVICTIONS = 8
};

/* A client that is half open; all zero: one that is not. Its owner embeds it. In the worker's thread only. */
struct handshake {
    struct deadline slot;     /* in handshakes.half_open, or in one of handshakes.waiting */
    struct deadline run_turn; /* in handshakes.run_queue */
    struct bytes input;       /* what is put aside until its turn */
    uint64_t address;         /* address_counts_key */
    bool is_counted;          /* it holds a slot */
    bool is_named;            /* and one of its address */
};

struct handshakes {
    uv_check_t check;
    uv_idle_t idle;   /* active while the run queue has handshakes: the loop does not sleep then */
    uv_timer_t retry; /* runs while a connection waits for a slot, or a client for others of its address */
    struct deadline_list half_open;
    struct deadline_list run_queue;                         /* in order of arrival */
    struct deadline_list waiting[HANDSHAKES_WAITING_LISTS]; /* likewise */
    size_t waiting_count;
    size_t next_waiting; /* the list whose clients begin first, if there are any: each in turn */
    struct address_counts *counts;
    struct slot_holder slots;
    bool is_reserved;         /* the next to enter has a slot already */
    uint32_t per_address_max; /* 0: no limit */
    uint64_t yield_ms;        /* HANDSHAKES_YIELD_MS */
    uint64_t spent_ns;        /* in this iteration */
    unsigned accepted;        /* in this iteration */
    bool is_awaited;          /* a connection waits to be accepted */
    uint64_t (*clock_ns)(void);
    const struct handshakes_events *events;
    void *arg;
};

struct handshakes_events {
    /* A handshake proceeds with input that has come. Its owner may have ended when this returns. */
    void (*proceed)(struct handshake *handshake, struct slice input);
    /*
     * The client is to be disconnected, as others wait because of the limit: handshakes_leave has been
     * called for it when this returns.
     */
    void (*evict)(struct handshake *handshake, enum client_limit limit);
    /* A client that has waited is half open from now on. Its owner may have ended when this returns. */
    void (*begin)(struct handshake *handshake);
    /* Connections that had to wait may be accepted: each is asked for anew, by handshakes_may_accept. */
    void (*accept)(void *arg);
};

/* What all workers have in common; it outlives them. */
struct handshakes_shared {
    struct address_counts *counts;
    struct handshake_slots *slots;
};

/*
 * Sets it up on `loop`, for the worker with index `worker`. `events` and `arg` outlive it. Its handles do not
 * keep the loop alive; they are closed like any others of the loop. An address has no limit until
 * handshakes_set_limit.
 */
void handshakes_init(struct handshakes *handshakes, uv_loop_t *loop, unsigned worker,
                     const struct handshakes_shared *shared, const struct handshakes_events *events,
                     void *arg);

/* Sets the limit of one address at all workers. 0 is no limit. Those that are there stay. */
void handshakes_set_limit(struct handshakes *handshakes, uint32_t per_address_max);

enum handshakes_answer {
    HANDSHAKES_ACCEPT,
    HANDSHAKES_LATER, /* in the next iteration */
    HANDSHAKES_FULL   /* when a slot is free */
};

/*
 * May a connection be accepted now? If so, it has a slot, and enters next, or handshakes_accepted_all
 * follows. If not, it is left waiting, and the event `accept` follows. May evict another client to free a
 * slot.
 */
MUST_CHECK enum handshakes_answer handshakes_may_accept(struct handshakes *handshakes);

/* No connection waits, or none is accepted for now: the slot that it would have had is free again. */
void handshakes_accepted_all(struct handshakes *handshakes);

/* No connection is accepted any more: the worker keeps no slot from others, and `accept` does not follow. */
void handshakes_stop_waiting(struct handshakes *handshakes);

/*
 * A client is half open from now on. False if its address has as many already, or others that wait; or if no
 * slot is free, which is so only without handshakes_may_accept. It holds no slot then.
 */
MUST_CHECK bool handshakes_enter(struct handshakes *handshakes, struct handshake *handshake,
                                 const struct sockaddr *address);

/*
 * The same for a client that was accepted earlier: it has no slot from handshakes_may_accept, and may find
 * none.
 */
MUST_CHECK bool handshakes_enter_late(struct handshakes *handshakes, struct handshake *handshake,
                                      const struct sockaddr *address);

/* A client of an unknown address is half open from now on. False as if no slot is free. */
MUST_CHECK bool handshakes_enter_unnamed(struct handshakes *handshakes, struct handshake *handshake);

/* Was it for want of a slot, and not of the address, that handshakes_enter_late has just returned false? */
bool handshakes_are_full(const struct handshakes *handshakes);

/*
 * For a client for which handshakes_enter has just returned false: it waits, and the event `begin`
 * follows, or handshakes_leave ends the wait. False if `max` clients wait already: it does not wait then.
 */
MUST_CHECK bool handshakes_wait(struct handshakes *handshakes, struct handshake *handshake, size_t max);

/*
 * The client is no longer half open, or waits no longer, and what was put aside is dropped. Does nothing if
 * neither is so.
 */
void handshakes_leave(struct handshakes *handshakes, struct handshake *handshake);

/*
 * Input has come: the handshake proceeds at once, or is put aside. No more may be read while it is put aside.
 */
void handshakes_take(struct handshakes *handshakes, struct handshake *handshake, struct slice input);

/* Does the handshake wait in the run queue? */
bool handshake_is_put_aside(const struct handshake *handshake);

/*
 * Called now and then: while connections wait for a slot, here or at another worker that has less than its
 * share, or clients for others of their address, evicts clients that have held a slot for too long.
 */
void handshakes_tick(struct handshakes *handshakes);

#endif
