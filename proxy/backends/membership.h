/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_MEMBERSHIP_H
#define DEEPPROXY_PROXY_BACKENDS_MEMBERSHIP_H

#include "base/disposal.h"
#include "base/must_check.h"
#include "base/refcount.h"
#include "proxy/backends/pool_state.h"
#include "proxy/backends/server_state.h"

/*
 * Which servers a pool has now: an immutable list, counted by reference, apart from the snapshot, as names
 * get other addresses while a configuration runs. Workers are given a new list as they are given
 * certificates. It has the references of its servers' and its pool's state. What is not immutable is each
 * worker's own place in the turn of servers, which no other thread touches.
 */
struct member {
    struct server_state *server;
    struct server_rules rules; /* what the configuration says of it */
    bool is_backup;            /* used if no other takes sessions */
};

struct membership {
    struct refcount references;
    struct disposal disposal;
    struct pool_state *pool;
    size_t count;
    size_t room; /* for so many */
    unsigned workers;
    /* Each worker's own: credits of the members (policy.h), and which of them it may choose. */
    size_t stride; /* from one worker's part to the next one's, in items of either */
    int64_t *credits;
    uint8_t *candidates;
    struct member members[];
};

/*
 * A list with room for `count` members and none of them there yet: count is 0. Takes a reference of `pool`.
 * NULL if memory is short. One reference is the caller's.
 */
MUST_CHECK struct membership *membership_new(struct pool_state *pool, size_t count, unsigned workers);

/* Adds a member while the list is made; takes over the reference of `server`. There is room for it. */
void membership_add(struct membership *members, struct server_state *server, const struct server_rules *rules,
                    bool is_backup);

/* Adds a reference, and returns its argument. */
struct membership *membership_ref(struct membership *members);

/* Drops a reference, and nulls the pointer, which may be NULL already. */
void membership_unref(struct membership **members);

/* The member of that name; NULL if there is none. */
const struct member *membership_find(const struct membership *members, const char *name);

/* A number above that of each member's slot. */
size_t membership_slots(const struct membership *members);

/*
 * How many of its servers, backups among them, take sessions: those that are ready, neither down, without an
 * address, ejected nor of weight 0, and do not await their first check. Any thread.
 */
size_t membership_count_available(const struct membership *members);

/* Have both the same servers, with the same rules, in the same order? */
bool membership_equals(const struct membership *a, const struct membership *b);

/*
 * In the control thread, when the list takes effect in place of `before` (NULL: there was none): applies the
 * rules to the servers' states. A server that is new in a pool which was there must pass a check before it
 * counts, if there are checks, and inherits what the operator set for one of the same name.
 */
void membership_install(const struct membership *members, const struct membership *before, uint64_t now_ms,
                        const struct server_observer *observer);

/*
 * After it, in the control thread: a member without an address, which stands for a name that has none,
 * becomes SERVER_UNRESOLVED, and one that was it and has one now SERVER_UNCHECKED: it must pass a check
 * before it counts, if there are checks.
 */
void membership_note_addresses(const struct membership *members, uint64_t now_ms,
                               const struct server_observer *observer);

/*
 * Its name has lost the address of each server that is in `before`, and not in `members`, which takes effect:
 * it becomes SERVER_UNRESOLVED. Its sessions go on.
 */
void membership_retire(const struct membership *before, const struct membership *members, uint64_t now_ms,
                       const struct server_observer *observer);

#endif
