/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines, whole, whatever the chunks: the same lines at every cut, limits, and no memory kept between them. */
#include "protocols/line.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

static void check_is(struct slice s, const char *text)
{
    ck_assert_msg(slice_equals(s, slice_of(text)), "\"%.*s\" is not \"%s\"", (int)s.len, (const char *)s.data,
                  text);
}

START_TEST(lines_in_one_chunk)
{
    struct line_reader reader = {0};
    struct slice all = slice_of("one\r\ntwo\n\r\n\nrest");
    struct slice input = all;
    struct line line;
    static const struct {
        const char *whole, *text;
        bool bare_lf;
    } expected[] = {{"one\r\n", "one", false}, {"two\n", "two", true}, {"\r\n", "", false}, {"\n", "", true}};
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *at = input.data;
        ck_assert_int_eq(line_reader_take(&reader, &input, 100, &line), LINE_WHOLE);
        check_is(line.whole, expected[i].whole);
        check_is(line.text, expected[i].text);
        ck_assert_int_eq(line.bare_lf, expected[i].bare_lf);
        ck_assert(line.in_input);
        ck_assert_ptr_eq(line.whole.data, at); /* not copied */
        ck_assert(!line_reader_is_inside(&reader));
        line_reader_done(&reader);
    }
    ck_assert_int_eq(line_reader_take(&reader, &input, 100, &line), LINE_CUT);
    ck_assert_uint_eq(input.len, 0);
    ck_assert(line_reader_is_inside(&reader));
    line_reader_done(&reader);
    ck_assert(!line_reader_is_inside(&reader));
    ck_assert_ptr_null(reader.held.data);
}
END_TEST

START_TEST(no_input)
{
    struct line_reader reader = {0};
    struct slice input = {NULL, 0};
    struct line line;
    ck_assert_int_eq(line_reader_take(&reader, &input, 100, &line), LINE_CUT);
    ck_assert(!line_reader_is_inside(&reader));
    ck_assert_ptr_null(reader.held.data);
}
END_TEST

/* Feeds one chunk of its own memory; appends "text|" for each line, with "!" before the bar for a bare LF. */
static void feed(struct line_reader *reader, struct slice chunk, char *seen)
{
    uint8_t *memory = malloc(chunk.len + 1);
    memcpy(memory, chunk.data, chunk.len);
    struct slice input = {memory, chunk.len};
    struct line line;
    while (line_reader_take(reader, &input, 10, &line) == LINE_WHOLE) {
        strncat(seen, (const char *)line.text.data, line.text.len);
        strcat(seen, line.bare_lf ? "!|" : "|");
        line_reader_done(reader);
    }
    ck_assert_uint_eq(input.len, 0);
    free(memory);
}

/* A CR at the end of a chunk, an LF at the start of one: the lines are the same. */
START_TEST(every_cut)
{
    static const char text[] = "12345678\r\na\n\r\nb\rc\n\r\r\n";
    struct slice all = slice_of(text);
    for (size_t first = 0; first <= all.len; first++) {
        for (size_t second = first; second <= all.len; second++) {
            struct line_reader reader = {0};
            char seen[64] = "";
            feed(&reader, slice_first(all, first), seen);
            feed(&reader, slice_sub(all, first, second - first), seen);
            feed(&reader, slice_from(all, second), seen);
            ck_assert_str_eq(seen, "12345678|a!||b\rc!|\r|");
            ck_assert_ptr_null(reader.held.data);
        }
    }
}
END_TEST

/*
 * The limit counts the line end in, and is the same wherever a line is cut. Nothing of what is too long is
 * taken.
 */
START_TEST(limit)
{
    struct slice fits = slice_of("12345678\r\n");
    struct slice longer = slice_of("123456789\r\n");
    for (size_t cut = 0; cut < fits.len; cut++) {
        struct line_reader reader = {0};
        struct slice first = slice_first(fits, cut);
        struct slice second = slice_from(fits, cut);
        struct line line;
        ck_assert_int_eq(line_reader_take(&reader, &first, 10, &line), LINE_CUT);
        ck_assert_int_eq(line_reader_take(&reader, &second, 10, &line), LINE_WHOLE);
        ck_assert_int_eq(line.in_input, cut == 0);
        check_is(line.whole, "12345678\r\n");
        line_reader_done(&reader);
        first = slice_first(longer, cut);
        second = slice_from(longer, cut);
        ck_assert_int_eq(line_reader_take(&reader, &first, 10, &line), LINE_CUT);
        ck_assert_int_eq(line_reader_take(&reader, &second, 10, &line), LINE_TOO_LONG);
        ck_assert_uint_eq(second.len, longer.len - cut);
        ck_assert_uint_eq(reader.held.len, cut);
        line_reader_done(&reader);
    }
}
END_TEST

START_TEST(a_line_that_never_ends)
{
    struct line_reader reader = {0};
    struct slice input = slice_of("12345678901");
    struct line line;
    ck_assert_int_eq(line_reader_take(&reader, &input, 10, &line), LINE_TOO_LONG);
    ck_assert_uint_eq(input.len, 11);
    ck_assert(!line_reader_is_inside(&reader));
}
END_TEST

static void check_out(const char *chunk, const char *more, const char *expected, bool copied)
{
    struct line_reader reader = {0};
    struct line line;
    struct engine_out *out = engine_out_new();
    struct slice input = slice_of(chunk);
    if (more != NULL) {
        ck_assert_int_eq(line_reader_take(&reader, &input, 100, &line), LINE_CUT);
        input = slice_of(more);
    }
    ck_assert_int_eq(line_reader_take(&reader, &input, 100, &line), LINE_WHOLE);
    line_send(&line, SIDE_BACKEND, out);
    line_reader_done(&reader);
    struct bytes got = {0};
    for (size_t i = 0; i < out->lanes[SIDE_BACKEND].count; i++)
        ck_assert(bytes_append(&got, out->lanes[SIDE_BACKEND].slices[i], 100));
    check_is(bytes_view(&got), expected);
    ck_assert_uint_eq(out->lanes[SIDE_CLIENT].count, 0);
    ck_assert_int_eq(out->scratch_used >= strlen(expected), copied);
    bytes_free(&got);
    engine_out_free(&out);
}

START_TEST(let_out)
{
    check_out("NOOP\r\n", NULL, "NOOP\r\n", false);
    check_out("NOOP\n", NULL, "NOOP\r\n", false);
    check_out("NO", "OP\r\n", "NOOP\r\n", true);
    check_out("NOOP\r", "\n", "NOOP\r\n", true);
    check_out("NO", "OP\n", "NOOP\r\n", true);
    check_out("\n", NULL, "\r\n", true);
    check_out("\r\r\n", NULL, "\r\r\n", false);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("line");
    TCase *tcase = tcase_create("line");
    tcase_add_test(tcase, lines_in_one_chunk);
    tcase_add_test(tcase, no_input);
    tcase_add_test(tcase, every_cut);
    tcase_add_test(tcase, limit);
    tcase_add_test(tcase, a_line_that_never_ends);
    tcase_add_test(tcase, let_out);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
