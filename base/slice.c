/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/slice.h"

#include <string.h>

struct slice slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

struct slice slice_from(struct slice s, size_t start)
{
    return slice_sub(s, start, s.len);
}

struct slice slice_first(struct slice s, size_t len)
{
    return slice_sub(s, 0, len);
}

struct slice slice_sub(struct slice s, size_t start, size_t len)
{
    /* The data of an empty slice may be NULL, to which no offset may be added. */
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

bool slice_equals_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_upper(a.data[i]) != ascii_upper(b.data[i]))
            return false;
    return true;
}

bool slice_is_word(struct slice s, const char *word)
{
    return slice_equals_nocase(s, slice_of(word));
}

bool slice_has_prefix(struct slice s, const char *prefix)
{
    struct slice wanted = slice_of(prefix);
    return s.len >= wanted.len && slice_equals_nocase(slice_sub(s, 0, wanted.len), wanted);
}

bool slice_has_suffix(struct slice s, const char *suffix)
{
    struct slice wanted = slice_of(suffix);
    return s.len >= wanted.len && slice_equals_nocase(slice_sub(s, s.len - wanted.len, wanted.len), wanted);
}

struct slice slice_first_line(struct slice s)
{
    struct slice line = slice_sub(s, 0, slice_find(s, '\n'));
    bool ends_in_cr = line.len > 0 && line.data[line.len - 1] == '\r';
    return ends_in_cr ? slice_sub(line, 0, line.len - 1) : line;
}

size_t slice_find(struct slice s, uint8_t octet)
{
    const uint8_t *hit = s.len > 0 ? memchr(s.data, octet, s.len) : NULL;
    return hit != NULL ? (size_t)(hit - s.data) : s.len;
}

bool slice_read_decimal(struct slice s, unsigned max, unsigned *number)
{
    bool ok = s.len > 0 && (s.len == 1 || s.data[0] != '0');
    *number = 0;
    for (size_t i = 0; ok && i < s.len; i++) {
        *number = *number * 10 + (unsigned)(s.data[i] - '0');
        ok = ascii_is_digit(s.data[i]) && *number <= max;
    }
    return ok;
}

struct slice slice_next_word(struct slice *rest, uint8_t separator)
{
    size_t start = 0;
    while (start < rest->len && rest->data[start] == separator)
        start++;
    *rest = slice_from(*rest, start);
    struct slice word = slice_first(*rest, slice_find(*rest, separator));
    *rest = slice_from(*rest, word.len);
    return word;
}

bool text_is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

int text_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}
