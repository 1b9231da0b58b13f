/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/privileges.h"

#include "base/ensure.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool fail(const char *what, const char *name)
{
    fprintf(stderr, "deepproxy: can't become %s \"%s\": %s\n", what, name,
            errno != 0 ? strerror(errno) : "there is none of that name");
    return false;
}

static bool is_unknown(const char *what, const char *name, char *error, size_t cap)
{
    snprintf(error, cap, "%s \"%s\": %s", what, name,
             errno != 0 ? strerror(errno) : "there is none of that name");
    return false;
}

bool privileges_find(const char *user, const char *group, uid_t *uid, gid_t *gid, char *error, size_t cap)
{
    errno = 0;
    const struct passwd *account = getpwnam(user);
    if (account == NULL)
        return is_unknown("user", user, error, cap);
    *uid = account->pw_uid;
    *gid = account->pw_gid;
    errno = 0;
    const struct group *entry = group != NULL ? getgrnam(group) : NULL;
    if (entry != NULL)
        *gid = entry->gr_gid;
    return group == NULL || entry != NULL || is_unknown("group", group, error, cap);
}

void privileges_forbid_core_dumps(void)
{
    struct rlimit none = {0, 0};
    ENSURE(setrlimit(RLIMIT_CORE, &none) == 0);
}

static bool become(const char *user, const char *group)
{
    char error[256];
    uid_t uid;
    gid_t gid;
    if (!privileges_find(user, group, &uid, &gid, error, sizeof error)) {
        fprintf(stderr, "deepproxy: can't become %s\n", error);
        return false;
    }
    errno = 0;
    if (initgroups(user, gid) != 0 || setgid(gid) != 0 || setuid(uid) != 0)
        return fail("user", user);
    /* Becoming root again must be impossible. */
    return uid == 0 || setuid(0) != 0;
}

bool privileges_drop(const char *user, const char *group)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail("safe from", "set-user-id programs");
    if (geteuid() != 0)
        return true;
    if (user != NULL)
        return become(user, group);
    fprintf(stderr, "deepproxy: warning: running as root; set `user` in the configuration to drop its "
                    "privileges after the "
                    "ports are bound\n");
    return true;
}
