/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_PRIVILEGES_H
#define DEEPPROXY_PROXY_COMMON_PRIVILEGES_H

#include "base/must_check.h"
#include "config/cfg.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The user that this process runs as, and what it can do. Changes are for good: no function here gains a
 * privilege. A user or a group is a name of the system's, or a number in digits that no name is spelled like.
 */

/* The user that a program started as root becomes if its configuration names none: never root. */
#define PRIVILEGES_DEFAULT_USER "deepproxy"

/*
 * Drops root's privileges, after the ports are bound and the keys are read: becomes `user` (NULL:
 * PRIVILEGES_DEFAULT_USER), with `group` (NULL: the user's own). The process can gain no privilege again,
 * unless `user` is root. If it is not root, the user stays. False, after a message on standard error, if it
 * fails: the process must end then.
 */
MUST_CHECK bool privileges_drop(const char *user, const char *group);

/* The name of the user that a configuration's `user` stands for: NULL is PRIVILEGES_DEFAULT_USER. */
const char *privileges_user(const char *user);

/*
 * The numbers of a user (NULL: PRIVILEGES_DEFAULT_USER) and of a group (NULL: the user's own). False with a
 * reason and its remedy in `error`, of at most `cap` octets, if there is no such user or group.
 */
MUST_CHECK bool privileges_find(const char *user, const char *group, uid_t *uid, gid_t *gid, char *error,
                                size_t cap);

/*
 * May somebody else do with a path what access(2) asks for in `mode` (R_OK, W_OK, X_OK)? A file is read:
 * R_OK. A folder is listed: R_OK | X_OK. A file that is written anew and renamed: W_OK | X_OK of its folder.
 */
struct privileges_access {
    const char *path;
    int mode;
    int error;         /* the answer: 0, or an error number */
    size_t barred_len; /* after an error: so much of the path leads to what bars it; all of it: itself */
};

/*
 * Asks all `count` questions as `user` with `group` (as in privileges_drop), in a child that has become that
 * user, and waits for it; nothing is opened. Only root can. False, and nothing answered, with a reason in
 * `error`, of at most `cap` octets. Not for a process that has begun to serve.
 */
MUST_CHECK bool privileges_ask_as(const char *user, const char *group, struct privileges_access *questions,
                                  size_t count, char *error, size_t cap);

/*
 * Gives the process, which is root, the groups of this user, and `gid`; a user without an account has `gid`
 * alone. False with errno.
 */
MUST_CHECK bool privileges_set_groups(uid_t uid, gid_t gid);

/*
 * Adds a problem for each user and group of the configuration that there is not: an error if this process is
 * root, or was, and a warning if it never was, as nobody becomes anybody then. It reads the system's
 * accounts, and may wait for their server. A file without a syntax tree has no user. False after an error.
 */
bool privileges_check(const struct cfg *cfg, struct cfg_problems *problems);

/* From here on a crash of this process leaves no image of its memory. */
void privileges_forbid_core_dumps(void);

#endif
