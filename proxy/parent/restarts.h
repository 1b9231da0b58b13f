/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_PARENT_RESTARTS_H
#define DEEPPROXY_PROXY_PARENT_RESTARTS_H

#include "base/must_check.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * When a process that has ended is started again: after a pause that doubles each time, and not for ever. A
 * process that crashes at each start must not keep the machine busy, and its supervisor is to see it. It has
 * no clock and starts nothing.
 */
enum {
    RESTART_FIRST_MS = 200,
    RESTART_MAX_MS = 10 * 1000,
    RESTARTS_MAX = 7,             /* in a row; with their pauses they take some 23 s */
    RESTART_STABLE_MS = 60 * 1000 /* one that has run so long has begun well: counting starts anew */
};

/* Zeroed at first. */
struct restarts {
    unsigned in_row;
};

/*
 * The process has ended, or could not be started, `lived_ms` after its start. False if it is not to be
 * started again; `*pause_ms` is then unchanged.
 */
MUST_CHECK bool restarts_next(struct restarts *restarts, uint64_t lived_ms, uint64_t *pause_ms);

#endif
