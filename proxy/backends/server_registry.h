/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_SERVER_REGISTRY_H
#define DEEPPROXY_PROXY_BACKENDS_SERVER_REGISTRY_H

#include "proxy/backends/pool_state.h"
#include "proxy/backends/server_state.h"

/*
 * All servers and pools that anybody has a reference to, by their names, so that a reload and a new answer of
 * the name service find the state that is there already. One for the program. It has a mutex, held for some
 * look-ups at a time: the control thread and the threads that load call it, workers never. Counted by
 * reference: each snapshot has one.
 */
struct server_registry;

/* For a program with so many workers. NULL if memory is short. One reference is the caller's. */
MUST_CHECK struct server_registry *server_registry_new(unsigned workers);

/* Adds a reference, and returns its argument. */
struct server_registry *server_registry_ref(struct server_registry *registry);

/* Drops a reference, and nulls the pointer, which may be NULL already. */
void server_registry_unref(struct server_registry **registry);

/* For how many workers it is. */
unsigned server_registry_workers(const struct server_registry *registry);

/*
 * Wakes workers for which a place comes free, in all pools, those to come with them. From the control thread,
 * before workers use them; it outlives their use.
 */
void server_registry_set_alarm(struct server_registry *registry, const struct wait_queue_alarm *alarm);

/*
 * The state of the server with exactly this identity, made if there is none. Another address or certificate's
 * name is another server, even with the same name: both may be there until the old one's sessions have ended.
 * NULL if memory is short. The reference is the caller's.
 */
MUST_CHECK struct server_state *server_registry_server(struct server_registry *registry,
                                                       const struct server_identity *identity);

/*
 * The state of the pool of that name, made if there is none. NULL if memory is short. The reference is the
 * caller's.
 */
MUST_CHECK struct pool_state *server_registry_pool(struct server_registry *registry, const char *name);

/* Forgets those to which nobody else has a reference. Call it now and then. How many servers are left. */
size_t server_registry_sweep(struct server_registry *registry);

#endif
