/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_MEMBER_LISTS_H
#define DEEPPROXY_PROXY_BACKENDS_MEMBER_LISTS_H

#include "proxy/backends/membership.h"

/*
 * The lists of members of all pools, in the configuration's order: what changes of a configuration that runs
 * when names get other addresses. Immutable once it is made, and counted by reference.
 */
struct member_lists {
    struct refcount references;
    struct disposal disposal;
    size_t count;
    struct membership *lists[];
};

/*
 * For `count` pools, all NULL until the caller has set them. NULL if memory is short. One reference is the
 * caller's.
 */
MUST_CHECK struct member_lists *member_lists_new(size_t count);

/* Adds a reference, and returns its argument. */
struct member_lists *member_lists_ref(struct member_lists *lists);

/*
 * Drops a reference, and nulls the pointer, which may be NULL already. The last one drops those of the
 * lists.
 */
void member_lists_unref(struct member_lists **lists);

#endif
