/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TESTS_SERVER_POOL_H
#define DEEPPROXY_TESTS_SERVER_POOL_H

#include "proxy/backends/membership.h"

/*
 * A pool for tests of the room backends: servers "s0", "s1", ... of weight 1, configured and without checks,
 * for four workers.
 */
enum { SERVER_POOL_NOW = 1000000, SERVER_POOL_WORKERS = 4 };

extern const struct server_rules server_pool_rules;

/* The only reference is the caller's. */
struct membership *server_pool_new(size_t servers);

/* The same with rules of each server's own, and those backups whose bit is set. */
struct membership *server_pool_new_with(const struct server_rules *rules, size_t servers, unsigned backups);

/* As many places and trials are taken as there were before: none. Then drops the list. */
void server_pool_free(struct membership **members);

#endif
