/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_POOL_ACCESS_H
#define DEEPPROXY_PROXY_RUNTIME_POOL_ACCESS_H

#include "config/cfg.h"
#include "config/cfg_problems.h"

/*
 * Adds a warning for each address that a pool connects from and this machine does not have, and for each Unix
 * socket of a server that this process may not connect to. Neither is an error: addresses and servers come
 * and go, and the rest is served. What the user that root becomes may not do, user_access.h finds. It asks
 * the kernel alone, of addresses and of paths, and may wait for a file system.
 */
void pool_access_check(const struct cfg *cfg, struct cfg_problems *problems);

#endif
