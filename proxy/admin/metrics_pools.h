/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_METRICS_POOLS_H
#define DEEPPROXY_PROXY_ADMIN_METRICS_POOLS_H

#include "proxy/admin/metrics_text.h"
#include "proxy/runtime/runtime.h"

/*
 * The metrics of pools and their servers, in the order of the configuration: a server that no pool has any
 * more is not written. All that it reads is immutable or atomic, so it may run in any thread that has the
 * references. To add one of servers: a row in metrics_pools.c.
 */
void metrics_pools_write(struct metrics_text *text, const struct runtime *runtime);

#endif
