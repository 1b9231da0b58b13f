/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_TCP_OPTIONS_H
#define DEEPPROXY_PROXY_COMMON_TCP_OPTIONS_H

#include <stdbool.h>

/*
 * What is set on the sockets of both sides: those that listen, from which accepted ones inherit it, and those
 * towards servers. libuv's uv_tcp_keepalive is not used: it asks a silent peer ten times in ten seconds, so
 * that a short pause of the network ends sessions.
 *
 * TCP_USER_TIMEOUT is not set: it would also end a connection whose peer lives and takes nothing for a while.
 */
enum {
    /* Well below the 350 s after which common load balancers forget a connection. */
    KEEPALIVE_IDLE_SECONDS = 120,
    /* Five minutes of questions: a pause of the network that is shorter ends nothing. */
    KEEPALIVE_INTERVAL_SECONDS = 30,
    KEEPALIVE_COUNT = 10
};

/* Sends at once what is written, and asks peers that have been silent. False with errno if that fails. */
bool tcp_options_set(int fd);

#endif
