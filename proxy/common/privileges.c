/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/privileges.h"

#include "base/ensure.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

/* ---- what another user may do ---- */

/* How much of the path leads to the first folder that can't be entered; all of it if each can be. */
static size_t find_bar(const char *path)
{
    char folder[PATH_MAX];
    size_t len = strlen(path);
    for (size_t i = 1; i < len && i < sizeof folder; i++) {
        if (path[i] != '/')
            continue;
        memcpy(folder, path, i);
        folder[i] = '\0';
        if (access(folder, X_OK) != 0)
            return i;
    }
    return len;
}

static void answer(struct privileges_access *question)
{
    question->error = access(question->path, question->mode) == 0 ? 0 : errno;
    question->barred_len = question->error == EACCES ? find_bar(question->path) : 0;
}

/* In the child: the answers are in memory that both share. */
static _Noreturn void answer_as(const char *user, const char *group, struct privileges_access *shared,
                                size_t count)
{
    if (!become(user, group))
        _exit(EXIT_FAILURE);
    for (size_t i = 0; i < count; i++)
        answer(&shared[i]);
    _exit(EXIT_SUCCESS);
}

/* Whether the child has answered everything. */
static bool has_answered(pid_t child)
{
    int status = 0;
    pid_t ended;
    do
        ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

bool privileges_ask_as(const char *user, const char *group, struct privileges_access *questions, size_t count,
                       char *error, size_t cap)
{
    size_t size = (count + 1) * sizeof questions[0];
    uid_t uid;
    gid_t gid;
    if (!privileges_find(user, group, &uid, &gid, error, cap))
        return false;
    struct privileges_access *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(error, cap, "what user \"%s\" may do can't be asked", user);
    if (shared == MAP_FAILED)
        return false;
    memcpy(shared, questions, count * sizeof questions[0]);
    pid_t child = fork();
    if (child == 0)
        answer_as(user, group, shared, count);
    bool ok = child > 0 && has_answered(child);
    if (ok)
        memcpy(questions, shared, count * sizeof questions[0]);
    munmap(shared, size);
    return ok;
}
