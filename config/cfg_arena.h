/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_ARENA_H
#define DEEPPROXY_CONFIG_CFG_ARENA_H

#include "base/slice.h"

/*
 * Memory that is freed all at once. A configuration owns an arena, so that no path through the checks can
 * leak a string. No function returns NULL: loading takes a few kilobytes, and libconfig does not survive a
 * failed allocation either, so a process without these ends with a message. An arena that is all zero is
 * empty.
 */
struct cfg_arena {
    struct cfg_arena_block *blocks;
};

/* Allocates count * size octets, zeroed and aligned for any type. */
void *cfg_arena_alloc(struct cfg_arena *arena, size_t count, size_t size);

/* Copies a text, and ends it with a NUL. */
char *cfg_arena_copy(struct cfg_arena *arena, struct slice text);

/* Formats a text as printf does. */
__attribute__((format(printf, 2, 3))) char *cfg_arena_format(struct cfg_arena *arena, const char *format,
                                                             ...);

/* Frees all of it, and leaves the arena empty. */
void cfg_arena_free(struct cfg_arena *arena);

#endif
