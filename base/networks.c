/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/networks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BITS = 96 };

/* ::ffff:0:0/96 (RFC 4291 section 2.5.5.2) */
static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static unsigned bits_of_family(bool is_ipv6)
{
    return is_ipv6 ? IPV6_BITS : IPV4_BITS;
}

/* Clears the bits after the first `bits`. True if one was set. */
static bool clear_host_bits(uint8_t octets[IP_LITERAL_IPV6_OCTETS], unsigned bits)
{
    bool was_set = false;
    for (unsigned i = 0; i < IP_LITERAL_IPV6_OCTETS; i++) {
        unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
        uint8_t mask = (uint8_t)(kept >= 8 ? 0xff : 0xff00 >> kept);
        was_set = was_set || (octets[i] & ~mask) != 0;
        octets[i] &= mask;
    }
    return was_set;
}

static void unmap(struct network *network)
{
    if (!network->is_ipv6 || network->bits < MAPPED_BITS ||
        memcmp(network->octets, mapped_prefix, sizeof mapped_prefix) != 0)
        return;
    memmove(network->octets, network->octets + sizeof mapped_prefix, IP_LITERAL_IPV4_OCTETS);
    memset(network->octets + IP_LITERAL_IPV4_OCTETS, 0, sizeof mapped_prefix);
    network->is_ipv6 = false;
    network->bits = (uint8_t)(network->bits - MAPPED_BITS);
}

enum network_fault network_read(struct slice text, struct network *into)
{
    *into = (struct network){0};
    size_t slash = slice_find(text, '/');
    struct slice address = slice_first(text, slash);
    into->is_ipv6 = ip_literal_read_ipv6(address, into->octets);
    if (!into->is_ipv6 && !ip_literal_read_ipv4(address, into->octets))
        return NETWORK_NO_ADDRESS;
    unsigned max = bits_of_family(into->is_ipv6);
    unsigned bits = max;
    if (slash < text.len && !slice_read_decimal(slice_from(text, slash + 1), max, &bits))
        return NETWORK_NO_LENGTH;
    into->bits = (uint8_t)bits;
    bool has_host_bits = clear_host_bits(into->octets, into->bits);
    unmap(into);
    return has_host_bits ? NETWORK_HOST_BITS : NETWORK_GOOD;
}

void network_write(const struct network *network, char into[NETWORK_TEXT_MAX])
{
    char address[IP_LITERAL_TEXT_MAX];
    ip_literal_write(network->is_ipv6, network->octets, address);
    snprintf(into, NETWORK_TEXT_MAX, "%s/%u", address, network->bits);
}

/* The larger of two that begin alike comes first. */
static int order(const void *a, const void *b)
{
    const struct network *one = a;
    const struct network *other = b;
    if (one->is_ipv6 != other->is_ipv6)
        return one->is_ipv6 ? 1 : -1;
    int by_octets = memcmp(one->octets, other->octets, sizeof one->octets);
    return by_octets != 0 ? by_octets : (int)one->bits - (int)other->bits;
}

static bool has(const struct network *network, bool is_ipv6, const uint8_t *octets)
{
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    return network->is_ipv6 == is_ipv6 && memcmp(network->octets, octets, whole) == 0 &&
           (rest == 0 || (network->octets[whole] ^ octets[whole]) >> (8 - rest) == 0);
}

void networks_sort(struct networks *networks)
{
    size_t kept = 0;
    if (networks->count == 0)
        return;
    qsort(networks->list, networks->count, sizeof networks->list[0], order);
    for (size_t i = 1; i < networks->count; i++) {
        const struct network *next = &networks->list[i];
        if (!has(&networks->list[kept], next->is_ipv6, next->octets))
            networks->list[++kept] = *next;
    }
    networks->count = kept + 1;
}

/* No network is in another one, so only the last that begins at or before the address can have it. */
bool networks_have(const struct networks *networks, bool is_ipv6, const uint8_t *octets)
{
    struct network wanted = {.is_ipv6 = is_ipv6, .bits = IPV6_BITS};
    memcpy(wanted.octets, octets, is_ipv6 ? IP_LITERAL_IPV6_OCTETS : IP_LITERAL_IPV4_OCTETS);
    size_t from = 0;
    size_t to = networks->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (order(&networks->list[middle], &wanted) <= 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from > 0 && has(&networks->list[from - 1], is_ipv6, octets);
}
