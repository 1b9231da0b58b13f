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

/* Servers at which one session has failed; NULL: none yet. It has a reference of their list. */
struct choose_tries;

enum choose_verdict {
    CHOOSE_CHOSEN,
    CHOOSE_WAIT,       /* all that serve are full: wait in the pool's queue */
    CHOOSE_WAIT_TRIAL, /* others try the servers that are left: wait for what they see, not for long */
    CHOOSE_NONE        /* no server is left */
};

struct choose_request {
    struct membership *members;
    const struct policy *policy;
    unsigned worker;
    uint64_t key;    /* of the client (policy.h) */
    uint64_t random; /* 64 random bits */
    uint64_t now_ms;
    bool has_turn; /* its turn has come in the pool's queue */
    bool is_late;  /* it has waited so long that it tries no suspected server any more */
};

/*
 * Chooses a server that is not among `tries` (NULL: none), and fills `reservation`, which is none before. The
 * list of `tries` is used in place of the request's, so that all tries of a session are of one list. While
 * others wait in the pool's queue, a session that begins waits, too, unless it has the turn.
 */
enum choose_verdict choose_server(const struct choose_request *request, const struct choose_tries *tries,
                                  struct reservation *reservation);

/*
 * Is there a server that is not suspected, not full, not among `tries` and not `in_use`? While there is, a
 * session does not wait for long for the greeting of the one in use.
 */
bool choose_has_other(const struct choose_request *request, const struct choose_tries *tries,
                      const struct server_state *in_use);

/*
 * The session has failed at `server`, and is to try others: adds it to `*tries`, which is made if it is NULL.
 * False if memory is short: the session then tries no other.
 */
MUST_CHECK bool choose_add_try(struct choose_tries **tries, struct membership *members,
                               const struct server_state *server);

/* How many have been added. */
size_t choose_tries_count(const struct choose_tries *tries);

/* Frees it, and nulls the pointer, which may be NULL already. */
void choose_tries_free(struct choose_tries **tries);

#endif
