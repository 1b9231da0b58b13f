/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 16 };

void *array_make_room(void *items, size_t count, size_t *cap, size_t item_size)
{
    if (count < *cap)
        return items;
    if (*cap > SIZE_MAX / 2 / item_size)
        return NULL;
    size_t more = *cap > 0 ? 2 * *cap : FIRST;
    void *moved = realloc(items, more * item_size);
    if (moved != NULL)
        *cap = more;
    return moved;
}

size_t array_find_name(const void *items, size_t count, size_t item_size, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        const char *const *other = (const void *)((const char *)items + i * item_size);
        if (*other != NULL && strcmp(*other, name) == 0)
            return i;
    }
    return count;
}
