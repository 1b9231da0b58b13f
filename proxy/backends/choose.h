/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_CHOOSE_H
#define DEEPPROXY_PROXY_BACKENDS_CHOOSE_H

#include "proxy/backends/membership.h"
#include "proxy/backends/policy.h"
#include "proxy/backends/reservation.h"

/*
 * Chooses a server for a session, and takes a place there. The order: a suspected server that is due for a
 * trial gets one session; then those that serve, by the pool's policy; then those that serve and are backups;
 * then suspected ones that are not due, one session each. No server is tried twice for one session. It never
 * connects, and never ends a session.
 */

/*
 * Servers that were tried for one session; NULL: none yet. It has a reference of the list that they are of.
 */
struct choose_tries;

enum choose_verdict {
    CHOOSE_CHOSEN,
    CHOOSE_WAIT,       /* all that serve are full: wait in the pool's queue */
    CHOOSE_WAIT_TRIAL, /* others try the servers that are left: wait for what they see, not for long */
    CHOOSE_NONE        /* no server is left, or memory is short */
};

struct choose_request {
    struct membership *members;
    const struct policy *policy;
    unsigned worker;
    uint64_t key;    /* of the client (policy.h) */
    uint64_t random; /* 64 random bits */
    uint64_t now_ms;
    bool was_queued; /* its turn has come in the pool's queue: it does not stand behind others */
};

/*
 * Chooses, adds the choice to `*tries`, which it makes if it is NULL, and fills `reservation`, which is none
 * before. If `*tries` is there, its list is used and not the request's.
 */
enum choose_verdict choose_server(const struct choose_request *request, struct choose_tries **tries,
                                  struct reservation *reservation);

/*
 * Is a server left that could be chosen next, had the one in use failed? Decides how long its greeting is
 * awaited.
 */
bool choose_has_other(const struct choose_request *request, const struct choose_tries *tries);

/* Frees it, and nulls the pointer, which may be NULL already. */
void choose_tries_free(struct choose_tries **tries);

#endif
