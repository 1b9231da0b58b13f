/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_listeners.h"

#include "config/cfg_endpoint.h"
#include "proxy/worker/listeners.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Only a socket whose address meets another one of ours shares its port, with programs of the same user. */
static bool is_beside_ours(const struct cfg_admin *admin, const struct cfg_endpoint *endpoint)
{
    for (size_t i = 0; i < admin->listen_count; i++)
        if (cfg_endpoint_covers(&admin->listen[i], endpoint) ||
            cfg_endpoint_covers(endpoint, &admin->listen[i]))
            return true;
    return false;
}

static bool has_listener(const struct admin_listeners *listeners, const struct admin_listener *listener)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->items[i] == listener)
            return true;
    return false;
}

/*
 * The one with this address, and of the families that it is to serve, that no other address of the new file
 * has; NULL if there is none.
 */
static struct admin_listener *find_listener(const struct cfg_admin *admin,
                                            const struct admin_listeners *previous,
                                            const struct admin_listeners *listeners,
                                            const struct cfg_endpoint *endpoint)
{
    bool leaves_ipv4 = cfg_endpoint_leaves_ipv4(endpoint, admin->listen, admin->listen_count);
    for (size_t i = 0; previous != NULL && i < previous->count; i++) {
        struct admin_listener *listener = previous->items[i];
        if (memcmp(&listener->configured, &endpoint->address, sizeof endpoint->address) == 0 &&
            (!listener->leaves_ipv4 || leaves_ipv4) && !has_listener(listeners, listener))
            return listener;
    }
    return NULL;
}

/* NULL after an error in `problems`, or if memory is short. */
static struct admin_listener *open_one(const struct cfg_admin *admin, const struct cfg_endpoint *endpoint,
                                       bool reload, struct cfg_problems *problems)
{
    struct listener_options options = {
        .only_v6 = cfg_endpoint_leaves_ipv4(endpoint, admin->listen, admin->listen_count),
        .shared = is_beside_ours(admin, endpoint),
        .reload = reload};
    struct admin_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return NULL;
    listener->configured = endpoint->address;
    listener->leaves_ipv4 = options.only_v6;
    listener->fd = listeners_open_single(endpoint, options, problems);
    socklen_t len = sizeof listener->address;
    if (listener->fd >= 0 && getsockname(listener->fd, (struct sockaddr *)&listener->address, &len) == 0)
        return listener;
    if (listener->fd >= 0)
        close(listener->fd);
    free(listener);
    return NULL;
}

bool admin_listeners_open(const struct cfg *cfg, const struct admin_listeners *previous,
                          struct admin_listeners *into, struct cfg_problems *problems)
{
    const struct cfg_admin *admin = &cfg->admin;
    bool ok = true;
    *into = (struct admin_listeners){0};
    for (size_t i = 0; i < admin->listen_count; i++) {
        struct admin_listener *listener = find_listener(admin, previous, into, &admin->listen[i]);
        if (listener == NULL)
            listener = open_one(admin, &admin->listen[i], previous != NULL, problems);
        if (listener != NULL)
            into->items[into->count++] = listener;
        else
            ok = false;
    }
    if (!ok)
        admin_listeners_give_up(into);
    return ok;
}

void admin_listeners_give_up(struct admin_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->items[i] != NULL && !listeners->items[i]->is_served) {
            close(listeners->items[i]->fd);
            free(listeners->items[i]);
        }
    *listeners = (struct admin_listeners){0};
}
