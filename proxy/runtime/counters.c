/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/counters.h"

#include "base/array.h"
#include "base/ensure.h"

#include <stdlib.h>
#include <string.h>

#define OVERLOAD(of)                                                                                         \
    {                                                                                                        \
        .family = "deepproxy_overload_total",                                                                \
        .help = "Connections that a limit closed, or made wait, by the setting that would change it.",       \
        .is_of_limit = true, .limit = (of)                                                                   \
    }

const struct counter_metric counter_metrics[] = {
    [COUNTER_SESSIONS] = {.family = "deepproxy_sessions_total",
                          .help = "Connections accepted from clients, those that a limit closed included."},
    [COUNTER_ENDED] = {.family = NULL},
    [COUNTER_HANDSHAKES] = {.family = "deepproxy_handshakes_total",
                            .help = "TLS handshakes with clients that were completed."},
    [COUNTER_HANDSHAKES_FAILED] = {.family = "deepproxy_handshakes_failed_total",
                                   .help = "TLS handshakes with clients that were not, for whatever reason."},
    [COUNTER_LIMIT_CONNECTIONS] = OVERLOAD(CLIENT_LIMIT_CONNECTIONS),
    [COUNTER_LIMIT_OPEN_FILES] = OVERLOAD(CLIENT_LIMIT_OPEN_FILES),
    [COUNTER_LIMIT_CONNECTIONS_PER_ADDRESS] = OVERLOAD(CLIENT_LIMIT_CONNECTIONS_PER_ADDRESS),
    [COUNTER_LIMIT_HANDSHAKES] = OVERLOAD(CLIENT_LIMIT_HANDSHAKES),
    [COUNTER_LIMIT_HANDSHAKES_PER_ADDRESS] = OVERLOAD(CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS),
    [COUNTER_ACCEPT_FAILED] = {.family = "deepproxy_accept_failures_total",
                               .help = "Attempts to accept that failed: descriptors or memory were short."},
};
_Static_assert(ARRAY_LEN(counter_metrics) == COUNTERS, "a row for each counter");

enum counter counters_of_limit(enum client_limit limit)
{
    size_t counter = 0;
    while (counter < COUNTERS &&
           !(counter_metrics[counter].is_of_limit && counter_metrics[counter].limit == limit))
        counter++;
    ENSURE(counter < COUNTERS);
    return (enum counter)counter;
}

struct counters *counters_new(void)
{
    struct counters *counters = aligned_alloc(COUNTERS_LINE, sizeof *counters);
    if (counters == NULL)
        return NULL;
    memset(counters, 0, sizeof *counters);
    refcount_init(&counters->references);
    return counters;
}

struct counters *counters_ref(struct counters *counters)
{
    refcount_take(&counters->references);
    return counters;
}

void counters_unref(struct counters **counters)
{
    struct counters *dropped = *counters;
    *counters = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        free(dropped);
}

void counters_add(struct counters *counters, unsigned worker, enum counter what)
{
    atomic_fetch_add_explicit(&counters->shards[worker % COUNTERS_SHARDS].values[what], 1,
                              memory_order_relaxed);
}

uint64_t counters_sum(const struct counters *counters, enum counter what)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < COUNTERS_SHARDS; i++)
        sum += atomic_load_explicit(&counters->shards[i].values[what], memory_order_relaxed);
    return sum;
}

/* The two are not read at one moment: if more have ended than begun, none was open a moment ago. */
uint64_t counters_open_sessions(const struct counters *counters)
{
    uint64_t ended = counters_sum(counters, COUNTER_ENDED);
    uint64_t begun = counters_sum(counters, COUNTER_SESSIONS);
    return begun > ended ? begun - ended : 0;
}
