/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_USER_ACCESS_H
#define DEEPPROXY_PROXY_RUNTIME_USER_ACCESS_H

#include "proxy/runtime/runtime.h"

/*
 * What root can do with files at the start, and `user` can't do later: a reload would be refused then,
 * renewed certificates would not be taken up, and what is promised would be forgotten. To be told at once,
 * and not in two months. All of it is asked in one child that has become that user
 * (proxy/common/privileges.h).
 */

struct user_access {
    const struct cfg *cfg;         /* the text as it was read; NULL: memory was short */
    const struct runtime *runtime; /* what was made of it; NULL: it has errors */
    bool has_guard;                /* a guard of the key process reads its share of the files (tls_keys.h) */
    bool is_check;                 /* nothing will run: what would fail without root is an error */
};

/*
 * Does nothing if this process is not root, or if it stays root. Otherwise adds
 * - if it `is_check`, an error if this user can't read the ticket keys, or replace the state file, with the
 *   command that changes it;
 * - if there is a runtime, a warning for each file or folder that the process will have to read again and
 *   this user may not; a few by name, and how many more there are.
 * It waits for the child. Before the process gives root up.
 */
void user_access_check(const struct user_access *access, struct cfg_problems *problems);

#endif
