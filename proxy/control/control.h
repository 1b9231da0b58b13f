/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_CONTROL_H
#define DEEPPROXY_PROXY_CONTROL_CONTROL_H

#include "proxy/keyclient/key_manager.h"
#include "proxy/runtime/snapshot.h"

/*
 * The main thread of a running proxy: opens the listening sockets, gives up root, starts the workers, then
 * serves signals and the log until all workers have ended. SIGTERM and SIGINT stop accepting and let sessions
 * finish for as long as timeouts.shutdown says; a second one ends them at once, with a goodbye. SIGUSR1, and the end, write the
 * counts of reports to the log.
 *
 * SIGHUP reads the configuration again, certificates, and what pools need for TLS, are read again when their files change, and ticket keys are looked at each
 * minute: what is new is put into effect after every check, or the log says what is wrong and the old goes on. Sessions keep
 * the configuration that they began with; listeners whose address stays are never closed.
 */

/*
 * Takes what is loaded over. `keys` has the private keys, with control_worker_count workers; NULL where they are in this
 * process. The exit status of the program; what went wrong is on standard error.
 */
int control_run(struct loaded *loaded, struct key_manager *keys);

/* How many workers there will be. */
unsigned control_worker_count(const struct cfg *cfg);

#endif
