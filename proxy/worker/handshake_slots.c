/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/handshake_slots.h"

#include <stdatomic.h>
#include <stdlib.h>

struct handshake_slots {
    struct shared_limit *limit;
    _Atomic unsigned hungry; /* workers that wait and have less than their share */
};

struct handshake_slots *handshake_slots_new(unsigned workers)
{
    struct handshake_slots *slots = calloc(1, sizeof *slots);
    if (slots == NULL)
        return NULL;
    slots->limit = shared_limit_new(workers);
    if (slots->limit == NULL)
        handshake_slots_free(&slots);
    return slots;
}

void handshake_slots_free(struct handshake_slots **slots)
{
    if (*slots != NULL)
        shared_limit_free(&(*slots)->limit);
    free(*slots);
    *slots = NULL;
}

void handshake_slots_set_max(struct handshake_slots *slots, size_t max)
{
    shared_limit_set_max(slots->limit, max);
}

/* At least one. SIZE_MAX without a limit. */
static size_t share_of(const struct slot_holder *holder)
{
    size_t max = shared_limit_max(holder->slots->limit);
    unsigned holders = shared_limit_holders(holder->slots->limit);
    return max > 0 ? (max + holders - 1) / holders : SIZE_MAX;
}

static bool others_are_hungry(const struct slot_holder *holder)
{
    return atomic_load(&holder->slots->hungry) > holder->is_hungry;
}

static bool leaves_them_to_others(const struct slot_holder *holder)
{
    return others_are_hungry(holder) && holder->count >= share_of(holder);
}

bool slot_holder_take(struct slot_holder *holder)
{
    if (leaves_them_to_others(holder) || !shared_limit_take(holder->slots->limit, holder->worker))
        return false;
    holder->count++;
    return true;
}

void slot_holder_give(struct slot_holder *holder)
{
    holder->count--;
    shared_limit_give(holder->slots->limit, holder->worker);
}

bool slot_holder_may_take(const struct slot_holder *holder)
{
    return !slot_holder_is_full(holder) && !leaves_them_to_others(holder);
}

bool slot_holder_is_full(const struct slot_holder *holder)
{
    return shared_limit_is_full(holder->slots->limit);
}

static void set_hungry(struct slot_holder *holder, bool is_hungry)
{
    if (is_hungry && !holder->is_hungry)
        atomic_fetch_add(&holder->slots->hungry, 1);
    if (!is_hungry && holder->is_hungry)
        atomic_fetch_sub(&holder->slots->hungry, 1);
    holder->is_hungry = is_hungry;
}

void slot_holder_wait(struct slot_holder *holder)
{
    set_hungry(holder, holder->count < share_of(holder));
}

void slot_holder_stop_waiting(struct slot_holder *holder)
{
    set_hungry(holder, false);
}

size_t slot_holder_owes(const struct slot_holder *holder)
{
    size_t share = share_of(holder);
    return others_are_hungry(holder) && holder->count > share ? holder->count - share : 0;
}
