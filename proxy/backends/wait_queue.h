/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_WAIT_QUEUE_H
#define DEEPPROXY_PROXY_BACKENDS_WAIT_QUEUE_H

#include "base/must_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Sessions that wait for a place at a pool whose servers are full: bounded in number, first come, first
 * served, over all workers, without a lock. Each waiter has a number in the order of arrival. Each worker has
 * a list of its own waiters, and shows the number of its oldest one to all; the worker whose number is the
 * lowest has the turn. A place is handed over so: whoever gives it back wakes the worker that has the turn,
 * and newcomers take no place while somebody waits. How long a session waits is the session's business: it
 * leaves when it will, which frees its place in the queue.
 */
struct wait_queue;

/*
 * A waiting session's part, all zero before it waits for the first time. It belongs to the session, and stays
 * where it is.
 */
struct waiter {
    struct waiter *earlier; /* in its worker's list */
    struct waiter *later;
    uint64_t number; /* 0: it has never waited */
    bool waits;
};

/*
 * Wakes a worker, from any thread, without waiting (uv_async_send): it is to call wait_queue_turn until that
 * returns NULL.
 */
struct wait_queue_alarm {
    void (*wake)(void *arg, unsigned worker);
    void *arg;
};

/*
 * For so many workers, of length 0. `alarm` outlives all use of the queue; NULL: nobody is woken. NULL if
 * memory is short.
 */
MUST_CHECK struct wait_queue *wait_queue_new(unsigned workers, const struct wait_queue_alarm *alarm);

/* From the control thread, before workers use the queue. */
void wait_queue_set_alarm(struct wait_queue *queue, const struct wait_queue_alarm *alarm);

/* Frees it, and nulls the pointer, which may be NULL already. Nobody waits in it. */
void wait_queue_free(struct wait_queue **queue);

/* How many may wait; those beyond stay. From the control thread. */
void wait_queue_set_length(struct wait_queue *queue, unsigned length);

/* That number. Any thread. */
unsigned wait_queue_length(const struct wait_queue *queue);

/* How many wait, over all workers. Any thread. */
unsigned wait_queue_count(const struct wait_queue *queue);

/*
 * Joins the queue: at its end, or, if it has waited before, where it came then, as the place that it has had
 * was worth nothing. False if it is full. After a success the caller looks for a place once more, by
 * wait_queue_turn: one may have come free meanwhile.
 */
MUST_CHECK bool wait_queue_join(struct wait_queue *queue, unsigned worker, struct waiter *waiter);

/*
 * The waiter of this worker that has the turn among all of the pool; NULL if another worker has it. It stays
 * in the queue: the caller looks for a place for it, and calls wait_queue_leave if there was one.
 */
struct waiter *wait_queue_turn(struct wait_queue *queue, unsigned worker);

/*
 * Leaves, with a place or without, and wakes the worker that has the turn now. Does nothing if the waiter
 * does not wait.
 */
void wait_queue_leave(struct wait_queue *queue, unsigned worker, struct waiter *waiter);

/*
 * A place has come free, or may have: wakes the worker that has the turn. Cheap if nobody waits. Any thread.
 */
void wait_queue_place_free(struct wait_queue *queue);

#endif
