/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/commitments_private.h"

#include "proxy/common/durable_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char heading[] =
    "# What deepproxy has promised to mail clients (DEEP security tags), which may refuse to connect without "
    "it.\n"
    "# Written by the program: to take a promise back, use \"withdraw\" in its configuration.\n";

/* ---- reading ---- */

static bool read_protocol(const char *word, enum protocol *into)
{
    for (int protocol = 0; protocol < PROTOCOLS; protocol++)
        if (strcmp(protocol_traits((enum protocol)protocol)->name, word) == 0) {
            *into = (enum protocol)protocol;
            return true;
        }
    return false;
}

/* False, with errno 0 if the line is malformed. */
static bool read_line(char *line, struct commitments *into)
{
    enum protocol protocol;
    char *rest = line;
    line[strcspn(line, "\n")] = '\0';
    if (line[0] == '#' || line[0] == '\0')
        return true;
    const char *host = strsep(&rest, " ");
    const char *word = strsep(&rest, " ");
    errno = 0;
    if (host[0] == '\0' || word == NULL || !read_protocol(word, &protocol))
        return false;
    errno = ENOMEM;
    return commitments_append(into, host, protocol, rest != NULL ? rest : "");
}

/*
 * False with errno if the file was not read to its end; `*number` is then the malformed line if errno is 0.
 */
static bool read_lines(FILE *file, struct commitments *into, unsigned *number)
{
    char *line = NULL;
    size_t cap = 0;
    bool ok = true;
    *number = 0;
    errno = 0;
    while (ok && getline(&line, &cap, file) >= 0) {
        ++*number;
        ok = read_line(line, into);
    }
    int error = errno;
    free(line);
    errno = error;
    return ok && !ferror(file);
}

/* Can the file be written when the time comes? */
static bool has_folder(const struct cfg *cfg, struct cfg_problems *problems)
{
    char *folder = durable_file_folder(cfg->state_file);
    bool there = folder != NULL && access(folder, W_OK) == 0;
    if (!there)
        cfg_problems_add(
            problems, CFG_ERROR, cfg->state_file_place,
            "can't write %s, the file that remembers what is promised: %s; its folder must exist, "
            "and the user that the program becomes must be able to write into it",
            cfg->state_file, strerror(errno));
    free(folder);
    return there;
}

bool commitments_read(const struct cfg *cfg, struct commitments *into, struct cfg_problems *problems)
{
    unsigned number = 0;
    *into = (struct commitments){0};
    FILE *file = fopen(cfg->state_file, "re");
    if (file == NULL && errno == ENOENT)
        return has_folder(cfg, problems);
    if (file != NULL && read_lines(file, into, &number)) {
        fclose(file);
        return commitments_sort(into);
    }
    if (file == NULL || errno != 0)
        cfg_problems_add(problems, CFG_ERROR, cfg->state_file_place, "can't read %s: %s", cfg->state_file,
                         strerror(errno));
    else
        cfg_problems_add(problems, CFG_ERROR, (struct cfg_place){cfg->state_file, number},
                         "not a line of a state file, expected \"HOST PROTOCOL TAG...\"; restore it from a "
                         "backup, or, if no client has latched anything yet, delete it");
    if (file != NULL)
        fclose(file);
    return false;
}

/* ---- writing ---- */

static bool write_all(FILE *file, const void *arg)
{
    const struct commitments *commitments = arg;
    bool ok = fputs(heading, file) >= 0;
    for (size_t i = 0; ok && i < commitments->count; i++) {
        const struct commitment *at = &commitments->items[i];
        ok = fprintf(file, "%s %s%s%s\n", at->host, protocol_traits(at->protocol)->name,
                     at->tags[0] != '\0' ? " " : "", at->tags) > 0;
    }
    return ok;
}

bool commitments_write(const struct commitments *commitments, const char *path)
{
    return durable_file_replace(path, 0644, write_all, commitments);
}
