/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_ACCEPT_H
#define DEEPPROXY_PROXY_COMMON_ACCEPT_H

#include "base/must_check.h"

#include <sys/socket.h>

/*
 * Accepts a connection from a listening socket, and tells what it means if there is none. libuv's own loop
 * (uv_listen) is not used: when another thread has taken the descriptor that it keeps in reserve, it asks
 * again and again, and serves nothing else. Nothing here waits, logs or watches a socket.
 */
enum accept_outcome {
    ACCEPT_DONE,
    ACCEPT_NOBODY, /* no connection waits */
    ACCEPT_LOST,   /* this connection has failed: the next one may be accepted at once */
    ACCEPT_SHORT /* descriptors or memory are short, or the kernel refuses: later, with errno as the reason */
};

/*
 * Accepts one from `listener`, which does not block. ACCEPT_DONE: `*fd` is the caller's, does not block, and
 * is closed on exec. `address` and `len` are as for accept(2), and may be NULL. A connection that its peer
 * has reset is ACCEPT_LOST only if the address is asked for.
 */
MUST_CHECK enum accept_outcome accept_connection(int listener, int *fd, struct sockaddr *address,
                                                 socklen_t *len);

/*
 * What an operator can raise when accepting, or connecting, has failed with this errno; a text for the log,
 * or NULL.
 */
const char *accept_remedy(int error);

#endif
