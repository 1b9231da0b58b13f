/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/generation.h"

#include "base/ensure.h"

#include <stdlib.h>

/*
 * How long a server gets to greet a client that has half-closed. The tick of the workers may add half a
 * second.
 */
#define ABANDONED_MS 1000
_Static_assert(ABANDONED_MS > GENERATION_SLOW_MS, "a server that is silent all that time was slow");
/* How long a peer gets to take our last octets and close. */
#define CLOSING_MS 10000
/* The same if the program is to end at once: last octets to peers that read, no more. */
#define ENDING_MS 500

static void set_timeouts(struct generation *generation)
{
    const struct cfg_timeouts *timeouts = &generation->snapshot->cfg->timeouts;
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_HANDSHAKE], timeouts->handshake_ms);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_CONNECT], timeouts->connect_ms);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_GREETING], timeouts->greeting_ms);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_ABANDONED], ABANDONED_MS);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_FAILOVER], timeouts->failover_ms);
    for (size_t i = 0; i < WORKER_QUICK_TIMEOUTS; i++)
        deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_QUICK + i],
                           (uint64_t)GENERATION_QUICK_MS << i);
    for (size_t i = 0; i < WORKER_PARTING_TIMEOUTS; i++)
        deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_PARTING + i],
                           (uint64_t)GENERATION_PARTING_MS << i);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_LOGIN], timeouts->login_ms);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_COMMAND], timeouts->command_ms);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_IDLE], timeouts->idle_ms);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_CLOSING], CLOSING_MS);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_ENDING], ENDING_MS);
    for (int i = WORKER_TIMEOUT_SLOWED; i <= WORKER_TIMEOUT_SLOWED_LAST; i++)
        deadline_list_init(&generation->timeouts[i],
                           (uint64_t)(i - WORKER_TIMEOUT_SLOWED + 1) * WORKER_SLOWED_STEP_MS);
}

struct generation *generation_new(const struct runtime *runtime)
{
    struct generation *generation = calloc(1, sizeof *generation);
    if (generation == NULL)
        return NULL;
    generation->snapshot = snapshot_ref(runtime->snapshot);
    generation->pools = pool_tls_set_ref(runtime->pools);
    generation->members = member_lists_ref(runtime->members);
    set_timeouts(generation);
    return generation;
}

void generation_free(struct generation **generation)
{
    if (*generation == NULL)
        return;
    ENSURE((*generation)->sessions == 0 && (*generation)->leaving == 0);
    member_lists_unref(&(*generation)->members);
    pool_tls_set_unref(&(*generation)->pools);
    snapshot_unref(&(*generation)->snapshot);
    free(*generation);
    *generation = NULL;
}

struct deadline *generation_take_expired(struct generation *newest, uint64_t now)
{
    struct deadline *expired = NULL;
    for (struct generation *at = newest; at != NULL && expired == NULL; at = at->older)
        for (size_t i = 0; i < WORKER_TIMEOUTS && expired == NULL; i++)
            expired = deadline_list_take_expired(&at->timeouts[i], now);
    return expired;
}

enum worker_timeout generation_quick_timeout(uint64_t limit_ms)
{
    unsigned i = 0;
    while (i < WORKER_QUICK_TIMEOUTS && ((uint64_t)GENERATION_QUICK_MS << i) < limit_ms)
        i++;
    return i < WORKER_QUICK_TIMEOUTS ? (enum worker_timeout)(WORKER_TIMEOUT_QUICK + i) : WORKER_TIMEOUTS;
}

enum worker_timeout generation_parting_timeout(uint64_t left_ms)
{
    unsigned i = WORKER_PARTING_TIMEOUTS - 1;
    while (i > 0 && ((uint64_t)GENERATION_PARTING_MS << i) > left_ms)
        i--;
    return (enum worker_timeout)(WORKER_TIMEOUT_PARTING + i);
}

bool generation_has_quick(const struct generation *newest)
{
    for (const struct generation *at = newest; at != NULL; at = at->older)
        for (size_t i = WORKER_TIMEOUT_QUICK; i < WORKER_TIMEOUTS; i++)
            if (!deadline_list_is_empty(&at->timeouts[i]))
                return true;
    return false;
}

void generation_drop_empty(struct generation *newest)
{
    struct generation **at = &newest->older;
    while (*at != NULL) {
        struct generation *generation = *at;
        if (generation->sessions > 0 || generation->leaving > 0) {
            at = &generation->older;
            continue;
        }
        *at = generation->older;
        generation_free(&generation);
    }
}
