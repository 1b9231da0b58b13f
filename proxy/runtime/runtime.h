/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_RUNTIME_H
#define DEEPPROXY_PROXY_RUNTIME_RUNTIME_H

#include "proxy/backends/member_lists.h"
#include "proxy/runtime/snapshot.h"

/*
 * What the program runs with: a snapshot of the configuration, and what changes more often than it and apart
 * from it: what is read from files, and the addresses of names. Each of the four is immutable, or guards
 * itself, and counted by reference; a struct runtime holds one reference of each that is not NULL. A visitor
 * of this room begins here: runtime_load shows what is made of a file.
 */
struct runtime {
    struct snapshot *snapshot;
    /* For TLS with clients. Sessions need it until their handshake is done. */
    struct tls_context *tls;
    /* For TLS with servers, by pool. */
    struct pool_tls_set *pools;
    /* The servers, by pool. */
    struct member_lists *members;
};

/*
 * Loads the file and all that it names into `into`; its references are the caller's. Private keys are read by
 * way of `keys` (NULL: into this process). What `before` knows (all NULL: nothing) stays known: servers that
 * failed a moment ago, counters and client reports, and files as in snapshot_certificates.h. False, with
 * `into` all NULL, if `problems` has an error: everything that is wrong. It reads files, and may block, so it
 * must not run in a worker. It looks no name up: the caller replaces `members`, in which no name has an
 * address.
 */
bool runtime_load(const char *path, const struct tls_key_source *keys, const struct runtime *before,
                  struct runtime *into, struct cfg_problems *problems);

/* Adds a reference of each of the four that is not NULL, and returns them. */
struct runtime runtime_ref(const struct runtime *runtime);

/* The list of the pool of that name; NULL if there is none, or `runtime` is all NULL. */
const struct membership *runtime_find_members(const struct runtime *runtime, const char *name);

/* Drops the references, and nulls all four. */
void runtime_unref(struct runtime *runtime);

#endif
