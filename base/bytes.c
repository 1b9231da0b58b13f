/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

/* Octets of the first allocation: most lines are shorter. */
#define BYTES_FIRST 128

/* Not realloc, which would leave the old copy in the heap without wiping it. */
static bool grow(struct bytes *b, size_t needed)
{
    size_t cap = b->cap > 0 ? b->cap : BYTES_FIRST;
    while (cap < needed)
        cap *= 2;
    uint8_t *data = malloc(cap);
    if (data == NULL)
        return false;
    size_t len = b->len;
    if (len > 0)
        memcpy(data, b->data, len);
    bytes_free(b);
    *b = (struct bytes){data, len, cap};
    return true;
}

bool bytes_append(struct bytes *b, struct slice added, size_t limit)
{
    if (added.len == 0)
        return true;
    if (added.len > limit || b->len > limit - added.len)
        return false;
    size_t needed = b->len + added.len;
    if (needed > b->cap && !grow(b, needed))
        return false;
    memcpy(b->data + b->len, added.data, added.len);
    b->len = needed;
    return true;
}

void bytes_drop(struct bytes *b, size_t count)
{
    if (count >= b->len) {
        bytes_free(b);
        return;
    }
    memmove(b->data, b->data + count, b->len - count);
    b->len -= count;
}

struct slice bytes_view(const struct bytes *b)
{
    return (struct slice){b->data, b->len};
}

void bytes_free(struct bytes *b)
{
    if (b->data != NULL)
        wipe(b->data, b->cap);
    free(b->data);
    *b = (struct bytes){0};
}

void wipe(void *data, size_t len)
{
    explicit_bzero(data, len);
}
