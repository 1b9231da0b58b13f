/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ip_literal.h"

#include "base/ensure.h"

#include <arpa/inet.h>
#include <string.h>

_Static_assert(IP_LITERAL_TEXT_MAX == INET6_ADDRSTRLEN, "as the C library has it");

static bool read_address(int family, struct slice text, void *octets)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof copy || slice_find(text, '\0') < text.len)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, octets) == 1;
}

bool ip_literal_read_ipv4(struct slice text, uint8_t octets[IP_LITERAL_IPV4_OCTETS])
{
    return read_address(AF_INET, text, octets);
}

bool ip_literal_read_ipv6(struct slice text, uint8_t octets[IP_LITERAL_IPV6_OCTETS])
{
    return read_address(AF_INET6, text, octets);
}

bool ip_literal_is_ipv4(struct slice text)
{
    uint8_t octets[IP_LITERAL_IPV4_OCTETS];
    return ip_literal_read_ipv4(text, octets);
}

bool ip_literal_is_ipv6(struct slice text)
{
    uint8_t octets[IP_LITERAL_IPV6_OCTETS];
    return ip_literal_read_ipv6(text, octets);
}

void ip_literal_write(bool is_ipv6, const uint8_t *octets, char into[IP_LITERAL_TEXT_MAX])
{
    ENSURE(inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, octets, into, IP_LITERAL_TEXT_MAX) != NULL);
}
