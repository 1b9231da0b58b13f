/* SPDX-License-Identifier: BSD-2-Clause */
#include "lane.h"

#include "fuzz_check.h"

struct engine_out *lane_out(void)
{
    static struct engine_out *out;
    if (out == NULL)
        out = engine_out_new();
    check(out != NULL, "memory for the fuzzer itself");
    engine_out_reset(out);
    return out;
}

struct bytes lane_take(struct engine_out *out, enum side side)
{
    struct bytes all = {0};
    for (size_t i = 0; i < out->lanes[side].count; i++)
        expect(&all, out->lanes[side].slices[i]);
    engine_out_reset(out);
    return all;
}

void expect(struct bytes *b, struct slice octets)
{
    check(bytes_append(b, octets, NO_LIMIT), "memory for the fuzzer itself");
}

void expect_text(struct bytes *b, const char *text)
{
    expect(b, slice_of(text));
}

void lane_compare(struct bytes *came, struct bytes *expected, const char *what)
{
    bool same = slice_equals(bytes_view(came), bytes_view(expected));
    if (!same)
        fprintf(stderr, "came: %.*s\nexpected: %.*s\n", (int)came->len, (const char *)came->data,
                (int)expected->len, (const char *)expected->data);
    check(same, what);
    bytes_free(came);
    bytes_free(expected);
}

struct slice take_line(struct slice *rest)
{
    size_t end = slice_find(*rest, '\n');
    struct slice line = slice_first(*rest, end);
    *rest = slice_from(*rest, end + 1);
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}
