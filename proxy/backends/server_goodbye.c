/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/server_goodbye.h"

#include "base/array.h"
#include "base/ensure.h"

/* 2^32 divided by the golden ratio: multiples of it, modulo 2^32, are spread more evenly than chance does. */
#define GOLDEN 2654435769u

static const char *const words[] = {[SERVER_GOODBYE_NONE] = "none",
                                    [SERVER_GOODBYE_LOST] = "lost",
                                    [SERVER_GOODBYE_MAINTENANCE] = "maintenance",
                                    [SERVER_GOODBYE_DRAINED] = "drained"};
_Static_assert(ARRAY_LEN(words) == SERVER_GOODBYE_CAUSES, "a word for each");

const char *server_goodbye_word(enum server_goodbye_cause cause)
{
    ENSURE(cause < SERVER_GOODBYE_CAUSES);
    return words[cause];
}

/* A worker that reads in between finds no round, or the new one, whole. */
void server_goodbye_begin(struct server_goodbye *goodbye, enum server_goodbye_cause cause, uint64_t over_ms,
                          uint64_t now_ms)
{
    ENSURE(cause > SERVER_GOODBYE_NONE && cause < SERVER_GOODBYE_CAUSES);
    uint64_t over = over_ms < SERVER_GOODBYE_MAX_MS ? over_ms : SERVER_GOODBYE_MAX_MS;
    goodbye->last_round = goodbye->last_round == UINT8_MAX ? 1 : (uint8_t)(goodbye->last_round + 1);
    atomic_store(&goodbye->round, 0);
    atomic_store(&goodbye->cause, (uint8_t)cause);
    atomic_store(&goodbye->until_ms, now_ms + over);
    atomic_store(&goodbye->round, goodbye->last_round);
}

void server_goodbye_cancel(struct server_goodbye *goodbye)
{
    atomic_store(&goodbye->round, 0);
}

/* While a server rises it takes no sessions yet. */
enum server_goodbye_cause server_goodbye_wanted(enum server_admin admin, enum server_health health,
                                                bool has_time)
{
    if (admin == SERVER_MAINTENANCE)
        return SERVER_GOODBYE_MAINTENANCE;
    if (health == SERVER_DOWN || health == SERVER_RISING)
        return SERVER_GOODBYE_LOST;
    return admin == SERVER_DRAIN && has_time ? SERVER_GOODBYE_DRAINED : SERVER_GOODBYE_NONE;
}

/* Two workers may both begin the time: a few more pass at once then. */
bool server_goodbye_is_crowd(struct server_goodbye *goodbye, uint64_t now_ms)
{
    uint64_t since_ms = atomic_load_explicit(&goodbye->losses_since_ms, memory_order_relaxed);
    if (now_ms >= since_ms + SERVER_LOSSES_MS) {
        atomic_store_explicit(&goodbye->losses_since_ms, now_ms, memory_order_relaxed);
        atomic_store_explicit(&goodbye->losses, 0, memory_order_relaxed);
    }
    return atomic_fetch_add_explicit(&goodbye->losses, 1, memory_order_relaxed) >= SERVER_LOSSES_AT_ONCE;
}

uint64_t server_goodbye_delay_ms(uint64_t over_ms, uint32_t start, uint32_t nth)
{
    uint64_t over = over_ms < SERVER_GOODBYE_MAX_MS ? over_ms : SERVER_GOODBYE_MAX_MS;
    uint32_t part = start + nth * GOLDEN;
    return over * part >> 32;
}
