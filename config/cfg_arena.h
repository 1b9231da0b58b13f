/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_ARENA_H
#define DEEPPROXY_CONFIG_CFG_ARENA_H

#include "base/slice.h"

/*
 * Memory that is given back all at once. A configuration owns one, so that no path through the checks can
 * leak a string. Nothing here returns NULL: loading runs on the control thread and takes a few kilobytes, and
 * libconfig does not survive a failed allocation either, so a process that has not even those ends with a
 * message. All zero is an empty arena.
 */
struct cfg_arena {
    struct cfg_arena_block *blocks;
};

/* Zeroed, aligned for anything. */
void *cfg_arena_alloc(struct cfg_arena *arena, size_t count, size_t size);
char *cfg_arena_copy(struct cfg_arena *arena, struct slice text);
__attribute__((format(printf, 2, 3))) char *cfg_arena_format(struct cfg_arena *arena, const char *format,
                                                             ...);

void cfg_arena_free(struct cfg_arena *arena);

#endif
