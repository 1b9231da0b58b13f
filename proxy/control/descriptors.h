/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_DESCRIPTORS_H
#define DEEPPROXY_PROXY_CONTROL_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * How many descriptors the program needs for itself, and so how many sessions a limit of open files allows.
 * It opens nothing, and reads no limit.
 */
enum {
    /* The client's connection, and the server's. */
    DESCRIPTORS_PER_SESSION = 2
};

struct descriptors_need {
    unsigned workers;
    size_t listeners;       /* addresses of services: each worker has a socket for each */
    size_t admin_listeners; /* addresses of the admin endpoint */
    size_t checks;          /* of servers, at once */
};

/*
 * At the most: all listeners are twice there while a reload replaces each of them, and so are the channels to
 * the key process while it starts anew.
 */
size_t descriptors_own(const struct descriptors_need *need);

/*
 * How many sessions there can be with `limit` descriptors; at least 1. If the limit is too low for the
 * program's own, a quarter of it is for sessions: the program may run out of descriptors then, and says so.
 */
size_t descriptors_sessions(const struct descriptors_need *need, size_t limit);

#endif
