/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_ARRAY_H
#define DEEPPROXY_BASE_ARRAY_H

#include "base/must_check.h"

#include <stddef.h>

/* Arrays: their lengths, and their growth. Nothing here owns one. */

/* How many items an array has; not for a pointer. */
#define ARRAY_LEN(array) (sizeof(array) / sizeof(array)[0])

/*
 * Makes room for one more item in a growing array, which has `count` items and room for `*cap`. If it is full
 * its room is doubled. Returns the array, which may have moved, for the caller to store. NULL if memory is
 * short: the array is then where and as it was.
 */
MUST_CHECK void *array_make_room(void *items, size_t count, size_t *cap, size_t item_size);

/*
 * The index of the first item with this name, or `count`. The first member of an item is its name, a `char *`
 * or a `const char *`, which may be NULL: then the item has no name.
 */
size_t array_find_name(const void *items, size_t count, size_t item_size, const char *name);

#endif
