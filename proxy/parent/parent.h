/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_PARENT_PARENT_H
#define DEEPPROXY_PROXY_PARENT_PARENT_H

#include "base/must_check.h"

/*
 * The process that `deepproxy run` is: PID 1 of a container, or what a supervisor has started. It starts the
 * guard of the private keys (keys/keys_process.h) and the proxy, which serves, and starts again what has
 * ended. It keeps the user that it was started as, so that it can; for that reason it does little else. It
 * reads nothing that comes from the proxy but how it has ended, never opens what the proxy names, and has no
 * thread. A visitor of this room begins here.
 *
 *     parent  -- parent_link.h: the guard's control socket, signals -->  proxy
 *        |                                                                 ^
 *        +-- starts -->  guard  <-- control socket: keys/keys_process.h ---+
 *
 * - A guard that hangs is ended: it sends a sign of life now and then, which the parent counts and does not
 *   read. The proxy could not: it is not root, and a guard that does not read can't be told to end.
 * - A guard that ends is replaced, and the proxy gets the new one's control socket. A proxy that is killed,
 *   or ends by a status of somebody else's, is started again with a new guard, and reads its configuration
 *   from the beginning. Each is a new image of the program, with a new address space. Pauses grow, and
 *   restarts are counted (restarts.h): if there were too many in a row the parent ends, after it has had the
 *   proxy let its sessions finish if that is there. So its supervisor sees what only it can mend.
 * - SIGTERM, SIGINT, SIGHUP and SIGUSR1 are handed on to the proxy, or kept until it is there. SIGTERM and
 *   SIGINT end a proxy whose workers have not begun, as they would without a parent. From then on it ignores
 *   what others send: it gets each signal once, even if a terminal or a supervisor sends it to all processes
 *   of a group. It stays in the parent's process group, so that a terminal stops and continues both.
 * - The parent's own end, if it is killed, ends the guard at once, and is a SIGTERM to the proxy.
 */

/* Exit statuses of `deepproxy run`. Others are the proxy's own, or 128 and the signal that killed it. */
enum {
    PARENT_STATUS_STOPPED = 0, /* as it was told to, by SIGTERM or SIGINT */
    PARENT_STATUS_START = 1,   /* the first start has failed: standard error tells why */
    PARENT_STATUS_GAVE_UP = 3  /* guard or proxy ended again and again */
};

/*
 * Holds the signals back that parent_run handles; before, their default action ends the program. Call it
 * first of all, in the only thread.
 */
void parent_hold_signals(void);

/* Serves with the configuration at `path` until it is told to end. Returns the exit status. */
MUST_CHECK int parent_run(const char *path);

#endif
