/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_USER_ACCESS_H
#define DEEPPROXY_PROXY_RUNTIME_USER_ACCESS_H

#include "proxy/runtime/runtime.h"

/*
 * What root can read at the start, and `user` can't read later: a reload would be refused then, and renewed
 * certificates would not be taken up. To be told at once, and not in two months.
 */

/*
 * Adds a warning for each file or folder of the configuration that the process will have to read again, and
 * its `user` may not; a few by name, and how many more there are. Does nothing if this process is not root,
 * or if it stays root. What the guard of the key process reads (tls_keys.h) is left out if there is one
 * (`has_guard`). It waits for a child. Before the process gives root up.
 */
void user_access_check(const struct runtime *runtime, bool has_guard, struct cfg_problems *problems);

#endif
