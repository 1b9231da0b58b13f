/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/readiness.h"

#include <stdio.h>

static bool can_serve(const struct runtime *runtime, size_t pool)
{
    return membership_count_available(runtime->members->lists[pool]) > 0;
}

static bool can_any_serve(const struct runtime *runtime)
{
    for (size_t i = 0; i < runtime->snapshot->cfg->pool_count; i++)
        if (can_serve(runtime, i))
            return true;
    return false;
}

/* Names the first one, and counts the others. */
static bool tell_missing(const struct cfg *cfg, size_t first, size_t missing, char *why, size_t cap)
{
    const char *name = cfg->pools[first].name;
    if (missing > 1)
        snprintf(why, cap, "no server takes sessions in the pool %.64s, nor in %zu more", name, missing - 1);
    else
        snprintf(why, cap, "no server takes sessions in the pool %.64s", name);
    return false;
}

bool readiness_of_pools(const struct runtime *runtime, char *why, size_t cap)
{
    const struct cfg *cfg = runtime->snapshot->cfg;
    const struct cfg_admin *admin = &cfg->admin;
    size_t missing = 0;
    size_t first = 0;
    if (admin->ready_need_count == 0 && !can_any_serve(runtime)) {
        snprintf(why, cap, "no server takes sessions in any pool");
        return false;
    }
    for (size_t i = admin->ready_need_count; i-- > 0;)
        if (!can_serve(runtime, admin->ready_needs[i])) {
            first = admin->ready_needs[i];
            missing++;
        }
    return missing == 0 || tell_missing(cfg, first, missing, why, cap);
}
