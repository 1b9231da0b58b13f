/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_SUGGEST_H
#define DEEPPROXY_CONFIG_CFG_SUGGEST_H

#include "config/cfg_arena.h"

/*
 * Guesses what the operator meant by an unknown word.
 *
 * Finds the candidate that is the fewest insertions, deletions, replacements and swaps of neighbours away
 * from `word`, without regard to case and to "-" for "_"; one that begins with the word counts as near. NULL
 * if none is near enough to be meant.
 */
const char *cfg_suggest_nearest(const char *word, const char *const *candidates, size_t count);

/* The candidates in quotation marks: "a", "b", "c". In the arena. */
char *cfg_suggest_list(struct cfg_arena *arena, const char *const *candidates, size_t count);

#endif
