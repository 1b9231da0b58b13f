/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_COMMON_ACCESS_AS_H
#define DEEPPROXY_PROXY_COMMON_ACCESS_AS_H

#include "base/must_check.h"

#include <stddef.h>
#include <sys/types.h>

/*
 * Can a file be opened by the user that the program is to become? Root asks it on that user's behalf, so that
 * what fails only after root's privileges are gone is found before. A child process asks; nothing of the
 * calling one changes. It waits for the file system, and must not run beside other threads' locks: it is for
 * commands that serve nobody.
 */

/*
 * 0, or the error number with which access(2) with this `mode` (R_OK, W_OK, X_OK) would fail for the user
 * with its groups, the first of which is `gid`. If this process is not root it asks for itself.
 */
MUST_CHECK int access_as(uid_t uid, gid_t gid, const char *path, int mode);

/*
 * As access_as; after an error `obstacle`, of at most `cap` octets, is what is in the way: the first of the
 * path's folders that the user can't pass through, or else the path.
 */
MUST_CHECK int access_as_find(uid_t uid, gid_t gid, const char *path, int mode, char *obstacle, size_t cap);

#endif
