/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_BASE_BYTES_H
#define DEEPPROXY_BASE_BYTES_H

#include "base/slice.h"

/*
 * A growing buffer with a limit, for octets that must be kept for a while. All zero is an empty buffer, which
 * owns no memory: `bytes_free` after use keeps an idle session small. Memory that it gives back is wiped
 * first, as it may have had a password.
 */
struct bytes {
    uint8_t *data;
    size_t len;
    size_t cap;
};

/*
 * Appends octets. False, and nothing changed, if the buffer would then have more than `limit` octets, or if
 * memory is short. `added` must not lie inside the buffer itself.
 */
bool bytes_append(struct bytes *b, struct slice added, size_t limit);

/* Drops `count` octets (at most all) from the front; frees the memory if nothing is left. */
void bytes_drop(struct bytes *b, size_t count);

/* All octets; valid until the buffer changes. */
struct slice bytes_view(const struct bytes *b);

/* Wipes and frees the memory; leaves an empty buffer. */
void bytes_free(struct bytes *b);

/* Overwrites memory with zeros in a way that the compiler does not remove. */
void wipe(void *data, size_t len);

#endif
