/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/address.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

void address_unmap(struct sockaddr_storage *address)
{
    struct sockaddr_in6 v6;
    if (address->ss_family != AF_INET6)
        return;
    memcpy(&v6, address, sizeof v6);
    if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6.sin6_port};
    memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, sizeof v4.sin_addr);
    memset(address, 0, sizeof *address);
    memcpy(address, &v4, sizeof v4);
}

/* inet_ntop does the same by sprintf, for each session several times. */
static void format_v4(const struct in_addr *address, char *into)
{
    uint8_t octets[4];
    memcpy(octets, address, sizeof octets);
    for (size_t i = 0; i < sizeof octets; i++) {
        if (octets[i] >= 100)
            *into++ = (char)('0' + octets[i] / 100);
        if (octets[i] >= 10)
            *into++ = (char)('0' + octets[i] / 10 % 10);
        *into++ = (char)('0' + octets[i] % 10);
        *into++ = i + 1 < sizeof octets ? '.' : '\0';
    }
}

void address_format_host(const struct sockaddr *address, char into[ADDRESS_TEXT_MAX])
{
    if (address->sa_family == AF_INET)
        format_v4(&((const struct sockaddr_in *)(const void *)address)->sin_addr, into);
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, into,
                  ADDRESS_TEXT_MAX);
    else
        snprintf(into, ADDRESS_TEXT_MAX, "?");
}

void address_format(const struct sockaddr *address, char into[ADDRESS_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];
    address_format_host(address, host);
    if (address->sa_family == AF_INET)
        snprintf(into, ADDRESS_TEXT_MAX, "%.46s:%u", host, address_port(address));
    else if (address->sa_family == AF_INET6)
        snprintf(into, ADDRESS_TEXT_MAX, "[%.46s]:%u", host, address_port(address));
    else if (address->sa_family == AF_UNIX)
        snprintf(into, ADDRESS_TEXT_MAX, "unix:%.108s",
                 ((const struct sockaddr_un *)(const void *)address)->sun_path);
    else
        snprintf(into, ADDRESS_TEXT_MAX, "?");
}

bool address_is_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
    char text_of_a[ADDRESS_TEXT_MAX];
    char text_of_b[ADDRESS_TEXT_MAX];
    address_format_host(a, text_of_a);
    address_format_host(b, text_of_b);
    return a->sa_family == b->sa_family && (a->sa_family == AF_INET || a->sa_family == AF_INET6) &&
           strcmp(text_of_a, text_of_b) == 0;
}

bool address_is_in(const struct sockaddr *address, const struct networks *networks)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        return networks_have(networks, false, (const uint8_t *)&v4->sin_addr);
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    return address->sa_family == AF_INET6 && networks_have(networks, true, v6->sin6_addr.s6_addr);
}

uint64_t address_key(const struct sockaddr *address)
{
    uint32_t v4 = 0;
    uint64_t v6 = 0;
    if (address->sa_family == AF_INET6) {
        memcpy(&v6, ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr, sizeof v6);
        return be64toh(v6);
    }
    if (address->sa_family == AF_INET)
        memcpy(&v4, &((const struct sockaddr_in *)(const void *)address)->sin_addr, sizeof v4);
    return be32toh(v4);
}

uint16_t address_port(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    if (address->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return 0;
}
