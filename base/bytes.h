/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_BYTES_H
#define DEEPPROXY_BASE_BYTES_H

#include "base/slice.h"

/*
 * A growing buffer with a limit, for what has to be kept for a while. All zero is an empty buffer, and an
 * empty buffer owns no memory: `bytes_free` after use keeps an idle session small.
 */
struct bytes {
    uint8_t *data;
    size_t len;
    size_t cap;
};

/*
 * Adds octets at the end. False, and nothing changed, where more than `limit` octets would be held or memory
 * is short. `added` must not lie inside the buffer itself.
 */
bool bytes_append(struct bytes *b, struct slice added, size_t limit);

/* Drops `count` octets (at most all) from the front; frees the memory when nothing is left. */
void bytes_drop(struct bytes *b, size_t count);

/* A view that holds until the buffer changes. */
struct slice bytes_view(const struct bytes *b);

/* Gives the memory back, wiped: it may have held a password. */
void bytes_free(struct bytes *b);

/* Overwrites memory in a way that the compiler keeps. */
void wipe(void *data, size_t len);

#endif
