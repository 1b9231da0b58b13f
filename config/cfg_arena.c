/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_arena.h"

#include "base/ensure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cfg_arena_block {
    struct cfg_arena_block *next;
    _Alignas(max_align_t) unsigned char memory[];
};

void *cfg_arena_alloc(struct cfg_arena *arena, size_t count, size_t size)
{
    size_t total;
    ENSURE(!__builtin_mul_overflow(count, size, &total));
    struct cfg_arena_block *block = calloc(1, sizeof *block + total);
    ENSURE(block != NULL);
    block->next = arena->blocks;
    arena->blocks = block;
    return block->memory;
}

char *cfg_arena_copy(struct cfg_arena *arena, struct slice text)
{
    char *copy = cfg_arena_alloc(arena, text.len + 1, 1);
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    return copy;
}

char *cfg_arena_format(struct cfg_arena *arena, const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    ENSURE(len >= 0);
    char *copy = cfg_arena_copy(arena, slice_of(text));
    free(text);
    return copy;
}

void cfg_arena_free(struct cfg_arena *arena)
{
    while (arena->blocks != NULL) {
        struct cfg_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
