/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_READINESS_H
#define DEEPPROXY_PROXY_ADMIN_READINESS_H

#include "proxy/runtime/runtime.h"

/*
 * Whether new clients can be served, as far as that depends on servers. It changes nothing, and asks nobody:
 * a server that was not checked yet counts as one that takes sessions, so a program that has just begun is
 * ready, and checks that fail change that.
 */

/*
 * True if each pool of admin.ready_needs has a server that is available (membership_count_available), or,
 * without that key, if any pool has one. False: `why` has the reason, for people, with the pool's name, cut
 * to `cap` octets with the NUL.
 */
bool readiness_of_pools(const struct runtime *runtime, char *why, size_t cap);

#endif
