/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/balance.h"

/* The first that may be chosen from the worker's position on; the next session begins after it. */
static size_t choose_in_turn(const struct balance_choice *choice)
{
    size_t count = choice->pool->server_count;
    size_t start = *choice->position % count;
    for (size_t i = 0; i < count; i++) {
        size_t index = (start + i) % count;
        if (!balance_may_choose(choice, index))
            continue;
        *choice->position = index + 1;
        return index;
    }
    return count;
}

const struct balance_policy balance_round_robin = {"round-robin", choose_in_turn};
