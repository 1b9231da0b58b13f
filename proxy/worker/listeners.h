/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_LISTENERS_H
#define DEEPPROXY_PROXY_WORKER_LISTENERS_H

#include "proxy/runtime/snapshot.h"

/*
 * The listening sockets: for each address of each service one a worker, bound with SO_REUSEPORT so that the
 * kernel spreads connections. All are opened by the main thread, before privileges are dropped where it can be.
 */
enum { LISTENER_NEW = -1 };

struct listener_socket {
    int fd;
    size_t service;                     /* index in the snapshot */
    int kept;                           /* index of the same socket before a reload; LISTENER_NEW */
    struct sockaddr_storage configured; /* as in the file */
    struct sockaddr_storage address;    /* as bound: a port of 0 has become a real one */
};

struct listeners {
    const struct cfg *cfg;           /* whose addresses they are */
    struct listener_socket *sockets; /* those of worker 0, then those of worker 1 ... */
    size_t per_worker;
    unsigned workers;
};

/*
 * False with errors in `problems`; nothing new stays open then. Addresses that are in `previous` too (NULL: there is none) are
 * not opened again: their sockets have `kept` set, and fd -1.
 */
bool listeners_open(const struct cfg *cfg, unsigned workers, const struct listeners *previous,
                    struct listeners *into, struct cfg_problems *problems);

/*
 * One more address, for the main thread alone: a socket that listens, or -1 after an error. `reload`: the program has given its
 * privileges up.
 */
int listeners_open_single(const struct cfg_endpoint *endpoint, bool only_v6, bool reload,
                          struct cfg_problems *problems);

/* Closes what a worker has not taken over (fd -1). */
void listeners_close(struct listeners *listeners);

#endif
