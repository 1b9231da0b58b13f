/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_CONFIG_CFG_ARENA_H
#define DEEPPROXY_CONFIG_CFG_ARENA_H

#include "base/must_check.h"
#include "base/slice.h"

#include <stdbool.h>

/*
 * Memory that is freed all at once. A configuration owns an arena, so that no path through the checks can
 * leak a string. No function returns NULL but one: if memory is short, the call that cfg_arena_try has made
 * is left, wherever it is, as a thousand checks for it would hide those of the configuration. Hence whoever
 * owns more than what is in an arena calls what allocates by cfg_arena_try, and frees it after it. Without
 * such a call the program ends with a message. An arena that is all zero is empty.
 */
struct cfg_arena {
    struct cfg_arena_block *blocks;
    /* NULL: none. An arena for a while, by whose owner's call of cfg_arena_try both are left. */
    struct cfg_arena *parent;
    struct cfg_arena_failure *failure; /* of the innermost cfg_arena_try */
};

/*
 * Calls `call`. False if it was left before its end because memory was short: what it has allocated is still
 * in its arenas, and what else it owned is as it was. `call` does not own a thing that its arguments do not
 * show.
 */
MUST_CHECK bool cfg_arena_try(struct cfg_arena *arena, void (*call)(void *arg), void *arg);

/* Leaves the innermost cfg_arena_try: memory is short. */
_Noreturn void cfg_arena_fail(const struct cfg_arena *arena);

/* Allocates count * size octets, zeroed and aligned for any type. */
void *cfg_arena_alloc(struct cfg_arena *arena, size_t count, size_t size);

/* As cfg_arena_alloc, but NULL if memory is short. */
MUST_CHECK void *cfg_arena_alloc_or_null(struct cfg_arena *arena, size_t count, size_t size);

/* Copies a text, and ends it with a NUL. */
char *cfg_arena_copy(struct cfg_arena *arena, struct slice text);

/* Formats a text as printf does. */
__attribute__((format(printf, 2, 3))) char *cfg_arena_format(struct cfg_arena *arena, const char *format,
                                                             ...);

/* Frees all of it, and leaves the arena empty. */
void cfg_arena_free(struct cfg_arena *arena);

#endif
