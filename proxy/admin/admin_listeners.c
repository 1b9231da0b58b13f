/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admin/admin_listeners.h"

#include "proxy/worker/listeners.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * An IPv6 wildcard serves IPv4 too, unless the file gives the endpoint an IPv4 address of its own for that
 * port.
 */
static bool wants_only_v6(const struct cfg_admin *admin, const struct cfg_endpoint *endpoint)
{
    for (size_t i = 0; i < admin->listen_count; i++)
        if (admin->listen[i].address.ss_family == AF_INET && admin->listen[i].port == endpoint->port)
            return endpoint->port != 0;
    return false;
}

static bool has_listener(const struct admin_listeners *listeners, const struct admin_listener *listener)
{
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->items[i] == listener)
            return true;
    return false;
}

/* The one with this address that no other address of the new file has; NULL if there is none. */
static struct admin_listener *find_listener(const struct admin_listeners *previous,
                                            const struct admin_listeners *listeners,
                                            const struct cfg_endpoint *endpoint)
{
    for (size_t i = 0; previous != NULL && i < previous->count; i++) {
        struct admin_listener *listener = previous->items[i];
        if (memcmp(&listener->configured, &endpoint->address, sizeof endpoint->address) == 0 &&
            !has_listener(listeners, listener))
            return listener;
    }
    return NULL;
}

/* NULL after an error in `problems`, or if memory is short. */
static struct admin_listener *open_one(const struct cfg_admin *admin, const struct cfg_endpoint *endpoint,
                                       bool reload, struct cfg_problems *problems)
{
    struct admin_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return NULL;
    listener->configured = endpoint->address;
    listener->fd = listeners_open_single(endpoint, wants_only_v6(admin, endpoint), reload, problems);
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
        struct admin_listener *listener = find_listener(previous, into, &admin->listen[i]);
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
