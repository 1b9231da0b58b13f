/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_SERVERS_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_SERVERS_H

#include "proxy/admin/admin_json.h"
#include "proxy/backends/membership.h"

/* Pools and servers in JSON, as they are now. It reads their states, and changes none. */

/* Now, on both clocks. */
struct admin_moment {
    int64_t real_ms; /* since 1970 */
    uint64_t ms;     /* of the clock that server_state.h has */
};

/* One server of a list. NULL if memory is short. */
json_t *admin_server_describe(const struct member *member, struct admin_moment now);

/* A pool, with sums over its servers. `balance` is the policy's word. NULL if memory is short. */
json_t *admin_pool_describe(const struct membership *members, const char *balance);

/* How many servers of a list take new sessions. */
size_t admin_servers_up(const struct membership *members);

#endif
