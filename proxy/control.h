/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_H
#define DEEPPROXY_PROXY_CONTROL_H

#include "proxy/snapshot.h"

/*
 * The main thread of a running proxy: opens the listening sockets, gives up root, starts the workers, then
 * serves signals and the log until all workers have ended. SIGTERM and SIGINT stop accepting and let sessions
 * finish for as long as timeouts.shutdown says; a second one ends them at once, with a goodbye. SIGHUP looks for
 * new ticket keys, which is done each minute as well. SIGUSR1, and the end, write the counts of reports to the log.
 */

/* Takes a reference to the snapshot. The exit status of the program; what went wrong is on standard error. */
int control_run(struct snapshot *snapshot);

#endif
