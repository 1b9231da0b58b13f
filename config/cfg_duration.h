/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_DURATION_H
#define DEEPPROXY_CONFIG_CFG_DURATION_H

#include "config/cfg_arena.h"

/*
 * Lengths of time as the file spells them. It knows no limits: the keys do.
 *
 * Parses a whole number and a unit (ms, s, min, h), with or without a space between. NULL, or a static text
 * that says what is wrong.
 */
const char *cfg_duration_parse(struct slice text, uint64_t *milliseconds);

/* Converts a number of seconds. NULL, or a static text that says what is wrong. */
const char *cfg_duration_of_seconds(int64_t seconds, uint64_t *milliseconds);

/* Formats it in the largest unit that leaves no fraction: "90 s", "3 min". In the arena. */
char *cfg_duration_text(struct cfg_arena *arena, uint64_t milliseconds);

#endif
