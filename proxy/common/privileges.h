/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_PRIVILEGES_H
#define DEEPPROXY_PROXY_COMMON_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Gives up root for good, after the ports are bound and the keys are read: becomes `user`, with `group`
 * (NULL: the user's own), and can gain no privilege again. Where the process is not root, or `user` is NULL,
 * it stays who it is; running on as root is warned about. False with a message on standard error where it
 * fails: then nothing must run.
 */
bool privileges_drop(const char *user, const char *group);

/* Numbers of a user, and of a group (NULL: the user's own). False with words in `error` where there is no such. */
bool privileges_find(const char *user, const char *group, uid_t *uid, gid_t *gid, char *error, size_t cap);

/* From here on this process leaves no image of its memory behind when it fails. */
void privileges_forbid_core_dumps(void);

#endif
