/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/proxy_protocol/proxy_v1.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_v6(const char *address)
{
    return strchr(address, ':') != NULL;
}

size_t proxy_v1_write(const struct proxy_v1 *header, char into[PROXY_V1_MAX + 1])
{
    bool known =
        header->client != NULL && header->proxy != NULL && is_v6(header->client) == is_v6(header->proxy);
    int len = 0;
    if (known)
        len = snprintf(into, PROXY_V1_MAX + 1, "PROXY %s %s %s %u %u\r\n",
                       is_v6(header->client) ? "TCP6" : "TCP4", header->client, header->proxy,
                       header->client_port, header->proxy_port);
    if (len <= 0 || len > PROXY_V1_MAX)
        len = snprintf(into, PROXY_V1_MAX + 1, "PROXY UNKNOWN\r\n");
    return (size_t)len;
}
