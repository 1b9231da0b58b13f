/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/handshakes.h"

#include "base/ensure.h"

#include <string.h>

/* More than is read at once from a client that has not logged in: see session_flow.c. */
#define INPUT_MAX (64 * 1024)

static struct handshake *of_slot(struct deadline *slot)
{
    return (struct handshake *)((char *)slot - offsetof(struct handshake, slot));
}

static struct handshake *of_run_turn(struct deadline *run_turn)
{
    return (struct handshake *)((char *)run_turn - offsetof(struct handshake, run_turn));
}

static uint64_t loop_now(const struct handshakes *handshakes)
{
    return uv_now(handshakes->check.loop);
}

/* ---- slots ---- */

/* Frees a slot if a client has been half open for too long. */
static bool evict_oldest(struct handshakes *handshakes)
{
    struct deadline *slot = deadline_list_take_expired(&handshakes->half_open, loop_now(handshakes));
    if (slot == NULL)
        return false;
    handshakes->events->evict(of_slot(slot), CLIENT_LIMIT_HANDSHAKES);
    return true;
}

/* The same for a client of this address. */
static bool evict_oldest_of(struct handshakes *handshakes, uint64_t address)
{
    const struct deadline_list *all = &handshakes->half_open;
    uint64_t begun_by = loop_now(handshakes) - handshakes->yield_ms;
    struct deadline *slot = all->head.next;
    while (slot != &all->head && slot->expires - all->span <= begun_by &&
           !(of_slot(slot)->is_named && of_slot(slot)->address == address))
        slot = slot->next;
    if (slot == &all->head || slot->expires - all->span > begun_by)
        return false;
    handshakes->events->evict(of_slot(slot), CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS);
    return true;
}

static bool reserve_slot(struct handshakes *handshakes)
{
    handshakes->is_reserved = handshakes->is_reserved || slot_holder_take(&handshakes->slots);
    return handshakes->is_reserved;
}

/* on_check looks for a slot, and only runs if the loop does. */
static void on_retry(uv_timer_t *retry)
{
    (void)retry;
}

static void start_retry(struct handshakes *handshakes)
{
    if (!uv_is_active((const uv_handle_t *)&handshakes->retry))
        uv_timer_start(&handshakes->retry, on_retry, HANDSHAKE_SLOTS_RETRY_MS, HANDSHAKE_SLOTS_RETRY_MS);
}

static void stop_retry(struct handshakes *handshakes)
{
    if (!handshakes->is_awaited && handshakes->waiting_count == 0)
        uv_timer_stop(&handshakes->retry);
}

static void await_slot(struct handshakes *handshakes)
{
    slot_holder_wait(&handshakes->slots);
    start_retry(handshakes);
}

enum handshakes_answer handshakes_may_accept(struct handshakes *handshakes)
{
    if (handshakes->accepted >= HANDSHAKES_ACCEPTS) {
        handshakes->is_awaited = true;
        return HANDSHAKES_LATER;
    }
    if (!reserve_slot(handshakes) && slot_holder_is_full(&handshakes->slots))
        evict_oldest(handshakes);
    if (!reserve_slot(handshakes)) {
        handshakes->is_awaited = true;
        await_slot(handshakes);
        return HANDSHAKES_FULL;
    }
    /* Others may still wait: on_check lets them be asked for. */
    handshakes->accepted++;
    return HANDSHAKES_ACCEPT;
}

void handshakes_accepted_all(struct handshakes *handshakes)
{
    if (handshakes->is_reserved)
        slot_holder_give(&handshakes->slots);
    handshakes->is_reserved = false;
}

void handshakes_stop_waiting(struct handshakes *handshakes)
{
    handshakes->is_awaited = false;
    slot_holder_stop_waiting(&handshakes->slots);
    stop_retry(handshakes);
}

/* ---- clients that wait for others of their address ---- */

static struct deadline_list *list_of(struct handshakes *handshakes, uint64_t address)
{
    return &handshakes->waiting[address % HANDSHAKES_WAITING_LISTS];
}

/* The client that is next in a list; NULL if none waits there. */
static struct handshake *first_waiting(const struct deadline_list *list)
{
    return deadline_list_is_empty(list) ? NULL : of_slot(list->head.next);
}

static bool is_waiting(const struct handshake *handshake)
{
    return !handshake->is_counted && handshake->slot.expires != 0;
}

static void stop_waiting(struct handshakes *handshakes, struct handshake *handshake)
{
    deadline_drop(&handshake->slot);
    handshakes->waiting_count--;
    stop_retry(handshakes);
}

