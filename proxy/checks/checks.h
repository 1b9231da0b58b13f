/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CHECKS_CHECKS_H
#define DEEPPROXY_PROXY_CHECKS_CHECKS_H

#include "proxy/checks/check_schedule.h"
#include "proxy/checks/server_check.h"

/*
 * The active checks of all servers on one loop, that of the main thread: each server in its turn
 * (check_schedule.h), each by one connection (server_check.h). It knows nothing of states and balancing: the
 * owner is told what was found, and says when the next check of this server is wanted.
 */
struct checks;
struct checked_server;

enum {
    /* Connections at once: each takes a descriptor of this machine, and some 30 KB while it has TLS. */
    CHECKS_AT_ONCE = 128
};

/*
 * A server was checked; called from the loop. Returns how soon the next check is wanted: fast if the state is
 * about to change (failing, rising, unchecked), slow if the server is down. It may add servers, and remove
 * others than this one.
 */
typedef enum check_pace (*checks_report_cb)(void *arg, const struct check_report *report);

/* `keys` as for check_runner_open. The caller frees it with checks_free. NULL if memory is short. */
MUST_CHECK struct checks *checks_new(uv_loop_t *loop, struct key_client *keys);

/*
 * Cancels what is under way, removes all servers, frees it, and nulls the pointer, which may be NULL already.
 * The loop must run once more before it is closed.
 */
void checks_free(struct checks **checks);

/*
 * Checks a server from now on: first within the interval, with others that were added spread over it. The
 * target's texts are copied, its `tls` is referenced. NULL if memory is short.
 */
MUST_CHECK struct checked_server *checks_add(struct checks *checks, const struct check_target *target,
                                             const struct check_intervals *intervals, checks_report_cb report,
                                             void *arg);

/* Checks it no more: a check that is under way is cancelled. Nulls the pointer, which may be NULL already. */
void checks_remove(struct checked_server **server);

/*
 * It is checked in another way, or at another pace; nothing changes if both are what they were. A check that
 * is under way goes on as it has begun. False if memory is short: then all stays as it was.
 */
MUST_CHECK bool checks_change(struct checked_server *server, const struct check_target *target,
                              const struct check_intervals *intervals);

/* Sessions suspect the server: the next check comes after the fast interval. */
void checks_hurry(struct checked_server *server);

/* How many are under way. */
size_t checks_under_way(const struct checks *checks);

#endif
