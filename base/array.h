/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_ARRAY_H
#define DEEPPROXY_BASE_ARRAY_H

#include <stddef.h>

/* How many items an array has; not for a pointer. */
#define ARRAY_LEN(array) (sizeof(array) / sizeof(array)[0])

/*
 * Room for one more item in a growing array of `count` items, of which `*cap` have room. Returns where the array is now, and
 * has doubled it if it was full. NULL if memory is short: the array is then where and as it was.
 */
void *array_make_room(void *items, size_t count, size_t *cap, size_t item_size);

/*
 * The index of the first item with this name, or `count`. The first member of an item is its name, a `char *` or a
 * `const char *`, which may be NULL: then the item has no name.
 */
size_t array_find_name(const void *items, size_t count, size_t item_size, const char *name);

#endif
