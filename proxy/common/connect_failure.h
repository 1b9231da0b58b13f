/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_CONNECT_FAILURE_H
#define DEEPPROXY_PROXY_COMMON_CONNECT_FAILURE_H

#include <stdbool.h>

/*
 * Who is to blame for a connection to a server that could not be made: what this machine lacks must never
 * count against a server. It only classifies; sessions and checks act on it.
 */
enum connect_failure {
    CONNECT_FAILURE_OF_SERVER, /* or of the network on the way to it */
    /* Of this machine: it has no port left towards this server, or no address to connect from. */
    CONNECT_FAILURE_OF_ROUTE,
    /* Of this machine: no other server would do better. */
    CONNECT_FAILURE_OF_MACHINE
};

/*
 * What a libuv error, or CONNECTING_NO_SOURCE, means. `has_socket`: the socket was there, and connecting it
 * has failed.
 */
enum connect_failure connect_failure_of(int error, bool has_socket);

#endif
