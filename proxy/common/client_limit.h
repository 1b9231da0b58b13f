/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_CLIENT_LIMIT_H
#define DEEPPROXY_PROXY_COMMON_CLIENT_LIMIT_H

/*
 * The limits that keep clients out, named after the settings that change them. Nothing here counts clients.
 */
enum client_limit {
    CLIENT_LIMIT_CONNECTIONS,             /* max_connections: the connection is closed */
    CLIENT_LIMIT_OPEN_FILES,              /* no setting, but RLIMIT_NOFILE: the connection is closed */
    CLIENT_LIMIT_CONNECTIONS_PER_ADDRESS, /* the connection is closed */
    CLIENT_LIMIT_HANDSHAKES,              /* new connections wait in the kernel until a handshake has ended */
    /* The connection waits; it is closed if too many do, or if it does for too long. */
    CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS,
    /* The connection waits for its turn; it is closed if that is too far off. */
    CLIENT_LIMIT_CONNECTION_RATE,
    CLIENT_LIMITS /* how many limits there are */
};

/*
 * What has probably happened, and what to do about it, in a sentence for the log; static. NULL if the name of
 * the limit tells enough.
 */
const char *client_limit_cause(enum client_limit limit);

/* The name of the setting, as in the configuration file, or "open-files"; static. */
const char *client_limit_name(enum client_limit limit);

#endif
