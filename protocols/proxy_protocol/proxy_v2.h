/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_PROXY_PROTOCOL_PROXY_V2_H
#define DEEPPROXY_PROTOCOLS_PROXY_PROTOCOL_PROXY_V2_H

#include "base/slice.h"

/*
 * Writes the header of the PROXY protocol, version 2 (HAProxy's doc/proxy-protocol.txt), with which a backend
 * learns before the first octet of the session who the client is and how it is protected. A pure function
 * into memory of the caller, who must send the header in one segment and ahead of everything else.
 */
enum {
    /*
     * All of it. Dovecot reads no more, and it fits into a segment of an Ethernet path with room for TCP
     * options.
     */
    PROXY_V2_MAX = 1500,
    PROXY_V2_UNIQUE_ID_MAX = 128, /* section 2.2.5 */
    /* Of a certificate's name. X.520 has 64 characters of up to 4 octets; all else leaves room for more. */
    PROXY_V2_NAME_MAX = 256
};

enum proxy_v2_family {
    PROXY_V2_UNSPEC, /* not known, or neither of the others: the backend takes the connection's own */
    PROXY_V2_IPV4,
    PROXY_V2_IPV6
};

/* Of a TCP connection. Octets in network order: the first 4, or all 16; the port in the machine's. */
struct proxy_v2_address {
    enum proxy_v2_family family;
    uint8_t octets[16];
    uint16_t port;
};

/*
 * The client's TLS session, in the words of OpenSSL, in which the protocol has them; not the registered ones.
 */
struct proxy_v2_tls {
    const char *version;   /* "TLSv1.3"; obligatory */
    const char *cipher;    /* "ECDHE-RSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"; NULL leaves it out */
    bool certificate_conn; /* the client has shown a certificate over this connection ... */
    bool certificate_sess; /* ... or over this one or an earlier one of the same TLS session */
    bool certificate_verified; /* and it was found good; of no meaning without one of the two */
    /*
     * Of a certificate that was found good, in UTF-8. Left out if empty, or longer than PROXY_V2_NAME_MAX: a
     * cut one would be another's.
     */
    struct slice common_name;
};

/* What the header has. All zero is a header that has nothing; empty slices and NULL leave their part out. */
struct proxy_v2 {
    bool local; /* a connection of the proxy's own, as for a health check: nothing of what is below is sent */
    struct proxy_v2_address client; /* where the connection comes from, and to which address of the proxy */
    struct proxy_v2_address proxy;
    struct slice authority; /* the host name that the client asked for (SNI) */
    struct slice unique_id; /* the session's, at most PROXY_V2_UNIQUE_ID_MAX octets */
    const struct proxy_v2_tls *tls;
};

/*
 * Writes the header and returns its length. Returns 0, with `into` undefined, if it would be longer than
 * `size` or PROXY_V2_MAX, or if the unique id is too long. With parts that keep to their own limits (a host
 * name 255) and PROXY_V2_MAX octets this cannot happen.
 *
 * The families of the two addresses need not agree: IPv4 mapped into IPv6 counts as IPv4, IPv4 beside IPv6 is
 * mapped, and if one is PROXY_V2_UNSPEC both are. TLVs are sent in any case.
 */
size_t proxy_v2_write(const struct proxy_v2 *header, uint8_t *into, size_t size);

#endif
