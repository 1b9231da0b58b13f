/* SPDX-License-Identifier: BSD-2-Clause */
#include "content.h"

#include "fuzz_check.h"

enum { LINE_MAX_CONTENT = 200 };

static void add(struct bytes *b, struct slice octets)
{
    check(bytes_append(b, octets, NO_LIMIT), "memory for the fuzzer itself");
}

void content_step(struct session *s, enum side from, struct slice octets, struct slice arrives)
{
    bytes_free(&s->got[SIDE_CLIENT]);
    bytes_free(&s->got[SIDE_BACKEND]);
    session_feed(s, from, octets);
    session_settle(s);
    enum side to = side_opposite(from);
    check(slice_equals(bytes_view(&s->got[to]), arrives), "content arrives as it was sent");
    check(s->got[from].len == 0, "and nothing comes back");
    check(engine_status(s->engine)->reason == ENGINE_OPEN, "and the session goes on");
}

void content_same(struct session *s, enum side from, struct slice octets)
{
    content_step(s, from, octets, octets);
}

void content_text(struct session *s, enum side from, const char *text, const char *arrives)
{
    content_step(s, from, slice_of(text), slice_of(arrives));
}

void content_same_text(struct session *s, enum side from, const char *text)
{
    content_text(s, from, text, text);
}

struct bytes content_frame(const char *before, struct slice octets, const char *behind)
{
    struct bytes b = {0};
    add(&b, slice_of(before));
    add(&b, octets);
    add(&b, slice_of(behind));
    return b;
}

struct bytes content_line(const char *before, struct slice octets, const char *behind)
{
    struct bytes b = {0};
    add(&b, slice_of(before));
    for (size_t i = 0, n = 0; i < octets.len && n < LINE_MAX_CONTENT; i++) {
        uint8_t c = octets.data[i];
        if (c == '\0' || c == '\r' || c == '\n')
            continue;
        add(&b, (struct slice){&c, 1});
        n++;
    }
    add(&b, slice_of(behind));
    return b;
}

struct bytes content_stuffed(struct slice octets)
{
    struct bytes b = {0};
    for (size_t i = 0; i < octets.len; i++) {
        bool at_start = i == 0 || (i >= 2 && octets.data[i - 1] == '\n' && octets.data[i - 2] == '\r');
        if (at_start && octets.data[i] == '.')
            add(&b, slice_of("."));
        add(&b, slice_sub(octets, i, 1));
    }
    add(&b, slice_of("\r\n"));
    return b;
}

struct bytes content_base64(struct slice octets)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct bytes b = {0};
    for (size_t i = 0; i + 3 <= octets.len && i < 75; i += 3) {
        unsigned n = octets.data[i] * 65536u + octets.data[i + 1] * 256u + octets.data[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            add(&b, (struct slice){(const uint8_t *)digits + (n >> shift) % 64, 1});
    }
    add(&b, slice_of("\r\n"));
    return b;
}
