/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_DISPOSAL_H
#define DEEPPROXY_BASE_DISPOSAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * What takes long to destroy is destroyed in a thread that has the time. An object that is large, such as a
 * configuration or thousands of certificates, embeds a struct disposal, and whoever drops its last reference
 * calls disposal_begin. A thread that serves clients has named a list by disposal_leave_to: there the object
 * waits for a thread that calls disposal_run. Any other thread destroys it at once. Nothing here allocates,
 * locks or fails, and a list holds no more than objects that were there before.
 */
struct disposal {
    struct disposal *next; /* in a list */
    void (*destroy)(struct disposal *disposal);
};

/* All zero but for `wake` is an empty list. Any thread may add to it, and any thread may run it. */
struct disposal_list {
    _Atomic(struct disposal *) newest;
    /* Called in the thread that adds to an empty list: somebody is to run it. */
    void (*wake)(void *arg);
    void *arg;
};

/* The object that embeds a disposal as its member. */
#define DISPOSAL_OWNER(disposal, type, member) ((type *)(void *)((char *)(disposal)-offsetof(type, member)))

/*
 * From now on the calling thread leaves what it disposes of to the list, which outlives the thread's use of
 * it. NULL: it destroys at once, as each thread does that has not called this.
 */
void disposal_leave_to(struct disposal_list *list);

/* Call it for an object that nobody has a reference to any more. Destroys it, or leaves it to a list. */
void disposal_begin(struct disposal *disposal, void (*destroy)(struct disposal *disposal));

/* Does something wait in the list? */
bool disposal_waits(const struct disposal_list *list);

/* Destroys what waits in the list, in the calling thread, which must not be one that leaves it to others. */
void disposal_run(struct disposal_list *list);

#endif
