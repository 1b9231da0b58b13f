/* SPDX-License-Identifier: BSD-2-Clause */
#include "wipes.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void __real_free(void *block);
void __wrap_free(void *block);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *old, size_t size);

enum { SECRET_MAX = 64 };

static char watched[SECRET_MAX];
static _Atomic size_t watched_len;
static _Atomic unsigned missed;
static _Atomic unsigned searched;

void wipes_watch(const void *secret, size_t len)
{
    len = len < SECRET_MAX ? len : SECRET_MAX;
    atomic_store(&watched_len, 0);
    memcpy(watched, secret, len);
    atomic_store(&missed, 0);
    atomic_store(&searched, 0);
    atomic_store(&watched_len, len);
}

unsigned wipes_missed(void)
{
    return atomic_load(&missed);
}

unsigned wipes_searched(void)
{
    return atomic_load(&searched);
}

static bool has_secret(void *block)
{
    size_t len = atomic_load(&watched_len);
    return len > 0 && memmem(block, malloc_usable_size(block), watched, len) != NULL;
}

/* A block may have been a library's before, which did not wipe it: that is not its next owner's fault. */
void *__wrap_malloc(size_t size)
{
    void *block = __real_malloc(size);
    if (block != NULL && has_secret(block))
        memset(block, 0, malloc_usable_size(block));
    return block;
}

void __wrap_free(void *block)
{
    if (block != NULL && atomic_load(&watched_len) > 0) {
        atomic_fetch_add(&searched, 1);
        if (has_secret(block))
            atomic_fetch_add(&missed, 1);
    }
    __real_free(block);
}

/* Always to another place, as it may be at any time: the old one is freed, and searched. */
void *__wrap_realloc(void *old, size_t size)
{
    void *moved = __wrap_malloc(size);
    if (old == NULL || moved == NULL)
        return moved;
    size_t before = malloc_usable_size(old);
    memcpy(moved, old, before < size ? before : size);
    __wrap_free(old);
    return moved;
}
