/* SPDX-License-Identifier: BSD-2-Clause */
#include "failing_heap.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
/* Not all programs with a failing heap put it before this function. */
__attribute__((weak)) char *__real_strndup(const char *text, size_t len);
char *__wrap_strndup(const char *text, size_t len);

static _Atomic size_t left = FAILING_HEAP_NEVER;
static _Atomic bool has_failed;
static _Atomic bool threads_count;
static _Thread_local bool is_within;
static _Thread_local unsigned pauses;
static _Thread_local bool is_the_test;

void failing_heap_set(size_t fails_at)
{
    atomic_store(&has_failed, false);
    atomic_store(&left, fails_at);
}

bool failing_heap_has_failed(void)
{
    return atomic_load(&has_failed);
}

void failing_heap_begin(void)
{
    is_within = true;
}

void failing_heap_end(void)
{
    is_within = false;
}

void failing_heap_pause(void)
{
    pauses++;
}

void failing_heap_resume(void)
{
    pauses--;
}

void failing_heap_of_threads(bool counts)
{
    is_the_test = counts;
    atomic_store(&threads_count, counts);
}

static bool fails(void)
{
    if (pauses > 0 || (!is_within && (is_the_test || !atomic_load(&threads_count))))
        return false;
    size_t before = atomic_load(&left);
    while (before != FAILING_HEAP_NEVER &&
           !atomic_compare_exchange_weak(&left, &before, before == 0 ? FAILING_HEAP_NEVER : before - 1))
        continue;
    if (before == 0)
        atomic_store(&has_failed, true);
    return before == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}
