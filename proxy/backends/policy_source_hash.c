/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/policy.h"

#include <math.h>

/*
 * Rendezvous: each server draws a number from its name and the client's key, and the best one wins. Losing a
 * server moves its own clients and nobody else's, and all proxies agree without a word. With the logarithm
 * the shares are those of the weights, exactly. Slow start is left out, as it would move clients twice.
 */

/* Every bit of the result depends on every bit of the input (the finalizer of SplitMix64). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* In (0, 1). */
static double draw(const struct server_state *server, uint64_t key)
{
    uint64_t bits = mix(mix(server->name_hash) ^ mix(key + 0x9e3779b97f4a7c15u));
    return ((double)(bits >> 11) + 0.5) / 9007199254740992.0;
}

static size_t choose_by_hash(const struct policy_choice *choice)
{
    const struct membership *members = choice->members;
    size_t best = members->count;
    double least = INFINITY;
    for (size_t i = 0; i < members->count; i++) {
        const struct server_state *server = members->members[i].server;
        if (!policy_may_choose(choice, i) || server_state_weight(server) == 0)
            continue;
        double score = -log(draw(server, choice->key)) / server_state_weight(server);
        if (score < least) {
            least = score;
            best = i;
        }
    }
    return best;
}

const struct policy policy_source_hash = {"source-hash", choose_by_hash};
