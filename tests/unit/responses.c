/* SPDX-License-Identifier: BSD-2-Clause */
#include "responses.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

static bool is_data(struct slice s)
{
    static const char *const statuses[] = {"OK", "NO", "BAD", "BYE", "PREAUTH"};
    if (!slice_has_prefix(s, "* "))
        return false;
    struct slice rest = slice_sub(s, 2, 16);
    size_t len = 0;
    while (len < rest.len && ascii_is_graph(rest.data[len]))
        len++;
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (slice_is_word(slice_first(rest, len), statuses[i]))
            return false;
    return true;
}

/* Does the line end in a literal's announcement? */
static bool announces_literal(struct slice line, size_t *octets)
{
    size_t end = line.len;
    if (end > 0 && line.data[end - 1] == '\r')
        end--;
    if (end == 0 || line.data[--end] != '}')
        return false;
    size_t start = end;
    while (start > 0 && ascii_is_digit(line.data[start - 1]))
        start--;
    if (start == end || start == 0 || line.data[start - 1] != '{')
        return false;
    *octets = strtoul((const char *)line.data + start, NULL, 10);
    return true;
}

size_t response_length(struct slice s)
{
    bool data = is_data(s);
    size_t at = 0;
    size_t literal;
    while (at < s.len) {
        struct slice line = slice_sub(s, at, slice_find(slice_from(s, at), '\n'));
        at += line.len + 1;
        if (!data || at >= s.len || !announces_literal(line, &literal))
            break;
        at = literal < s.len - at ? at + literal : s.len;
    }
    return at < s.len ? at : s.len;
}

struct responses {
    struct slice *each;
    size_t count;
};

static struct responses split(struct slice s)
{
    struct responses r = {0};
    while (s.len > 0) {
        size_t len = response_length(s);
        r.each = realloc(r.each, (r.count + 1) * sizeof *r.each);
        if (r.each == NULL)
            abort();
        r.each[r.count++] = slice_first(s, len);
        s = slice_from(s, len);
    }
    return r;
}

static bool has(const struct responses *r, size_t index, struct slice response)
{
    return index < r->count && slice_equals(r->each[index], response);
}

/*
 * Walks all ways to deal the responses out at once: `from_a[i]` says whether the ones so far can be the first
 * i of `a` and the rest of `b`.
 */
static bool deal_out(const struct responses *all, const struct responses *a, const struct responses *b,
                     bool b_may_end)
{
    bool *from_a = calloc(a->count + 1, sizeof *from_a);
    if (from_a == NULL)
        abort();
    from_a[0] = true;
    for (size_t n = 0; n < all->count; n++) {
        for (size_t i = (a->count < n + 1 ? a->count : n + 1) + 1; i-- > 0;) {
            bool next_of_b = from_a[i] && n >= i && has(b, n - i, all->each[n]);
            bool next_of_a = i > 0 && from_a[i - 1] && has(a, i - 1, all->each[n]);
            from_a[i] = next_of_a || next_of_b;
        }
    }
    bool fits = from_a[a->count] && all->count >= a->count &&
                (b_may_end ? all->count - a->count <= b->count : all->count - a->count == b->count);
    free(from_a);
    return fits;
}

bool responses_are_shuffled(struct slice s, struct slice a, struct slice b, bool b_may_end)
{
    struct responses all = split(s), first = split(a), second = split(b);
    bool fits = deal_out(&all, &first, &second, b_may_end);
    free(all.each);
    free(first.each);
    free(second.each);
    return fits;
}
