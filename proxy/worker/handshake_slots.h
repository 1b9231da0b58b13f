/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_HANDSHAKE_SLOTS_H
#define DEEPPROXY_PROXY_WORKER_HANDSHAKE_SLOTS_H

#include "base/must_check.h"
#include "proxy/common/shared_limit.h"

#include <stddef.h>

/*
 * The slots of clients that are half open (handshakes.h): one number for all workers. Any worker may have any
 * number of them, as long as nobody waits. While workers wait, one that has its share (the limit divided by
 * the workers) leaves free slots to those that have less: a worker with a long queue starves no other.
 *
 * A worker is not told when another one gives a slot back: it looks every HANDSHAKE_SLOTS_RETRY_MS while it
 * waits. So no worker has to know the loop of another, which may have ended, and the loop is woken neither
 * more often nor by more than that, however many slots change hands.
 */
struct handshake_slots;

enum {
    /*
     * Much shorter than a handshake over a network, and 200 turns of an idle loop a second, in a storm alone.
     */
    HANDSHAKE_SLOTS_RETRY_MS = 5
};

/* For `workers` workers; there is no limit until handshake_slots_set_max. NULL if memory is short. */
MUST_CHECK struct handshake_slots *handshake_slots_new(unsigned workers);

/* Frees them, and nulls the pointer, which may be NULL already. No worker uses them any longer. */
void handshake_slots_free(struct handshake_slots **slots);

/* How many there are; 0 is no limit. From the main thread. Those that are held stay so, and count. */
void handshake_slots_set_max(struct handshake_slots *slots, size_t max);

/* A worker's part in the slots; the worker's thread alone uses it. */
struct slot_holder {
    struct handshake_slots *slots;
    unsigned worker;
    size_t count;   /* held */
    bool is_hungry; /* it waits, and had less than its share when it began to */
};

/* False if none is free for this worker now. */
MUST_CHECK bool slot_holder_take(struct slot_holder *holder);

/* Gives back one that slot_holder_take has taken. */
void slot_holder_give(struct slot_holder *holder);

/* Would slot_holder_take take one? */
bool slot_holder_may_take(const struct slot_holder *holder);

/* Does no worker find a free one? */
bool slot_holder_is_full(const struct slot_holder *holder);

/* The worker waits for a slot from now on, or no longer. */
void slot_holder_wait(struct slot_holder *holder);
void slot_holder_stop_waiting(struct slot_holder *holder);

/* How many slots more than its share does the worker hold, while others have less and wait? */
size_t slot_holder_owes(const struct slot_holder *holder);

#endif
