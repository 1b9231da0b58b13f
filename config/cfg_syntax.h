/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_SYNTAX_H
#define DEEPPROXY_CONFIG_CFG_SYNTAX_H

#include "config/cfg_source.h"

#include <libconfig.h>

/*
 * Reads a file into libconfig's tree. libconfig says "syntax error" and no more, takes 4294967296 for 0,
 * drops all that it has read at a key that stands twice, and gives a string at the end of a list the line of
 * what follows it. So the tokens are checked against its grammar here, where each mistake has a name, and
 * what passes is handed to it.
 */
struct cfg_tree {
    config_t config;
    struct cfg_place *places; /* by the settings' order in the text; each setting's hook points to its own */
    size_t count;
};

/*
 * False where there is no tree: the first mistake of syntax is a problem then. Keys that stand twice and
 * files that can't be included are problems too, and the tree has the rest. cfg_tree_free follows in any
 * case. File names of places belong to `arena`.
 */
bool cfg_tree_load(struct cfg_tree *tree, struct cfg_arena *arena, struct cfg_problems *problems,
                   const char *path);
void cfg_tree_free(struct cfg_tree *tree);

/* The key's line; in a list the line on which the value begins; line 0 for the root. */
struct cfg_place cfg_tree_place(const config_setting_t *setting);

#endif
