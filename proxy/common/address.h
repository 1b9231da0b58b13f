/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_ADDRESS_H
#define DEEPPROXY_PROXY_COMMON_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

/* Socket addresses as text. An IPv4 address that came over an IPv6 socket (::ffff:192.0.2.1) is an IPv4 address. */
enum { ADDRESS_TEXT_MAX = 64 };

/* Rewrites a v4-mapped IPv6 address in place. */
void address_unmap(struct sockaddr_storage *address);

/* "192.0.2.1:993", "[2001:db8::1]:993"; "?" for another family. */
void address_format(const struct sockaddr *address, char into[ADDRESS_TEXT_MAX]);

/* "192.0.2.1", "2001:db8::1"; "?" for another family. */
void address_format_host(const struct sockaddr *address, char into[ADDRESS_TEXT_MAX]);

uint16_t address_port(const struct sockaddr *address);

#endif
