/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_PROXY_PROTOCOL_PROXY_V2_PRIVATE_H
#define DEEPPROXY_PROTOCOLS_PROXY_PROTOCOL_PROXY_V2_PRIVATE_H

#include <stdint.h>

/*
 * The octets of a header of version 2, for its writer and its reader alone (HAProxy's doc/proxy-protocol.txt,
 * sections 2.2 and 2.2.1 to 2.2.7).
 */
enum {
    VERSION_2 = 0x20, /* the upper half of its octet */
    VERSION_MASK = 0xf0,
    COMMAND_LOCAL = 0x00, /* the lower half */
    COMMAND_PROXY = 0x01,
    COMMAND_MASK = 0x0f,
    FAMILY_UNSPEC = 0x00,
    FAMILY_UNSPEC_STREAM = 0x01,
    FAMILY_TCP4 = 0x11,
    FAMILY_TCP6 = 0x21,
    FAMILY_UNIX_STREAM = 0x31,
    TLV_AUTHORITY = 0x02,
    TLV_UNIQUE_ID = 0x05,
    TLV_SSL = 0x20,
    TLV_SSL_VERSION = 0x21,
    TLV_SSL_CN = 0x22,
    TLV_SSL_CIPHER = 0x23,
    CLIENT_SSL = 0x01,
    CLIENT_CERT_CONN = 0x02,
    CLIENT_CERT_SESS = 0x04,
    COMMAND_AT = 12, /* after the signature: version and command, family, and the length of what follows */
    FAMILY_AT = 13,
    LENGTH_AT = 14,
    FIXED_LEN = 16,
    /* The two addresses and their ports. */
    TCP4_LEN = 12,
    TCP6_LEN = 36,
    UNIX_LEN = 216
};

enum { PROXY_V2_SIGNATURE_LEN = 12 };
extern const uint8_t proxy_v2_signature[PROXY_V2_SIGNATURE_LEN];

#endif
