/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/parent/restarts.h"

bool restarts_next(struct restarts *restarts, uint64_t lived_ms, uint64_t *pause_ms)
{
    if (lived_ms >= RESTART_STABLE_MS)
        restarts->in_row = 0;
    if (restarts->in_row == RESTARTS_MAX)
        return false;
    uint64_t pause = (uint64_t)RESTART_FIRST_MS << restarts->in_row++;
    *pause_ms = pause < RESTART_MAX_MS ? pause : RESTART_MAX_MS;
    return true;
}
