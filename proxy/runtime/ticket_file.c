/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/ticket_file.h"

#include "tls/tls_file.h"
#include "tls/tickets/tls_ticket_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *remedy_for(int error)
{
    switch (error) {
    case ENOENT:
        return "; make them with: deepproxy ticket-keys FILE";
    case EACCES:
        return "; the user that deepproxy becomes must be able to read them";
    case ENOTSUP:
        return "; that is no file, but a pipe or a device";
    default:
        return "";
    }
}

static bool report_error(struct ticket_file_problem *problem, int error)
{
    *problem = (struct ticket_file_problem){.error = error};
    snprintf(problem->text, sizeof problem->text, "can't read the ticket keys: %s%s", strerror(error),
             remedy_for(error));
    return false;
}

static bool parse_text(struct slice text, struct tls_ticket_set *set, struct ticket_file_problem *problem)
{
    struct tls_ticket_problem found;
    bool ok = tls_ticket_file_parse(text, set, &found);
    *problem = (struct ticket_file_problem){.line = found.line};
    if (!ok)
        snprintf(problem->text, sizeof problem->text, "%s", found.text);
    return ok;
}

bool ticket_file_read(const char *path, struct tls_ticket_set *set, struct stat *facts,
                      struct ticket_file_problem *problem)
{
    struct bytes text;
    *set = (struct tls_ticket_set){0};
    bool ok = (tls_file_read(path, &text) && stat(path, facts) == 0) || report_error(problem, errno);
    ok = ok && parse_text(bytes_view(&text), set, problem);
    bytes_free(&text);
    return ok;
}

const char *ticket_file_exposure(const struct stat *facts)
{
    if ((facts->st_mode & (S_IROTH | S_IWOTH)) != 0)
        return "everybody on this machine can open the ticket keys; whoever has them can read sessions: "
               "chmod o= FILE";
    if ((facts->st_mode & S_IWGRP) != 0)
        return "the group can change the ticket keys, and so choose them: chmod g-w FILE";
    return NULL;
}
