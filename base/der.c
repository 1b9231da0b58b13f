/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/der.h"

/* The octets of a length in its long form that a file of ours can need. */
enum { LENGTH_MAX = 4, NUMBER_MAX = 7 };

/* False if there is no length, or an indefinite one, which DER does not know. */
static bool take_length(struct slice *rest, size_t *len)
{
    if (rest->len == 0)
        return false;
    uint8_t first = rest->data[0];
    size_t count = first < 0x80 ? 0 : first & 0x7Fu;
    if (count > LENGTH_MAX || rest->len < 1 + count || first == 0x80)
        return false;
    *len = first < 0x80 ? first : 0;
    for (size_t i = 0; i < count; i++)
        *len = *len << 8 | rest->data[1 + i];
    *rest = slice_from(*rest, 1 + count);
    return true;
}

bool der_take(struct slice *rest, uint8_t *tag, struct slice *content)
{
    struct slice at = *rest;
    size_t len = 0;
    if (at.len == 0)
        return false;
    *tag = at.data[0];
    at = slice_from(at, 1);
    if (!take_length(&at, &len) || len > at.len)
        return false;
    *content = slice_first(at, len);
    *rest = slice_from(at, len);
    return true;
}

bool der_take_tag(struct slice *rest, uint8_t tag, struct slice *content)
{
    struct slice after = *rest;
    uint8_t found = 0;
    if (!der_take(&after, &found, content) || found != tag)
        return false;
    *rest = after;
    return true;
}

int64_t der_number(struct slice content)
{
    int64_t number = 0;
    if (content.len == 0 || content.len > NUMBER_MAX || content.data[0] >= 0x80)
        return -1;
    for (size_t i = 0; i < content.len; i++)
        number = number << 8 | content.data[i];
    return number;
}
