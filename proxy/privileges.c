/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool refuse(const char *what, const char *name)
{
    fprintf(stderr, "deepproxy: can't become %s \"%s\": %s\n", what, name,
            errno != 0 ? strerror(errno) : "there is none of that name");
    return false;
}

static bool become(const char *user, const char *group)
{
    errno = 0;
    const struct passwd *account = getpwnam(user);
    if (account == NULL)
        return refuse("user", user);
    uid_t uid = account->pw_uid;
    gid_t gid = account->pw_gid;
    if (group != NULL) {
        errno = 0;
        const struct group *entry = getgrnam(group);
        if (entry == NULL)
            return refuse("group", group);
        gid = entry->gr_gid;
    }
    if (initgroups(user, gid) != 0 || setgid(gid) != 0 || setuid(uid) != 0)
        return refuse("user", user);
    /* Root must not come back. */
    return uid == 0 || setuid(0) != 0;
}

bool privileges_drop(const char *user, const char *group)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return refuse("safe from", "set-user-id programs");
    if (geteuid() != 0)
        return true;
    if (user != NULL)
        return become(user, group);
    fprintf(
        stderr,
        "deepproxy: warning: running as root; set `user` in the configuration to give that up once the ports"
        " are bound\n");
    return true;
}
