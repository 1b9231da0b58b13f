/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/slice.h"

#include <string.h>

struct slice slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

struct slice slice_sub(struct slice s, size_t start, size_t len)
{
    /* Of nothing, NULL may be where it lies: no offset can be added to that. */
    if (start >= s.len)
        return (struct slice){s.len > 0 ? s.data + s.len : s.data, 0};
    size_t left = s.len - start;
    return (struct slice){s.data + start, len < left ? len : left};
}

bool slice_equals(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

uint8_t ascii_upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - ('a' - 'A')) : c;
}

bool ascii_is_alpha(uint8_t c)
{
    uint8_t upper = ascii_upper(c);
    return upper >= 'A' && upper <= 'Z';
}

bool ascii_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool ascii_is_graph(uint8_t c)
{
    return c > 0x20 && c < 0x7f;
}

static bool equal_but_for_case(const uint8_t *data, const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (ascii_upper(data[i]) != ascii_upper((uint8_t)word[i]))
            return false;
    return true;
}

bool slice_is(struct slice s, const char *word)
{
    return strlen(word) == s.len && equal_but_for_case(s.data, word, s.len);
}

bool slice_has_prefix(struct slice s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s.len >= len && equal_but_for_case(s.data, prefix, len);
}

bool slice_has_suffix(struct slice s, const char *suffix)
{
    size_t len = strlen(suffix);
    return s.len >= len && equal_but_for_case(s.data + s.len - len, suffix, len);
}

size_t slice_find(struct slice s, uint8_t octet)
{
    const uint8_t *hit = s.len > 0 ? memchr(s.data, octet, s.len) : NULL;
    return hit != NULL ? (size_t)(hit - s.data) : s.len;
}

struct slice slice_next_word(struct slice *rest, uint8_t separator)
{
    size_t start = 0;
    while (start < rest->len && rest->data[start] == separator)
        start++;
    *rest = slice_sub(*rest, start, rest->len);
    struct slice word = slice_sub(*rest, 0, slice_find(*rest, separator));
    *rest = slice_sub(*rest, word.len, rest->len);
    return word;
}
