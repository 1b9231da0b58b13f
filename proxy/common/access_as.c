/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/access_as.h"

#include "proxy/common/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0 or an error number: faccessat with AT_EACCESS asks for the effective user, as open(2) does. */
static int ask(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 ? 0 : errno;
}

static int become_and_ask(uid_t uid, gid_t gid, const char *path, int mode)
{
    if (!privileges_set_groups(uid, gid) || setgid(gid) != 0 || setuid(uid) != 0)
        return errno;
    return ask(path, mode);
}

int access_as(uid_t uid, gid_t gid, const char *path, int mode)
{
    int status;
    if (geteuid() != 0 || uid == 0)
        return ask(path, mode);
    pid_t child = fork();
    if (child < 0)
        return errno;
    if (child == 0)
        _exit(become_and_ask(uid, gid, path, mode));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

int access_as_find(uid_t uid, gid_t gid, const char *path, int mode, char *obstacle, size_t cap)
{
    int error = access_as(uid, gid, path, mode);
    if (error == 0)
        return 0;
    snprintf(obstacle, cap, "%s", path);
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        int len = (int)(slash - path);
        snprintf(obstacle, cap, "%.*s", len > 0 ? len : 1, path);
        if (access_as(uid, gid, obstacle, X_OK) != 0)
            return error;
    }
    snprintf(obstacle, cap, "%s", path);
    return error;
}
