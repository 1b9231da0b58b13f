/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/policy.h"

/*
 * Two different servers are drawn, each by its weight, and the one with fewer sessions for its weight is
 * selected. The best of all would be the same one for all workers in the same moment.
 */

static uint64_t weight_of(const struct policy_choice *choice, size_t index)
{
    return server_state_effective_weight(choice->members->members[index].server);
}

/* Draws a member other than `except`, by weight; members->count if there is none. */
static size_t draw(const struct policy_choice *choice, size_t except, uint32_t random)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < choice->members->count; i++)
        if (i != except && policy_may_choose(choice, i))
            sum += weight_of(choice, i);
    uint64_t at = (sum * random) >> 32;
    for (size_t i = 0; i < choice->members->count; i++) {
        if (i == except || !policy_may_choose(choice, i))
            continue;
        uint64_t weight = weight_of(choice, i);
        if (at < weight)
            return i;
        at -= weight;
    }
    return choice->members->count;
}

/* With the session that is to be placed: (sessions + 1) / weight, without dividing. */
static bool is_busier(const struct policy_choice *choice, size_t a, size_t b)
{
    uint64_t sessions_a = (uint64_t)server_state_sessions(choice->members->members[a].server) + 1;
    uint64_t sessions_b = (uint64_t)server_state_sessions(choice->members->members[b].server) + 1;
    return sessions_a * weight_of(choice, b) > sessions_b * weight_of(choice, a);
}

static size_t choose_least(const struct policy_choice *choice)
{
    size_t none = choice->members->count;
    size_t one = draw(choice, none, (uint32_t)choice->random);
    if (one == none)
        return none;
    size_t other = draw(choice, one, (uint32_t)(choice->random >> 32));
    return other != none && is_busier(choice, one, other) ? other : one;
}

const struct policy policy_least_connections = {"least-connections", choose_least};
