/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/ip_literal.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_of(int family, struct slice text)
{
    struct in6_addr address; /* room for either */
    char copy[INET6_ADDRSTRLEN];
    if (text.len >= sizeof copy || slice_find(text, '\0') < text.len)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, &address) == 1;
}

bool ip_literal_is_ipv4(struct slice text)
{
    return text.len > 0 && is_of(AF_INET, text);
}

bool ip_literal_is_ipv6(struct slice text)
{
    return text.len > 0 && is_of(AF_INET6, text);
}
