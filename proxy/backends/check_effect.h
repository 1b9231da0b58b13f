/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_CHECK_EFFECT_H
#define DEEPPROXY_PROXY_BACKENDS_CHECK_EFFECT_H

#include "proxy/backends/server_state.h"

/*
 * What an active check means for its server: one table from the result to the event and its cause, and what
 * is remembered. It checks nothing itself. All functions are the control thread's.
 */

/* What a check has found. `detail` may be NULL, and may have octets of the server's certificate. */
struct check_found {
    enum check_result result;
    const char *detail;
    uint64_t duration_ms;
    struct server_facts *facts; /* NULL: nothing was learned; the caller's */
};

struct check_effect {
    enum server_event event;
    enum server_cause cause;
};

/* False, and nothing else, if the result says nothing of the server (CHECK_NOT_MADE). */
bool check_effect_of(enum check_result result, struct check_effect *effect);

/*
 * Counts the check, remembers what it has found, with a reference of the facts of one that passed, and
 * changes the server's state (server_state_event).
 */
void check_effect_apply(struct server_state *server, const struct check_found *found, uint64_t now_ms,
                        const struct server_observer *observer);

#endif
