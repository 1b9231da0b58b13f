/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_LISTENERS_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_LISTENERS_H

#include "config/cfg.h"

#include <uv.h>

/*
 * The listening sockets of the admin endpoint. The main thread opens those of the start before it gives up
 * privileges; a reload reuses those whose address stays. It accepts nothing: admin.c does.
 */
struct admin_listener {
    uv_poll_t poll; /* from when it is served; `data` is the struct admin */
    int fd;
    bool is_served;
    struct sockaddr_storage configured; /* as in the file */
    struct sockaddr_storage address;    /* as bound: a port of 0 has become a real one */
    bool leaves_ipv4;                   /* an IPv6 wildcard that takes no IPv4 */
};

struct admin_listeners {
    struct admin_listener *items[CFG_ADMIN_LISTEN_MAX];
    size_t count;
};

/*
 * Opens what the configuration has. Those of `previous` (NULL: there are none) whose address stays are in
 * both lists then. From here on clients can connect, and wait until they are served. False after an error in
 * `problems`, with nothing new open.
 */
bool admin_listeners_open(const struct cfg *cfg, const struct admin_listeners *previous,
                          struct admin_listeners *into, struct cfg_problems *problems);

/*
 * Closes those that are not served, and empties the list. An item that is NULL belongs to another owner
 * already.
 */
void admin_listeners_give_up(struct admin_listeners *listeners);

#endif
