/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_NETWORKS_H
#define DEEPPROXY_BASE_NETWORKS_H

#include "base/ip_literal.h"
#include "base/must_check.h"

/*
 * Networks in the notation of RFC 4632 section 3.1 ("10.1.0.0/16", "fd00::/8"), and lists of them in which
 * addresses are looked up. An address without a length is a network of its own. An IPv4 address is never in
 * an IPv6 network, nor the other way round; one that is written as an IPv6 address (::ffff:10.1.0.0/112) is
 * the IPv4 one.
 */
struct network {
    bool is_ipv6;
    uint8_t bits;                           /* the length of the prefix */
    uint8_t octets[IP_LITERAL_IPV6_OCTETS]; /* in network order; of IPv4 the first four */
};

enum network_fault {
    NETWORK_GOOD,
    NETWORK_NO_ADDRESS, /* what comes before the slash is no numeric address */
    NETWORK_NO_LENGTH,  /* what comes after it is no number up to 32, or 128 */
    NETWORK_HOST_BITS   /* the address has bits after the prefix */
};

/*
 * Reads a text. After NETWORK_HOST_BITS `into` is the network that was probably meant, without these bits;
 * after any other fault it is undefined.
 */
MUST_CHECK enum network_fault network_read(struct slice text, struct network *into);

enum { NETWORK_TEXT_MAX = IP_LITERAL_TEXT_MAX + 4 };

/* Writes the text of a network, with its NUL; always with the length. */
void network_write(const struct network *network, char into[NETWORK_TEXT_MAX]);

/* The memory is the caller's. */
struct networks {
    struct network *list;
    size_t count;
};

/* Sorts a list, once it is complete, and takes out what is in another network of it. */
void networks_sort(struct networks *networks);

/*
 * Is the address in one of the networks? The list is sorted. It takes as many steps as the count has binary
 * digits. `octets` are as in struct network; a mapped address is the caller's to unmap.
 */
bool networks_have(const struct networks *networks, bool is_ipv6, const uint8_t *octets);

#endif
