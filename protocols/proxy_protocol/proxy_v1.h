/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_PROXY_PROTOCOL_PROXY_V1_H
#define DEEPPROXY_PROTOCOLS_PROXY_PROTOCOL_PROXY_V1_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes the header of the PROXY protocol, version 1 (HAProxy's doc/proxy-protocol.txt, section 2.1): a line
 * of text, for servers that know no version 2. It has no place for TLS. A pure function into memory of the
 * caller, who must send the header in one segment and ahead of everything else.
 */
enum { PROXY_V1_MAX = 107 }; /* section 2.1: the longest line, without a NUL */

/*
 * Numeric addresses ("203.0.113.5", "2001:db8::1") and ports of the client, and of the proxy as the client
 * has reached it.
 */
struct proxy_v1 {
    const char *client;
    const char *proxy;
    uint16_t client_port;
    uint16_t proxy_port;
};

/*
 * Writes the header, and returns its length, without a NUL. If the addresses are not of one family, or not
 * both known (NULL), it is UNKNOWN, and the server takes the connection's own.
 */
size_t proxy_v1_write(const struct proxy_v1 *header, char into[PROXY_V1_MAX + 1]);

#endif