bool handshakes_wait(struct handshakes *handshakes, struct handshake *handshake, size_t max)
{
    if (handshakes->waiting_count >= max)
        return false;
    ENSURE(!handshake->is_counted && handshake->slot.expires == 0);
    deadline_set(list_of(handshakes, handshake->address), &handshake->slot, loop_now(handshakes));
    handshakes->waiting_count++;
    start_retry(handshakes);
    return true;
}

/* The reserved slot is the client's. */
static void hold_slot(struct handshakes *handshakes, struct handshake *handshake, bool is_named)
{
    handshake->is_counted = true;
    handshake->is_named = is_named;
    handshakes->is_reserved = false;
    deadline_set(&handshakes->half_open, &handshake->slot, loop_now(handshakes));
}

/* True if the client is half open now. It must have, or find, a slot. */
static bool take_place(struct handshakes *handshakes, struct handshake *handshake)
{
    if (!reserve_slot(handshakes) ||
        !address_counts_add(handshakes->counts, handshake->address, handshakes->per_address_max))
        return false;
    hold_slot(handshakes, handshake, true);
    return true;
}

bool handshakes_enter(struct handshakes *handshakes, struct handshake *handshake,
                      const struct sockaddr *address)
{
    handshake->address = address_counts_key(handshakes->counts, address);
    const struct handshake *first = first_waiting(list_of(handshakes, handshake->address));
    if (first != NULL && first->address == handshake->address)
        return false;
    return take_place(handshakes, handshake);
}

bool handshakes_enter_late(struct handshakes *handshakes, struct handshake *handshake,
                           const struct sockaddr *address)
{
    bool had_slot = handshakes->is_reserved;
    bool entered = handshakes_enter(handshakes, handshake, address);
    if (!had_slot)
        handshakes_accepted_all(handshakes);
    return entered;
}

bool handshakes_enter_unnamed(struct handshakes *handshakes, struct handshake *handshake)
{
    if (!reserve_slot(handshakes))
        return false;
    hold_slot(handshakes, handshake, false);
    return true;
}

bool handshakes_are_full(const struct handshakes *handshakes)
{
    return !handshakes->is_reserved && !slot_holder_may_take(&handshakes->slots);
}

/* Lets those of a list begin that have waited, as long as there are places. */
static void begin_waiting_in(struct handshakes *handshakes, const struct deadline_list *list)
{
    struct handshake *first = first_waiting(list);
    while (first != NULL && handshakes->accepted < HANDSHAKES_ACCEPTS && take_place(handshakes, first)) {
        handshakes->accepted++;
        handshakes->waiting_count--;
        handshakes->events->begin(first);
        first = first_waiting(list);
    }
}

static void begin_waiting(struct handshakes *handshakes)
{
    bool had_slot = handshakes->is_reserved;
    if (handshakes->waiting_count == 0)
        return;
    size_t begin = handshakes->next_waiting++;
    for (size_t i = 0; i < HANDSHAKES_WAITING_LISTS; i++)
        begin_waiting_in(handshakes, &handshakes->waiting[(begin + i) % HANDSHAKES_WAITING_LISTS]);
    if (!had_slot)
        handshakes_accepted_all(handshakes);
    stop_retry(handshakes);
}

void handshakes_leave(struct handshakes *handshakes, struct handshake *handshake)
{
    if (is_waiting(handshake))
        stop_waiting(handshakes, handshake);
    if (!handshake->is_counted)
        return;
    handshake->is_counted = false;
    slot_holder_give(&handshakes->slots);
    if (handshake->is_named)
        address_counts_drop(handshakes->counts, handshake->address);
    handshake->is_named = false;
    deadline_drop(&handshake->slot);
    deadline_drop(&handshake->run_turn);
    bytes_free(&handshake->input);
}

/* Some clients of an address hold its places, and others of it wait. */
static void evict_for_waiting(struct handshakes *handshakes)
{
    for (size_t i = 0; handshakes->waiting_count > 0 && i < HANDSHAKES_WAITING_LISTS; i++) {
        const struct handshake *first = first_waiting(&handshakes->waiting[i]);
        for (int evicted = 0; first != NULL && evicted < HANDSHAKES_EVICTIONS; evicted++)
            if (!evict_oldest_of(handshakes, first->address))
                break;
    }
}

