/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_ADDRESS_H
#define DEEPPROXY_PROXY_COMMON_ADDRESS_H

#include "base/networks.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Socket addresses as text. They are never parsed here. An IPv4 address that came over an IPv6 socket
 * (::ffff:192.0.2.1) is an IPv4 address after address_unmap.
 */
enum { ADDRESS_TEXT_MAX = 128 /* octets, with the NUL */ };

/* Replaces a v4-mapped IPv6 address by its IPv4 address; changes no other. */
void address_unmap(struct sockaddr_storage *address);

/* "192.0.2.1:993", "[2001:db8::1]:993" or "unix:/run/socket"; "?" for another family. */
void address_format(const struct sockaddr *address, char into[ADDRESS_TEXT_MAX]);

/* "192.0.2.1" or "2001:db8::1"; "?" for another family. */
void address_format_host(const struct sockaddr *address, char into[ADDRESS_TEXT_MAX]);

/* Are both the same IPv4 or IPv6 address, whatever their ports are? */
bool address_is_same_host(const struct sockaddr *a, const struct sockaddr *b);

/* Is the address, which is unmapped, in one of the networks? Of another family it is in none. */
bool address_is_in(const struct sockaddr *address, const struct networks *networks);

/*
 * A number that is the same for one IPv4 address, or one IPv6 /64, in every proxy: for policies that keep a
 * client at its server. No secret is in it.
 */
uint64_t address_key(const struct sockaddr *address);

/* The port of an IPv4 or IPv6 address, in the host's byte order; 0 for another family. */
uint16_t address_port(const struct sockaddr *address);

#endif
