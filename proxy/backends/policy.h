/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_POLICY_H
#define DEEPPROXY_PROXY_BACKENDS_POLICY_H

#include "config/cfg.h"
#include "proxy/backends/membership.h"

/*
 * The policies by which a pool selects a server: a file each, pure, without clock, chance or memory but what
 * they are given. A policy knows weights and counts of sessions, and asks policy_may_choose for the rest; it
 * takes no place. To add one: a value of enum cfg_balance with its word, a file policy_*.c and a row in
 * policy.c.
 */
struct policy_choice {
    const struct membership *members;
    const uint8_t *candidates; /* by index: not 0 if it may be chosen */
    int64_t *credits;          /* this worker's, as many as members: for turns */
    size_t first;              /* of equal members the first one from here on is chosen */
    uint64_t key;              /* of the client: equal for one address, in every proxy */
    uint64_t random;           /* 64 random bits */
};

struct policy {
    const char *word; /* as the file spells it: cfg_balance_name() */
    /* The index of the member that is selected; members->count if none may be chosen. */
    size_t (*choose)(const struct policy_choice *choice);
};

extern const struct policy policy_round_robin;       /* in turn, by weight, smoothly */
extern const struct policy policy_least_connections; /* the one of two with fewer sessions for its weight */
extern const struct policy policy_source_hash;       /* one address, one server */

/* The policy that the configuration means, static. */
const struct policy *policy_of(enum cfg_balance balance);

/* May the policy choose the member with this index? */
static inline bool policy_may_choose(const struct policy_choice *choice, size_t index)
{
    return choice->candidates[index] != 0;
}

#endif
