/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_SOURCE_H
#define DEEPPROXY_CONFIG_CFG_SOURCE_H

#include "config/cfg_arena.h"
#include "config/cfg_lexer.h"

#include <sys/stat.h>

/*
 * A file and all that it includes, as one stream of tokens. @include is resolved here and not by libconfig,
 * whose version 1.5 ends the process if the path is a folder's. A relative path starts at the folder of the
 * file that has it. A file that can't be read is a problem, and reading goes on after its @include.
 */
enum {
    /* Files that include each other, as libconfig has it. */
    CFG_SOURCE_DEPTH = 10,
    /* All files together: some 20,000 services, and no /dev/zero. */
    CFG_SOURCE_OCTETS = 4 * 1024 * 1024,
};

struct cfg_source {
    struct cfg_arena *names; /* for the names of files, which live as long as the places with them */
    struct cfg_arena texts;  /* for their texts */
    struct cfg_problems *problems;
    struct {
        struct cfg_lexer lexer;
        dev_t device;
        ino_t inode;
    } open[CFG_SOURCE_DEPTH];
    size_t depth;
    size_t octets;
};

/* Opens the outermost file. False if it can't be read. The caller calls cfg_source_close either way. */
bool cfg_source_open(struct cfg_source *source, struct cfg_arena *names, struct cfg_problems *problems,
                     const char *path);

/*
 * The next token: CFG_TOKEN_END at the end of the outermost file, never CFG_TOKEN_INCLUDE. It lives until
 * cfg_source_close.
 */
struct cfg_token cfg_source_next(struct cfg_source *source);

/* Frees the texts, and the tokens with them. */
void cfg_source_close(struct cfg_source *source);

/* `path` as it is, or if it is relative after the folder of `file`. In the arena. */
char *cfg_source_resolve(struct cfg_arena *arena, const char *file, struct slice path);

#endif
