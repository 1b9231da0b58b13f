/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"

#include <stdlib.h>

enum { FIRST = 16 };

void *array_make_room(void *items, size_t count, size_t *cap, size_t item_size)
{
    if (count < *cap)
        return items;
    size_t more = *cap > 0 ? 2 * *cap : FIRST;
    void *moved = reallocarray(items, more, item_size);
    if (moved != NULL)
        *cap = more;
    return moved;
}
