/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_CONTROL_H
#define DEEPPROXY_PROXY_CONTROL_CONTROL_H

#include "proxy/keyclient/key_manager.h"
#include "proxy/runtime/runtime.h"

/*
 * The main thread of a running proxy: opens the listening sockets, gives up root, starts the workers, and
 * serves signals, the log and the admin endpoint until all workers have ended. It never touches a session. A
 * visitor of this room begins here, and goes on to control_private.h.
 *
 * SIGTERM and SIGINT stop accepting and let sessions finish for as long as timeouts.shutdown says; a second
 * one ends them at once, in the protocol's words. SIGUSR1 logs the counts of client reports, and so does the
 * end. A SIGHUP or SIGUSR1 that comes during the start is handled after it.
 *
 * SIGHUP reads the configuration again. Certificates, and files of TLS towards servers, are read again when
 * they change, and ticket keys are looked at each minute. What was read takes effect if every check has
 * passed; otherwise the log has the reason, and what was in effect before stays. Sessions keep the
 * configuration that they began with; listeners whose address stays are never closed.
 */

/*
 * Holds SIGHUP and SIGUSR1 back until control_run serves them: before that their default action would end the
 * program. Call it first of all that `run` does, in the only thread; what is started later inherits it.
 */
void control_hold_early_signals(void);

/*
 * Runs the proxy; takes the references in `runtime` over and nulls them. `keys` has the private keys, with a
 * channel for each of control_worker_count workers; NULL: they are in this process. Returns the exit status
 * of the program; what kept it from starting is on standard error.
 */
int control_run(struct runtime *runtime, struct key_manager *keys);

/* How many workers the configuration asks for, or the cores of this process do. */
unsigned control_worker_count(const struct cfg *cfg);

#endif
