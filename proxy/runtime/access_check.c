/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/access_check.h"

#include "proxy/common/access_as.h"
#include "proxy/common/privileges.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct user {
    const char *name;
    uid_t uid;
    gid_t gid;
};

static void add_error(const struct user *user, struct cfg_place place, const char *task, const char *obstacle,
                      const char *remedy, struct cfg_problems *problems)
{
    cfg_problems_add(problems, CFG_ERROR, place,
                     "the user \"%s\", who the program becomes, can't %s: no permission at %s; let that user "
                     "%s, or choose another place",
                     user->name, task, obstacle, remedy);
}

static const char *remedy_at(const char *obstacle, const char *path, const char *for_path)
{
    return strcmp(obstacle, path) == 0 ? for_path : "pass through that folder (chmod o+x)";
}

static void check_ticket_keys(const struct cfg *cfg, const struct user *user, struct cfg_problems *problems)
{
    char obstacle[PATH_MAX];
    const char *path = cfg->tls.ticket_keys;
    if (path == NULL || !cfg->tls.session_tickets ||
        access_as_find(user->uid, user->gid, path, R_OK, obstacle, sizeof obstacle) != EACCES)
        return;
    add_error(user, cfg->tls.ticket_keys_place, "read the ticket keys", obstacle,
              remedy_at(obstacle, path, "read the file (chown it)"), problems);
}

/* The folder of the path, which is absolute or relative. */
static void copy_folder(char folder[PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');
    int len = slash != NULL ? (int)(slash - path) : 0;
    if (slash == NULL)
        snprintf(folder, PATH_MAX, ".");
    else
        snprintf(folder, PATH_MAX, "%.*s", len > 0 ? len : 1, path);
}

/* It is replaced by a new file beside it, and read at the next start, by root. */
static void check_state_file(const struct cfg *cfg, const struct user *user, struct cfg_problems *problems)
{
    char obstacle[PATH_MAX];
    char folder[PATH_MAX];
    if (cfg->state_file == NULL)
        return;
    copy_folder(folder, cfg->state_file);
    int error = access_as_find(user->uid, user->gid, folder, W_OK | X_OK, obstacle, sizeof obstacle);
    if (error == EACCES || error == EROFS)
        add_error(user, cfg->state_file_place, "write the state file, which remembers what is promised",
                  obstacle, remedy_at(obstacle, folder, "write into that folder (chown it)"), problems);
}

void access_check(const struct cfg *cfg, struct cfg_problems *problems)
{
    char reason[256];
    struct user user = {.name = cfg->user != NULL ? cfg->user : PRIVILEGES_DEFAULT_USER};
    /* Who is not root stays who he is, and has opened the files as that user already. */
    if (geteuid() != 0 ||
        !privileges_find(cfg->user, cfg->group, &user.uid, &user.gid, reason, sizeof reason))
        return;
    check_ticket_keys(cfg, &user, problems);
    check_state_file(cfg, &user, problems);
}
