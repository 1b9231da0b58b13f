/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/access_check.h"

#include "proxy/common/privileges.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { REASON_MAX = 512 };

/* What the program will do as the user that it becomes. */
struct deed {
    struct privileges_access access;
    struct cfg_place place;
    const char *task;
    const char *remedy; /* "let that user": if the path itself is in the way, and no folder before it */
};

static void add_error(const struct deed *deed, const char *user, struct cfg_problems *problems)
{
    size_t len = deed->access.barred_len;
    bool bars_itself = deed->access.path[len] == '\0';
    cfg_problems_add(
        problems, CFG_ERROR, deed->place,
        "the user \"%s\", who the program becomes, can't %s: %s at %.*s; let that user %s, or "
        "choose another place",
        user, deed->task, deed->access.error == EROFS ? "a file system that is only read" : "no permission",
        (int)len, deed->access.path, bars_itself ? deed->remedy : "pass through that folder (chmod o+x)");
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

/* Each is left out whose file is not named. Returns how many there are. */
static size_t collect(const struct cfg *cfg, char folder[PATH_MAX], struct deed deeds[2])
{
    size_t count = 0;
    if (cfg->tls.ticket_keys != NULL && cfg->tls.session_tickets)
        deeds[count++] = (struct deed){.access = {.path = cfg->tls.ticket_keys, .mode = R_OK},
                                       .place = cfg->tls.ticket_keys_place,
                                       .task = "read the ticket keys",
                                       .remedy = "read the file (chown it)"};
    if (cfg->state_file == NULL)
        return count;
    /* It is replaced by a new file beside it, and read at the next start, by root. */
    copy_folder(folder, cfg->state_file);
    deeds[count++] = (struct deed){.access = {.path = folder, .mode = W_OK | X_OK},
                                   .place = cfg->state_file_place,
                                   .task = "write the state file, which remembers what is promised",
                                   .remedy = "write into that folder (chown it)"};
    return count;
}

void access_check(const struct cfg *cfg, struct cfg_problems *problems)
{
    char folder[PATH_MAX];
    char reason[REASON_MAX];
    struct deed deeds[2];
    struct privileges_access questions[2];
    size_t count = collect(cfg, folder, deeds);
    for (size_t i = 0; i < count; i++)
        questions[i] = deeds[i].access;
    /* Who is not root stays who he is, and has opened the files as that user already. */
    if (geteuid() != 0 || count == 0 ||
        !privileges_ask_as(cfg->user, cfg->group, questions, count, reason, sizeof reason))
        return;
    for (size_t i = 0; i < count; i++) {
        deeds[i].access = questions[i];
        if (questions[i].error == EACCES || questions[i].error == EROFS)
            add_error(&deeds[i], privileges_user(cfg->user), problems);
    }
}
