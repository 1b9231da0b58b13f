/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_ARRAY_H
#define DEEPPROXY_BASE_ARRAY_H

#include <stddef.h>

/*
 * Room for one more item in a growing array of `count` items, of which `*cap` have room. Returns where the array is now, and
 * has doubled it where it was full; NULL where memory is short, and then it is where and as it was.
 */
void *array_make_room(void *items, size_t count, size_t *cap, size_t item_size);

#endif
