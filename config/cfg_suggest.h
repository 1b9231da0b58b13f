/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_SUGGEST_H
#define DEEPPROXY_CONFIG_CFG_SUGGEST_H

#include "config/cfg_arena.h"

/* What the operator may have meant by a word that nobody knows. */

/*
 * The candidate with the fewest insertions, deletions, replacements and swaps of neighbours away from `word`,
 * but for case and "-" for "_"; one that begins with the word counts as near. NULL where none is near enough
 * to be meant.
 */
const char *cfg_suggest_nearest(const char *word, const char *const *candidates, size_t count);

/* "a", "b", "c": the candidates in quotation marks. */
char *cfg_suggest_list(struct cfg_arena *arena, const char *const *candidates, size_t count);

#endif