void handshakes_tick(struct handshakes *handshakes)
{
    const struct slot_holder *slots = &handshakes->slots;
    bool is_awaited = handshakes->is_awaited || handshakes->waiting_count > 0;
    while (is_awaited && slot_holder_is_full(slots) && evict_oldest(handshakes))
        ;
    evict_for_waiting(handshakes);
    for (size_t owed = slot_holder_owes(slots), i = 0; i < owed && i < HANDSHAKES_ACCEPTS; i++)
        if (!evict_oldest(handshakes))
            return;
}

/* ---- the run queue ---- */

static bool has_time(const struct handshakes *handshakes)
{
    return handshakes->spent_ns < (uint64_t)HANDSHAKES_BUDGET_US * 1000;
}

static void proceed(struct handshakes *handshakes, struct handshake *handshake, struct slice input)
{
    uint64_t begin = handshakes->clock_ns();
    handshakes->events->proceed(handshake, input);
    handshakes->spent_ns += handshakes->clock_ns() - begin;
}

bool handshake_is_put_aside(const struct handshake *handshake)
{
    return handshake->run_turn.expires != 0;
}

/* It only has to be active. */
static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static bool put_aside(struct handshakes *handshakes, struct handshake *handshake, struct slice input)
{
    if (!bytes_append(&handshake->input, input, INPUT_MAX))
        return false;
    deadline_set(&handshakes->run_queue, &handshake->run_turn, loop_now(handshakes));
    uv_idle_start(&handshakes->idle, on_idle);
    return true;
}

void handshakes_take(struct handshakes *handshakes, struct handshake *handshake, struct slice input)
{
    ENSURE(!handshake_is_put_aside(handshake));
    bool at_once = has_time(handshakes) && deadline_list_is_empty(&handshakes->run_queue);
    if (at_once || !put_aside(handshakes, handshake, input))
        proceed(handshakes, handshake, input);
}

static void take_turn(struct handshakes *handshakes, struct deadline *run_turn)
{
    struct handshake *handshake = of_run_turn(run_turn);
    /* The owner may end, and drops what it has put aside then. */
    struct bytes input = handshake->input;
    handshake->input = (struct bytes){0};
    proceed(handshakes, handshake, bytes_view(&input));
    bytes_free(&input);
}

/* All other events of this iteration have been handled. */
static void on_check(uv_check_t *check)
{
    struct handshakes *handshakes = check->data;
    struct deadline *run_turn;
    do {
        run_turn = deadline_list_take_expired(&handshakes->run_queue, UINT64_MAX);
        if (run_turn != NULL)
            take_turn(handshakes, run_turn);
    } while (run_turn != NULL && has_time(handshakes));
    if (deadline_list_is_empty(&handshakes->run_queue))
        uv_idle_stop(&handshakes->idle);
    handshakes->spent_ns = 0;
    handshakes->accepted = 0;
    begin_waiting(handshakes);
    if (handshakes->is_awaited && slot_holder_may_take(&handshakes->slots)) {
        handshakes_stop_waiting(handshakes);
        handshakes->events->accept(handshakes->arg);
    } else if (handshakes->slots.is_hungry) {
        slot_holder_wait(&handshakes->slots); /* it may have its share by now */
    }
}

/* ---- setting up ---- */

void handshakes_init(struct handshakes *handshakes, uv_loop_t *loop, unsigned worker,
                     const struct handshakes_shared *shared, const struct handshakes_events *events,
                     void *arg)
{
    memset(handshakes, 0, sizeof *handshakes);
    handshakes->counts = shared->counts;
    handshakes->slots = (struct slot_holder){.slots = shared->slots, .worker = worker};
    handshakes->events = events;
    handshakes->arg = arg;
    handshakes->clock_ns = uv_hrtime;
    handshakes->yield_ms = HANDSHAKES_YIELD_MS;
    deadline_list_init(&handshakes->half_open, HANDSHAKES_EVICT_MS);
    deadline_list_init(&handshakes->run_queue, 0);
    for (size_t i = 0; i < HANDSHAKES_WAITING_LISTS; i++)
        deadline_list_init(&handshakes->waiting[i], 0);
    uv_check_init(loop, &handshakes->check);
    uv_idle_init(loop, &handshakes->idle);
    uv_timer_init(loop, &handshakes->retry);
    handshakes->check.data = handshakes;
    uv_check_start(&handshakes->check, on_check);
    uv_unref((uv_handle_t *)&handshakes->check);
    uv_unref((uv_handle_t *)&handshakes->idle);
    uv_unref((uv_handle_t *)&handshakes->retry);
}

void handshakes_set_limit(struct handshakes *handshakes, uint32_t per_address_max)
{
    handshakes->per_address_max = per_address_max;
}
