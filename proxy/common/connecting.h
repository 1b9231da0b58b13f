/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_CONNECTING_H
#define DEEPPROXY_PROXY_COMMON_CONNECTING_H

#include "base/must_check.h"
#include "config/cfg.h"

#include <stdint.h>

/*
 * What connecting to a server takes beside libuv, for sessions and checks: an address to connect from, and
 * Unix sockets. It never blocks, and owns nothing.
 */

/* What connecting_bind returns if the machine has none of the source addresses: no libuv error. */
enum { CONNECTING_NO_SOURCE = -10000 };

/*
 * Binds a TCP socket to one of these addresses of the server's family; the kernel selects a port when it
 * connects. They are taken in turn, and one that the machine does not have is passed over. Does nothing if
 * none is of that family. Returns 0, CONNECTING_NO_SOURCE, or a libuv error.
 */
MUST_CHECK int connecting_bind(int fd, const struct sockaddr *server, const struct cfg_endpoint *sources,
                               size_t count, uint64_t turn);

/*
 * Connects to a Unix socket, which is done or fails at once: a full queue there is an error, UV_EAGAIN, and
 * none waits. `*fd` is the connected socket, non-blocking, and the caller's; -1 if there is none. Returns 0,
 * or a libuv error; `*has_socket` is for connect_failure_of.
 */
MUST_CHECK int connecting_to_unix(const struct sockaddr *server, socklen_t len, int *fd, bool *has_socket);

/* What a result of the two, or of uv_tcp_connect, says of a server of this family. Static. */
const char *connecting_words(int error, int family);

#endif
