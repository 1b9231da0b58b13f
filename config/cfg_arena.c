/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/cfg_arena.h"

#include "base/ensure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cfg_arena_block {
    struct cfg_arena_block *next;
    _Alignas(max_align_t) unsigned char memory[];
};

struct cfg_arena_failure {
    jmp_buf place;
};

bool cfg_arena_try(struct cfg_arena *arena, void (*call)(void *arg), void *arg)
{
    struct cfg_arena_failure failure;
    struct cfg_arena_failure *outer = arena->failure;
    arena->failure = &failure;
    if (setjmp(failure.place) == 0) {
        call(arg);
        arena->failure = outer;
        return true;
    }
    arena->failure = outer;
    return false;
}

void cfg_arena_fail(const struct cfg_arena *arena)
{
    while (arena->parent != NULL)
        arena = arena->parent;
    bool memory_is_left = arena->failure != NULL;
    ENSURE(memory_is_left);
    longjmp(arena->failure->place, 1);
}

void *cfg_arena_alloc_or_null(struct cfg_arena *arena, size_t count, size_t size)
{
    size_t total;
    ENSURE(!__builtin_mul_overflow(count, size, &total));
    struct cfg_arena_block *block = calloc(1, sizeof *block + total);
    if (block == NULL)
        return NULL;
    block->next = arena->blocks;
    arena->blocks = block;
    return block->memory;
}

void *cfg_arena_alloc(struct cfg_arena *arena, size_t count, size_t size)
{
    void *memory = cfg_arena_alloc_or_null(arena, count, size);
    if (memory == NULL)
        cfg_arena_fail(arena);
    return memory;
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
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ENSURE(len >= 0);
    text = cfg_arena_alloc(arena, (size_t)len + 1, 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void cfg_arena_free(struct cfg_arena *arena)
{
    while (arena->blocks != NULL) {
        struct cfg_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
