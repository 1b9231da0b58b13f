/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_WORKER_LISTENERS_H
#define DEEPPROXY_PROXY_WORKER_LISTENERS_H

#include "base/must_check.h"
#include "proxy/runtime/snapshot.h"

/*
 * The listening sockets: for each address of each service one socket a worker, bound with SO_REUSEPORT so
 * that the kernel spreads connections. The main thread opens all of them, before it drops privileges if it
 * can. A worker takes its own over. A reload reuses the sockets of addresses that stay, and loses no
 * connection.
 *
 * A wildcard and an address that it covers may both be there: the kernel gives a connection to the socket
 * that is bound more closely. [::] serves IPv4 too, unless the file has 0.0.0.0 with the same port.
 */
enum { LISTENER_NEW = -1 };

struct listener_socket {
    int fd;         /* -1: a worker has taken it over */
    int reused;     /* index of the same socket before a reload; LISTENER_NEW: a new one */
    size_t service; /* index in the snapshot */
    struct sockaddr_storage configured; /* as in the file */
    struct sockaddr_storage address;    /* as bound: a port of 0 has become a real one */
    bool leaves_ipv4;                   /* an IPv6 wildcard that takes no IPv4 */
};

struct listeners {
    const struct cfg *cfg;           /* that has the addresses; outlives it */
    struct listener_socket *sockets; /* those of worker 0, then those of worker 1 ... */
    size_t per_worker;
    unsigned workers;
};

/*
 * Opens the sockets for `workers` workers. Addresses that `previous` has too (NULL: nothing is reused) are
 * not opened again: their sockets have `reused` set, and fd -1. False after errors in `problems`, or if
 * memory is short: no new one stays open.
 */
MUST_CHECK bool listeners_open(const struct cfg *cfg, unsigned workers, const struct listeners *previous,
                               struct listeners *into, struct cfg_problems *problems);

/* How one of the main thread's own sockets is opened. */
struct listener_options {
    bool only_v6; /* an IPv6 wildcard takes no IPv4 */
    bool shared;  /* an address of the same user's covers it, or is covered by it */
    bool reload;  /* the program has dropped its privileges, as an error then explains */
};

/*
 * Opens one more socket, for the main thread itself, which listens already. Returns -1 after an error in
 * `problems`.
 */
MUST_CHECK int listeners_open_single(const struct cfg_endpoint *endpoint, struct listener_options options,
                                     struct cfg_problems *problems);

/* Closes what no worker has taken over, and frees the list. Does nothing for one that is all zero. */
void listeners_close(struct listeners *listeners);

#endif
