/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_IP_LITERAL_H
#define DEEPPROXY_BASE_IP_LITERAL_H

#include "base/slice.h"

/*
 * Is a text a numeric address, and nothing else? The C library's inet_pton decides. Brackets, ports, zones
 * ("%eth0") and zeros in front of a decimal number are no part of an address.
 */

enum {
    IP_LITERAL_IPV4_OCTETS = 4,
    IP_LITERAL_IPV6_OCTETS = 16,
    IP_LITERAL_TEXT_MAX = 46 /* octets of the longest text, with its NUL */
};

/* "192.0.2.1" */
bool ip_literal_is_ipv4(struct slice text);

/* "2001:db8::1", "::ffff:192.0.2.1" */
bool ip_literal_is_ipv6(struct slice text);

/* As the two above; if the text is such an address, `octets` has it in network order. */
bool ip_literal_read_ipv4(struct slice text, uint8_t octets[IP_LITERAL_IPV4_OCTETS]);
bool ip_literal_read_ipv6(struct slice text, uint8_t octets[IP_LITERAL_IPV6_OCTETS]);

/* Writes the text of an IPv6 address, or else of an IPv4 address, with its NUL. */
void ip_literal_write(bool is_ipv6, const uint8_t *octets, char into[IP_LITERAL_TEXT_MAX]);

#endif
