/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/client_limit.h"

#include "base/array.h"

static const char *const names[] = {
    [CLIENT_LIMIT_CONNECTIONS] = "max_connections",
    [CLIENT_LIMIT_OPEN_FILES] = "open-files",
    [CLIENT_LIMIT_CONNECTIONS_PER_ADDRESS] = "limits.connections_per_address",
    [CLIENT_LIMIT_HANDSHAKES] = "limits.handshakes",
    [CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS] = "limits.handshakes_per_address",
    [CLIENT_LIMIT_CONNECTION_RATE] = "connection_rate_per_address",
};
_Static_assert(ARRAY_LEN(names) == CLIENT_LIMITS, "a name for each limit");

const char *client_limit_name(enum client_limit limit)
{
    return names[limit];
}

const char *client_limit_cause(enum client_limit limit)
{
    switch (limit) {
    case CLIENT_LIMIT_CONNECTIONS_PER_ADDRESS:
    case CLIENT_LIMIT_HANDSHAKES_PER_ADDRESS:
    case CLIENT_LIMIT_CONNECTION_RATE:
        return "many clients have this address (a gateway, a NAT, a webmail server: raise the limit), or one "
               "floods (leave it)";
    case CLIENT_LIMIT_HANDSHAKES:
        return "many clients return at once, as after an outage, or a flood: raise the limit if processors "
               "are idle meanwhile";
    case CLIENT_LIMIT_CONNECTIONS:
    case CLIENT_LIMIT_OPEN_FILES:
    case CLIENT_LIMITS:
        break;
    }
    return NULL;
}
