/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_SYNTAX_H
#define DEEPPROXY_CONFIG_CFG_SYNTAX_H

#include "config/cfg_source.h"

#include <libconfig.h>

/*
 * Reads a file into libconfig's tree. libconfig reports "syntax error" and no more, takes 4294967296 for 0,
 * drops everything at a key that is there twice, and gives a string at the end of a list the line of what
 * follows it. So the tokens are checked against its grammar here, with a message for each mistake, and
 * libconfig gets what is right.
 */
struct cfg_tree {
    config_t config;
    struct cfg_place
        *places; /* in the order of the settings in the text; each setting's hook points to its own */
    size_t count;
};

/*
 * Reads the file. False if there is no tree: the first mistake of syntax is a problem then. A key that is
 * there twice and a file that can't be included are problems too, but the tree has the rest. The caller calls
 * cfg_tree_free either way, and also if the arena is left (cfg_arena.h). The file names of places belong to
 * `arena`.
 */
bool cfg_tree_load(struct cfg_tree *tree, struct cfg_arena *arena, struct cfg_problems *problems,
                   const char *path);

/* Frees the tree, and not the arena. */
void cfg_tree_free(struct cfg_tree *tree);

/*
 * The place of a setting: the line of its key, or in a list the line on which its value begins; line 0 for
 * the root.
 */
struct cfg_place cfg_tree_place(const config_setting_t *setting);

#endif
