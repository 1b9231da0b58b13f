/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/policy.h"

/*
 * Each that may be chosen earns its weight, the richest one is selected, and pays what all have earned: one
 * of weight 2 has two of three turns, and not both of them in a row if that can be helped.
 */
static size_t choose_in_turn(const struct policy_choice *choice)
{
    const struct membership *members = choice->members;
    size_t richest = members->count;
    int64_t sum = 0;
    for (size_t i = 0; i < members->count; i++) {
        size_t index = (choice->first + i) % members->count;
        if (!policy_may_choose(choice, index))
            continue;
        int64_t weight = server_state_effective_weight(members->members[index].server);
        choice->credits[index] += weight;
        sum += weight;
        if (richest == members->count || choice->credits[index] > choice->credits[richest])
            richest = index;
    }
    if (richest < members->count)
        choice->credits[richest] -= sum;
    return richest;
}

const struct policy policy_round_robin = {"round-robin", choose_in_turn};
