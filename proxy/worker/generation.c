/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/worker/generation.h"

#include "base/ensure.h"
#include "proxy/backends/balance.h"

#include <stdlib.h>

/*
 * How long a server gets to greet a client that has half-closed. The tick of the workers may add half a
 * second.
 */
#define ABANDONED_MS 1000
_Static_assert(ABANDONED_MS > BALANCE_SLOW_MS, "a server that is silent all that time was slow");
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
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_LOGIN], timeouts->login_ms);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_COMMAND], timeouts->command_ms);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_IDLE], timeouts->idle_ms);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_CLOSING], CLOSING_MS);
    deadline_list_init(&generation->timeouts[WORKER_TIMEOUT_ENDING], ENDING_MS);
    for (int i = WORKER_TIMEOUT_SLOWED; i <= WORKER_TIMEOUT_SLOWED_LAST; i++)
        deadline_list_init(&generation->timeouts[i],
                           (uint64_t)(i - WORKER_TIMEOUT_SLOWED + 1) * WORKER_SLOWED_STEP_MS);
}

struct generation *generation_new(struct snapshot *snapshot, struct pool_tls_set *set, unsigned worker)
{
    struct generation *generation = calloc(1, sizeof *generation);
    if (generation == NULL)
        return NULL;
    size_t pools = snapshot->cfg->pool_count;
    generation->snapshot = snapshot_ref(snapshot);
    generation->pools = pool_tls_set_ref(set);
    generation->rr_next = calloc(pools, sizeof generation->rr_next[0]);
    if (generation->rr_next == NULL) {
        generation_free(&generation);
        return NULL;
    }
    for (size_t i = 0; i < pools; i++)
        generation->rr_next[i] = worker;
    set_timeouts(generation);
    return generation;
}

void generation_free(struct generation **generation)
{
    if (*generation == NULL)
        return;
    ENSURE((*generation)->sessions == 0 && (*generation)->leaving == 0);
    free((*generation)->rr_next);
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
