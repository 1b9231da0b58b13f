/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_LISTENERS_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_LISTENERS_H

#include "config/cfg.h"

#include <uv.h>

/*
 * The listening sockets of the admin endpoint: opened by the main thread before privileges are given up, where it can be,
 * and kept over reloads while their address stays.
 */
struct admin_listener {
    uv_poll_t poll; /* once it is served; its `data` is the admin's */
    int fd;
    bool is_served;
    struct sockaddr_storage configured; /* as in the file */
    struct sockaddr_storage address;    /* as bound: a port of 0 has become a real one */
};

struct admin_listeners {
    struct admin_listener *items[CFG_ADMIN_LISTEN_MAX];
    size_t count;
};

/*
 * Those of `previous` (NULL: there are none) whose address stays are in both. False with errors in `problems`, and then
 * nothing new is open. Clients wait, unserved, from here on.
 */
bool admin_listeners_open(const struct cfg *cfg, const struct admin_listeners *previous,
                          struct admin_listeners *into, struct cfg_problems *problems);

/* Closes those that are not served; NULL stands for one that is somebody else's already. */
void admin_listeners_give_up(struct admin_listeners *listeners);

#endif
