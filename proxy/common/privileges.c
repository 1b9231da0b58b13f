/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/privileges.h"

#include "base/ensure.h"
#include "base/slice.h"

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

#define USER_COMMAND  "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin"
#define GROUP_COMMAND "groupadd --system"

enum { REASON_MAX = 512 };

/* Set before other threads begin, and never again. */
static bool was_root;

struct text {
    char *into;
    size_t cap;
};

/* ---- accounts ---- */

/* A number that setuid(2) and setgid(2) take: the largest stands for "none". */
static bool read_number(const char *text, unsigned *number)
{
    uint64_t value = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (!ascii_is_digit((uint8_t)*c) || value > UINT32_MAX)
            return false;
        value = value * 10 + (uint64_t)(*c - '0');
    }
    *number = (unsigned)value;
    return text[0] != '\0' && value < UINT32_MAX;
}

/* Does the lookup's error number say that it was answered (getpwnam(3)), and not that it failed? */
static bool is_answer(int error)
{
    return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

static bool lacks_user(const char *name, struct text reason)
{
    if (!is_answer(errno))
        snprintf(reason.into, reason.cap, "can't look the user \"%s\" up: %s", name, strerror(errno));
    else if (strcmp(name, PRIVILEGES_DEFAULT_USER) == 0)
        snprintf(reason.into, reason.cap,
                 "there is no user \"" PRIVILEGES_DEFAULT_USER "\", who the program becomes if it is started "
                 "as root: create it with `" USER_COMMAND " " PRIVILEGES_DEFAULT_USER
                 "`, name another one as "
                 "\"user\", or set user = \"root\" to stay root");
    else
        snprintf(reason.into, reason.cap,
                 "there is no user \"%s\": create it with `" USER_COMMAND " %s`, or name another one", name,
                 name);
    return false;
}

static bool lacks_group(const char *name, struct text reason)
{
    if (!is_answer(errno))
        snprintf(reason.into, reason.cap, "can't look the group \"%s\" up: %s", name, strerror(errno));
    else
        snprintf(reason.into, reason.cap,
                 "there is no group \"%s\": create it with `" GROUP_COMMAND " %s`, or name another one", name,
                 name);
    return false;
}

const char *privileges_user(const char *user)
{
    return user != NULL ? user : PRIVILEGES_DEFAULT_USER;
}

/* `*has_group`: the user has an account, and `*gid` is its own group. */
static bool find_user(const char *user, uid_t *uid, gid_t *gid, bool *has_group, struct text reason)
{
    unsigned number;
    errno = 0;
    const struct passwd *account = getpwnam(privileges_user(user));
    bool is_number = account == NULL && read_number(privileges_user(user), &number);
    if (is_number)
        account = getpwuid(number);
    if (account == NULL && !is_number)
        return lacks_user(privileges_user(user), reason);
    *uid = account != NULL ? account->pw_uid : number;
    *has_group = account != NULL;
    if (account != NULL)
        *gid = account->pw_gid;
    return true;
}

static bool find_group(const char *group, gid_t *gid, struct text reason)
{
    unsigned number;
    errno = 0;
    const struct group *entry = getgrnam(group);
    if (entry == NULL && !read_number(group, &number))
        return lacks_group(group, reason);
    *gid = entry != NULL ? entry->gr_gid : number;
    return true;
}

bool privileges_find(const char *user, const char *group, uid_t *uid, gid_t *gid, char *error, size_t cap)
{
    bool has_group;
    struct text reason = {error, cap};
    if (!find_user(user, uid, gid, &has_group, reason))
        return false;
    if (group != NULL)
        return find_group(group, gid, reason);
    if (!has_group)
        snprintf(error, cap,
                 "the user %s has no account, and so no group of its own: give its group too, as a number or "
                 "by name",
                 user);
    return has_group;
}

/* ---- before the start ---- */

static void add_problem(struct cfg_problems *problems, struct cfg_place place, const char *reason)
{
    bool counts = was_root || geteuid() == 0;
    cfg_problems_add(problems, counts ? CFG_ERROR : CFG_WARNING, place, "%s%s", reason,
                     counts ? "" : " (it counts only if the program is started as root)");
}

bool privileges_check(const struct cfg *cfg, struct cfg_problems *problems)
{
    char reason[REASON_MAX];
    uid_t uid;
    gid_t gid;
    bool is_named = cfg->user != NULL || was_root || geteuid() == 0;
    size_t errors = problems->errors;
    if (cfg->user_place.file == NULL)
        return true;
    /* A group that is missing is found below: any number stands for it here. */
    const char *group = cfg->group != NULL ? "0" : NULL;
    if (is_named && !privileges_find(cfg->user, group, &uid, &gid, reason, sizeof reason))
        add_problem(problems, cfg->user_place, reason);
    if (cfg->group != NULL && !find_group(cfg->group, &gid, (struct text){reason, sizeof reason}))
        add_problem(problems, cfg->group_place, reason);
    if (cfg->key_user != NULL && !privileges_find(cfg->key_user, NULL, &uid, &gid, reason, sizeof reason))
        add_problem(problems, cfg->key_user_place, reason);
    /* It counts for everybody: the socket is to have it. */
    if (cfg->admin.group != NULL && !find_group(cfg->admin.group, &gid, (struct text){reason, sizeof reason}))
        cfg_problems_add(problems, CFG_ERROR, cfg->admin.group_place, "%s", reason);
    return problems->errors == errors;
}

void privileges_forbid_core_dumps(void)
{
    struct rlimit none = {0, 0};
    ENSURE(setrlimit(RLIMIT_CORE, &none) == 0);
}

/* ---- the change ---- */

static bool fail(const char *what, const char *name)
{
    fprintf(stderr, "deepproxy: can't become %s \"%s\": %s\n", what, name, strerror(errno));
    return false;
}

bool privileges_set_groups(uid_t uid, gid_t gid)
{
    const struct passwd *account = getpwuid(uid);
    return account != NULL ? initgroups(account->pw_name, gid) == 0 : setgroups(1, &gid) == 0;
}

static bool become(const char *user, const char *group)
{
    char error[REASON_MAX];
    uid_t uid;
    gid_t gid;
    if (!privileges_find(user, group, &uid, &gid, error, sizeof error)) {
        fprintf(stderr, "deepproxy: %s\n", error);
        return false;
    }
    /* Root may lack the right to change its groups, in a container's name space. */
    if (uid == 0 && group == NULL)
        return true;
    if (!privileges_set_groups(uid, gid) || setgid(gid) != 0 || setuid(uid) != 0)
        return fail("user", privileges_user(user));
    /* Becoming root again must be impossible. */
    return uid == 0 || setuid(0) != 0;
}

bool privileges_drop(const char *user, const char *group)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail("safe from", "set-user-id programs");
    if (geteuid() != 0)
        return true;
    was_root = true;
    return become(user, group);
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
    question->barred_len = question->error != 0 ? find_bar(question->path) : 0;
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
    snprintf(error, cap, "what user \"%s\" may do can't be asked", privileges_user(user));
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
