/* SPDX-License-Identifier: BSD-2-Clause */
/* Views of octets: their ends, case in ASCII only, words. */
#include "base/array.h"
#include "base/slice.h"
#include "run_suite.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const struct slice nothing = {NULL, 0};

static void check_is(struct slice s, const char *text)
{
    ck_assert_msg(slice_equals(s, slice_of(text)), "%.*s is not %s", (int)s.len, (const char *)s.data, text);
}

START_TEST(sub)
{
    struct slice s = slice_of("abcdef");
    check_is(slice_first(s, 6), "abcdef");
    check_is(slice_sub(s, 2, 2), "cd");
    check_is(slice_sub(s, 4, 99), "ef");
    check_is(slice_from(s, 1), "bcdef");
    check_is(slice_sub(s, 6, 1), "");
    check_is(slice_from(s, SIZE_MAX), "");
    check_is(slice_sub(s, 3, 0), "");
    ck_assert_ptr_eq(slice_sub(s, 99, 1).data, s.data + 6);
}
END_TEST

START_TEST(equality)
{
    static const uint8_t nul[] = {'a', 0, 'b'};
    ck_assert(slice_equals(nothing, nothing));
    ck_assert(slice_equals(nothing, slice_of("")));
    ck_assert(!slice_equals(nothing, slice_of("a")));
    ck_assert(slice_equals(slice_of("ab"), slice_of("ab")));
    ck_assert(!slice_equals(slice_of("ab"), slice_of("aB")));
    ck_assert(!slice_equals(slice_of("ab"), slice_of("abc")));
    ck_assert(!slice_equals((struct slice){nul, 3}, slice_of("a")));
}
END_TEST

static const struct {
    const char *text;
    const char *word;
    bool is, begins, ends;
} words[] = {
    {"", "", true, true, true},
    {"a", "", false, true, true},
    {"", "a", false, false, false},
    {"NOOP", "noop", true, true, true},
    {"noop", "NOOP", true, true, true},
    {"noops", "noop", false, true, false},
    {"xnoop", "noop", false, false, true},
    {"noo", "noop", false, false, false},
    {"SCRAM-SHA-1-PLUS", "-plus", false, false, true},
    {"{", "[", false, false, false}, /* 0x20 apart, and no letters */
    {"@", "`", false, false, false},
    {"\xe9", "\xc9", false, false, false}, /* a letter in Latin-1, not in ASCII */
};

START_TEST(case_of_words)
{
    struct slice s = slice_of(words[_i].text);
    ck_assert_msg(slice_is_word(s, words[_i].word) == words[_i].is, "%s is %s", words[_i].text,
                  words[_i].word);
    ck_assert_msg(slice_has_prefix(s, words[_i].word) == words[_i].begins, "%s begins %s", words[_i].text,
                  words[_i].word);
    ck_assert_msg(slice_has_suffix(s, words[_i].word) == words[_i].ends, "%s ends %s", words[_i].text,
                  words[_i].word);
}
END_TEST

/* A word never compares beyond a slice's end, even if the octets after it would match. */
START_TEST(ends_of_slices)
{
    struct slice s = slice_first(slice_of("STARTTLS"), 5);
    ck_assert(!slice_is_word(s, "STARTTLS"));
    ck_assert(!slice_has_prefix(s, "STARTT"));
    ck_assert(slice_is_word(s, "start"));
    ck_assert(slice_is_word(nothing, ""));
    ck_assert(slice_has_prefix(nothing, ""));
    ck_assert(!slice_has_prefix(nothing, "a"));
}
END_TEST

START_TEST(find)
{
    static const uint8_t nul[] = {'a', 0, 'b', 'b'};
    ck_assert_uint_eq(slice_find(slice_of("abcabc"), 'c'), 2);
    ck_assert_uint_eq(slice_find(slice_of("abcabc"), 'x'), 6);
    ck_assert_uint_eq(slice_find(slice_of("abcabc"), 'a'), 0);
    ck_assert_uint_eq(slice_find(nothing, 'a'), 0);
    ck_assert_uint_eq(slice_find((struct slice){nul, 4}, 'b'), 2);
    ck_assert_uint_eq(slice_find((struct slice){nul, 4}, 0), 1);
}
END_TEST

START_TEST(next_word)
{
    struct slice rest = slice_of("  one two   three ");
    check_is(slice_next_word(&rest, ' '), "one");
    check_is(rest, " two   three ");
    check_is(slice_next_word(&rest, ' '), "two");
    check_is(slice_next_word(&rest, ' '), "three");
    check_is(slice_next_word(&rest, ' '), "");
    check_is(slice_next_word(&rest, ' '), "");
    rest = slice_of("a,b");
    check_is(slice_next_word(&rest, ','), "a");
    check_is(slice_next_word(&rest, ','), "b");
    rest = nothing;
    check_is(slice_next_word(&rest, ' '), "");
}
END_TEST

START_TEST(texts)
{
    char copy[] = "text";
    ck_assert(text_is_same("text", copy));
    ck_assert(text_is_same(NULL, NULL));
    ck_assert(!text_is_same("text", "texts"));
    ck_assert(!text_is_same(NULL, ""));
    ck_assert(!text_is_same("", NULL));
    const char *some[] = {"b", "", "a"};
    qsort(some, 3, sizeof some[0], text_order);
    ck_assert(text_is_same(some[0], "") && text_is_same(some[1], "a") && text_is_same(some[2], "b"));
}
END_TEST

static const struct {
    const char *text;
    bool ok;
    unsigned number;
} decimals[] = {
    {"0", true, 0},
    {"9", true, 9},
    {"65535", true, 65535},
    {"65536", false, 0},
    {"99999999999", false, 0},
    {"", false, 0},
    {"00", false, 0},
    {"01", false, 0},
    {"1 ", false, 0},
    {"-1", false, 0},
    {"4294967297", false, 0},
    {"1:", false, 0},
    {"1/", false, 0},
};

START_TEST(decimal)
{
    unsigned number;
    ck_assert_int_eq(slice_read_decimal(slice_of(decimals[_i].text), 65535, &number), decimals[_i].ok);
    if (decimals[_i].ok)
        ck_assert_uint_eq(number, decimals[_i].number);
}
END_TEST

START_TEST(classes)
{
    ck_assert_ptr_nonnull(setlocale(LC_ALL, "C.UTF-8"));
    for (int i = 0; i < 256; i++) {
        uint8_t c = (uint8_t)i;
        bool lower = i >= 'a' && i <= 'z';
        bool upper = i >= 'A' && i <= 'Z';
        ck_assert_int_eq(ascii_is_alpha(c), lower || upper);
        ck_assert_int_eq(ascii_is_digit(c), i >= '0' && i <= '9');
        ck_assert_int_eq(ascii_is_graph(c), i >= 0x21 && i <= 0x7e);
        ck_assert_int_eq(ascii_upper(c), lower ? i - 32 : i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slice");
    TCase *tcase = tcase_create("slice");
    tcase_add_test(tcase, sub);
    tcase_add_test(tcase, equality);
    tcase_add_loop_test(tcase, case_of_words, 0, ARRAY_LEN(words));
    tcase_add_test(tcase, ends_of_slices);
    tcase_add_test(tcase, find);
    tcase_add_test(tcase, next_word);
    tcase_add_test(tcase, texts);
    tcase_add_loop_test(tcase, decimal, 0, ARRAY_LEN(decimals));
    tcase_add_test(tcase, classes);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
