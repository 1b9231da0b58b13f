/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/policy.h"

#include "base/array.h"

static const struct policy *const policies[] = {[CFG_BALANCE_ROUND_ROBIN] = &policy_round_robin,
                                                [CFG_BALANCE_LEAST_CONNECTIONS] = &policy_least_connections,
                                                [CFG_BALANCE_SOURCE_HASH] = &policy_source_hash};
_Static_assert(ARRAY_LEN(policies) == CFG_BALANCES, "a policy for each word of \"balance\"");

const struct policy *policy_of(enum cfg_balance balance)
{
    return policies[balance];
}
