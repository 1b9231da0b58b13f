/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_CLIENT_LIMIT_H
#define DEEPPROXY_PROXY_COMMON_CLIENT_LIMIT_H

/* The limits that keep clients out, named after the settings that change them. */
enum client_limit {
    CLIENT_LIMIT_CONNECTIONS,             /* max_connections: closed */
    CLIENT_LIMIT_CONNECTIONS_PER_ADDRESS, /* closed */
    CLIENT_LIMIT_HANDSHAKES,              /* all wait in the kernel's queue until a handshake is over */
    CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS,  /* closed */
    CLIENT_LIMITS
};

/* The setting's name, static. */
const char *client_limit_name(enum client_limit limit);

#endif
