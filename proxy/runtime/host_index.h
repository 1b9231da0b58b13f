/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_HOST_INDEX_H
#define DEEPPROXY_PROXY_RUNTIME_HOST_INDEX_H

#include "base/refcount.h"
#include "config/cfg.h"
#include "tls/tls_names.h"

/*
 * Finds the hosts of a configuration by the name that a client asks for (SNI). Thousands of hosts differ in
 * little more than their names: those with the same pools and the same DEEP status are of one kind, and a
 * service is the same for all hosts of a kind. It never changes, and is counted by reference.
 */
struct host_index {
    struct refcount references;
    struct tls_names names;        /* to indexes of `kinds` */
    const struct cfg_host **kinds; /* a host of each; they belong to the configuration */
    size_t kind_count;
};

/*
 * The index of so many hosts, which outlive it. The caller owns the only reference. NULL if memory is short.
 */
struct host_index *host_index_new(const struct cfg_host *hosts, size_t count);

/* Adds a reference, and returns its argument. */
struct host_index *host_index_ref(struct host_index *index);

/* Drops a reference, and nulls the pointer, which may be NULL already. The last one frees the index. */
void host_index_unref(struct host_index **index);

#endif
