/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/wait_queue.h"

#include "base/ensure.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

#define NOBODY UINT64_MAX

/* What one worker has in the queue. Others read the number alone. */
struct part {
    _Alignas(CACHE_LINE) _Atomic uint64_t oldest; /* the number of `first`; NOBODY */
    struct waiter *first;
    struct waiter *last;
};

/*
 * All accesses are in one order (sequentially consistent): whoever gives a place back sees who waits, or
 * whoever joins sees the place.
 */
struct wait_queue {
    _Alignas(CACHE_LINE) _Atomic uint32_t count;
    _Atomic uint32_t length;
    _Atomic uint64_t next_number;
    const struct wait_queue_alarm *alarm; /* NULL: nobody is woken */
    unsigned workers;
    struct part parts[];
};

struct wait_queue *wait_queue_new(unsigned workers, const struct wait_queue_alarm *alarm)
{
    size_t len = sizeof(struct wait_queue) + workers * sizeof(struct part);
    struct wait_queue *queue = aligned_alloc(CACHE_LINE, len);
    if (queue == NULL)
        return NULL;
    memset(queue, 0, len);
    queue->alarm = alarm;
    queue->workers = workers;
    for (unsigned i = 0; i < workers; i++)
        atomic_init(&queue->parts[i].oldest, NOBODY);
    return queue;
}

void wait_queue_free(struct wait_queue **queue)
{
    ENSURE(*queue == NULL || wait_queue_count(*queue) == 0);
    free(*queue);
    *queue = NULL;
}

void wait_queue_set_alarm(struct wait_queue *queue, const struct wait_queue_alarm *alarm)
{
    queue->alarm = alarm;
}

void wait_queue_set_length(struct wait_queue *queue, unsigned length)
{
    atomic_store(&queue->length, length);
}

unsigned wait_queue_length(const struct wait_queue *queue)
{
    return atomic_load_explicit(&queue->length, memory_order_relaxed);
}

unsigned wait_queue_count(const struct wait_queue *queue)
{
    return atomic_load(&queue->count);
}

/* ---- whose turn it is ---- */

/* The worker that has the turn; queue->workers if nobody waits. */
static unsigned find_turn(const struct wait_queue *queue)
{
    unsigned turn = queue->workers;
    uint64_t lowest = NOBODY;
    for (unsigned i = 0; i < queue->workers; i++) {
        uint64_t oldest = atomic_load(&queue->parts[i].oldest);
        if (oldest < lowest) {
            lowest = oldest;
            turn = i;
        }
    }
    return turn;
}

static void wake_turn(const struct wait_queue *queue)
{
    unsigned turn = find_turn(queue);
    if (turn < queue->workers && queue->alarm != NULL)
        queue->alarm->wake(queue->alarm->arg, turn);
}

struct waiter *wait_queue_turn(struct wait_queue *queue, unsigned worker)
{
    return find_turn(queue) == worker ? queue->parts[worker].first : NULL;
}

void wait_queue_place_free(struct wait_queue *queue)
{
    if (wait_queue_count(queue) > 0)
        wake_turn(queue);
}

/* ---- joining and leaving ---- */

static bool take_place(struct wait_queue *queue)
{
    uint32_t seen = atomic_load(&queue->count);
    while (seen < atomic_load(&queue->length))
        if (atomic_compare_exchange_weak(&queue->count, &seen, seen + 1))
            return true;
    return false;
}

static void show_oldest(struct part *part)
{
    atomic_store(&part->oldest, part->first != NULL ? part->first->number : NOBODY);
}

/* After those that came earlier: a new one after all, one that waits again near the front. */
static void link_waiter(struct part *part, struct waiter *waiter, bool is_new)
{
    struct waiter *earlier = is_new ? part->last : NULL;
    if (!is_new)
        for (struct waiter *one = part->first; one != NULL && one->number < waiter->number; one = one->later)
            earlier = one;
    waiter->earlier = earlier;
    waiter->later = earlier != NULL ? earlier->later : part->first;
    *(waiter->later != NULL ? &waiter->later->earlier : &part->last) = waiter;
    *(earlier != NULL ? &earlier->later : &part->first) = waiter;
}

bool wait_queue_join(struct wait_queue *queue, unsigned worker, struct waiter *waiter)
{
    struct part *part = &queue->parts[worker];
    ENSURE(worker < queue->workers && !waiter->waits);
    if (!take_place(queue))
        return false;
    bool is_new = waiter->number == 0;
    if (is_new)
        waiter->number = atomic_fetch_add(&queue->next_number, 1) + 1;
    waiter->waits = true;
    link_waiter(part, waiter, is_new);
    show_oldest(part);
    return true;
}

static void unlink_waiter(struct part *part, struct waiter *waiter)
{
    if (waiter->earlier != NULL)
        waiter->earlier->later = waiter->later;
    else
        part->first = waiter->later;
    if (waiter->later != NULL)
        waiter->later->earlier = waiter->earlier;
    else
        part->last = waiter->earlier;
}

void wait_queue_leave(struct wait_queue *queue, unsigned worker, struct waiter *waiter)
{
    struct part *part = &queue->parts[worker];
    if (!waiter->waits)
        return;
    bool had_turn = part->first == waiter;
    unlink_waiter(part, waiter);
    *waiter = (struct waiter){.number = waiter->number};
    show_oldest(part);
    ENSURE(atomic_fetch_sub(&queue->count, 1) > 0);
    if (had_turn)
        wake_turn(queue);
}
