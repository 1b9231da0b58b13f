/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/descriptors.h"

#include "proxy/admin/admin.h"
#include "proxy/names/name_lookup.h"

enum {
    /*
     * A loop of libuv has an epoll, an eventfd, the two ends of a pipe for signals, /dev/null, and in later
     * versions two rings of io_uring.
     */
    LOOP = 7,
    /* A channel to the key process, and the one that replaces it. */
    CHANNELS = 2,
    /*
     * Standard streams, the pipe of all signals, inotify, the admin endpoint's epoll, the key process's two
     * sockets, the state file with its folder, the ticket keys, and a reserve as large as all of these.
     */
    MAIN = 24,
    /* What four threads of libuv's pool read: a folder, a file in it, the system's accounts by a plugin. */
    POOL = 4 * 6,
    /* A thread that looks a name up: a file of the resolver's, and a socket for each of three servers. */
    NAMES = NAME_LOOKUP_THREADS_MAX * 4
};

size_t descriptors_own(const struct descriptors_need *need)
{
    size_t of_worker = LOOP + CHANNELS + 2 * need->listeners;
    return need->workers * of_worker + LOOP + CHANNELS + MAIN + POOL + NAMES + need->checks +
           2 * need->admin_listeners + ADMIN_CONNECTIONS_MAX + ADMIN_CONTROL_CONNECTIONS_MAX + 1;
}

size_t descriptors_sessions(const struct descriptors_need *need, size_t limit)
{
    size_t own = descriptors_own(need);
    size_t least = limit / 4;
    size_t left = limit > own + least ? limit - own : least;
    return left >= DESCRIPTORS_PER_SESSION ? left / DESCRIPTORS_PER_SESSION : 1;
}
