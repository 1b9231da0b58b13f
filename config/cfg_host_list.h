/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_HOST_LIST_H
#define DEEPPROXY_CONFIG_CFG_HOST_LIST_H

#include "base/refcount.h"
#include "config/cfg.h"

/*
 * The hosts of a configuration, with all their strings, in one block of memory that is counted by reference.
 * A configuration may have thousands of hosts, and sessions keep the one that they began with: those that
 * were loaded one after the other share the list as long as it is the same. It never changes.
 */
struct cfg_host_list {
    struct refcount references;
    size_t count;
    struct cfg_host hosts[]; /* after them, what they point to */
};

/* Copies the hosts. The caller owns the only reference. NULL if memory is short. */
struct cfg_host_list *cfg_host_list_new(const struct cfg_host *hosts, size_t count);

/* Adds a reference, and returns its argument. */
struct cfg_host_list *cfg_host_list_ref(struct cfg_host_list *list);

/* Drops a reference, and nulls the pointer, which may be NULL already. The last one frees the list. */
void cfg_host_list_unref(struct cfg_host_list **list);

/* Have both the same hosts, in the same order and at the same places? */
bool cfg_host_list_equals(const struct cfg_host_list *a, const struct cfg_host_list *b);

#endif
