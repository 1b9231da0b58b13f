/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_SOURCE_H
#define DEEPPROXY_CONFIG_CFG_SOURCE_H

#include "config/cfg_arena.h"
#include "config/cfg_lexer.h"

#include <sys/stat.h>

/*
 * A file and all that it includes, as one stream of tokens. @include is resolved here and not by libconfig,
 * whose version 1.5 ends the process where the path is a folder's; a relative path is meant from the folder
 * of the file in which it stands. What can't be read is a problem, and reading goes on behind it.
 */
enum {
    CFG_SOURCE_DEPTH = 10,               /* files open within each other, as libconfig has it */
    CFG_SOURCE_OCTETS = 4 * 1024 * 1024, /* all files together: some 20,000 services, and no /dev/zero */
};

struct cfg_source {
    struct cfg_arena *names; /* for the names of files, which live as long as places that name them */
    struct cfg_arena texts;  /* for what stands in them */
    struct cfg_problems *problems;
    struct {
        struct cfg_lexer lexer;
        dev_t device;
        ino_t inode;
    } open[CFG_SOURCE_DEPTH];
    size_t depth;
    size_t octets;
};

/* False where the file itself can't be read. cfg_source_close follows in any case. */
bool cfg_source_open(struct cfg_source *source, struct cfg_arena *names, struct cfg_problems *problems,
                     const char *path);

/* CFG_TOKEN_END at the end of the outermost file; never CFG_TOKEN_INCLUDE. Tokens live until cfg_source_close. */
struct cfg_token cfg_source_next(struct cfg_source *source);

void cfg_source_close(struct cfg_source *source);

/* `path`, or where it is relative the path from the folder in which `file` stands. */
char *cfg_source_resolve(struct cfg_arena *arena, const char *file, struct slice path);

#endif
