/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_IP_LITERAL_H
#define DEEPPROXY_BASE_IP_LITERAL_H

#include "base/slice.h"

/*
 * Is a text a numeric address, and nothing else? The C library's inet_pton decides. Brackets, ports, zones
 * ("%eth0") and zeros in front of a decimal number are no part of an address.
 */

/* "192.0.2.1" */
bool ip_literal_is_ipv4(struct slice text);

/* "2001:db8::1", "::ffff:192.0.2.1" */
bool ip_literal_is_ipv6(struct slice text);

#endif
