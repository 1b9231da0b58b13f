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
 * Signals come from the parent alone, as words (proxy/parent/parent_link.h). SIGTERM and SIGINT stop
 * accepting and let sessions finish for as long as timeouts.shutdown says; a second one ends them at once, in
 * the protocol's words. SIGUSR1 logs the counts of client reports, and so does the end. What comes during the
 * start is handled after it. The parent's end is a SIGTERM; from then on this process has signals of its own.
 *
 * SIGHUP reads the configuration again. Certificates, and files of TLS towards servers, are read again when
 * they change, and ticket keys are looked at each minute. What was read takes effect if every check has
 * passed; otherwise the log has the reason, and what was in effect before stays. Sessions keep the
 * configuration that they began with; listeners whose address stays are never closed.
 */

/*
 * Runs the proxy; takes the references in `runtime` over and nulls them. `keys` has the private keys, with
 * control_channel_count channels; NULL: they are in this process. `link` comes from the
 * parent. Returns the exit status of the program; what kept it from starting is on standard error.
 */
int control_run(struct runtime *runtime, struct key_manager *keys, int link);

/* How many workers the configuration asks for, or the cores of this process do. */
unsigned control_worker_count(const struct cfg *cfg);

/* How many of its threads have signatures made by the key process: the workers, and the main thread's checks. */
unsigned control_channel_count(const struct cfg *cfg);

#endif
