/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_BACKENDS_POOL_PROTOCOL_H
#define DEEPPROXY_PROXY_BACKENDS_POOL_PROTOCOL_H

#include "config/cfg.h"

/*
 * Which protocol a pool's servers speak: the configuration has it with those that use the pool. Pure.
 */

/*
 * The protocol of the first service that uses the pool with this index, or of a host that does. False, and
 * nothing else, if nobody uses it.
 */
bool pool_protocol_find(const struct cfg *cfg, size_t pool, enum protocol *protocol);

#endif
