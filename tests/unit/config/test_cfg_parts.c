/* SPDX-License-Identifier: BSD-2-Clause */
/* The small parts of config/: suggestions, times, the list of problems, the arena. */
#include "base/array.h"
#include "config/cfg_arena.h"
#include "config/cfg_duration.h"
#include "config/cfg_problems.h"
#include "config/cfg_suggest.h"
#include "run_suite.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LONG_WORD "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *const candidates[] = {"workers", "hostname",  "max_connections",
                                         "tls",     "log_level", LONG_WORD};

static const struct {
    const char *word;
    const char *nearest;
} suggestions[] = {
    {"workers", "workers"},
    {"worker", "workers"},   /* one is missing */
    {"workerss", "workers"}, /* one too many */
    {"werkers", "workers"},  /* one is another */
    {"wrokers", "workers"},  /* two are swapped */
    {"Workers", "workers"},  /* case */
    {"max-connections", "max_connections"},
    {"maxconections", "max_connections"}, /* two are missing in a long word */
    {"loglevel", "log_level"},
    {"log", "log_level"}, /* the beginning of a word */
    {"lo", NULL},         /* too little of it */
    {"tsl", "tls"},
    {"xyz", NULL},
    {"x", NULL},
    {"", NULL},
    {"hosts", NULL},
    {LONG_WORD, NULL}, /* neither a word nor a candidate of more than 64 */
};

START_TEST(suggestion)
{
    const char *nearest = cfg_suggest_nearest(suggestions[_i].word, candidates, 6);
    ck_assert_pstr_eq(nearest, suggestions[_i].nearest);
}
END_TEST

START_TEST(nearest_of_several)
{
    static const char *const near[] = {"stores-a", "stores-b", "stores"};
    ck_assert_str_eq(cfg_suggest_nearest("store", near, 3),
                     "stores-a"); /* the first of those that begin so */
    ck_assert_str_eq(cfg_suggest_nearest("stores-bb", near, 3), "stores-b");
    ck_assert_str_eq(cfg_suggest_nearest("storess", near, 3), "stores");
    ck_assert_ptr_null(cfg_suggest_nearest("stores", near, 0));
}
END_TEST

START_TEST(list)
{
    struct cfg_arena arena = {0};
    ck_assert_str_eq(cfg_suggest_list(&arena, candidates, 2), "\"workers\", \"hostname\"");
    ck_assert_str_eq(cfg_suggest_list(&arena, candidates, 0), "");
    cfg_arena_free(&arena);
    ck_assert_ptr_null(arena.blocks);
}
END_TEST

static const struct {
    const char *text;
    uint64_t milliseconds; /* UINT64_MAX: not a time */
} times[] = {
    {"500 ms", 500},
    {"500ms", 500},
    {"0 s", 0},
    {"30 s", 30000},
    {"3 min", 180000},
    {"1 h", 3600000},
    {"007 s", 7000},
    {"18446744073709551614 ms", UINT64_MAX - 1},
    {"18446744073709551616 ms", UINT64_MAX},
    {"18446744073709551615 s", UINT64_MAX},
    {"", UINT64_MAX},
    {" 3 s", UINT64_MAX},
    {"3  s", UINT64_MAX},
    {"3 s ", UINT64_MAX},
    {"3 ", UINT64_MAX},
    {"3", UINT64_MAX},
    {"3 S", UINT64_MAX},
    {"3 m", UINT64_MAX},
    {"-3 s", UINT64_MAX},
    {"+3 s", UINT64_MAX},
    {"1.5 s", UINT64_MAX},
    {"s", UINT64_MAX},
};

START_TEST(duration)
{
    uint64_t found = UINT64_MAX;
    const char *wrong = cfg_duration_parse(slice_of(times[_i].text), &found);
    ck_assert_int_eq(wrong == NULL, times[_i].milliseconds != UINT64_MAX);
    if (wrong == NULL)
        ck_assert_uint_eq(found, times[_i].milliseconds);
}
END_TEST

START_TEST(duration_of_seconds)
{
    uint64_t found;
    ck_assert_ptr_null(cfg_duration_of_seconds(90, &found));
    ck_assert_uint_eq(found, 90000);
    ck_assert_ptr_nonnull(cfg_duration_of_seconds(-1, &found));
    ck_assert_ptr_null(cfg_duration_of_seconds(INT64_MAX / 1000, &found));
    ck_assert_ptr_nonnull(cfg_duration_of_seconds(INT64_MAX, &found));
}
END_TEST

START_TEST(duration_text)
{
    struct cfg_arena arena = {0};
    ck_assert_str_eq(cfg_duration_text(&arena, 0), "0 ms");
    ck_assert_str_eq(cfg_duration_text(&arena, 1), "1 ms");
    ck_assert_str_eq(cfg_duration_text(&arena, 1500), "1500 ms");
    ck_assert_str_eq(cfg_duration_text(&arena, 90000), "90 s");
    ck_assert_str_eq(cfg_duration_text(&arena, 180000), "3 min");
    ck_assert_str_eq(cfg_duration_text(&arena, 7200000), "2 h");
    cfg_arena_free(&arena);
}
END_TEST

START_TEST(problems_in_order)
{
    static const struct cfg_place places[] = {{"b", 3}, {"a", 9}, {"b", 1}, {"a", 0}, {"b", 3}, {"a", 1}};
    static const char expected[] = "a: warning: 3\na:1: warning: 5\na:9: warning: 1\n"
                                   "b:1: error: 2\nb:3: error: 0\nb:3: error: 4\n";
    struct cfg_problems problems = {0};
    for (int i = 0; i < 6; i++)
        cfg_problems_add(&problems, i % 2 == 0 ? CFG_ERROR : CFG_WARNING, places[i], "%d", i);
    cfg_problems_sort(&problems, 0, "a");
    ck_assert_uint_eq(problems.count, 6);
    ck_assert_uint_eq(problems.errors, 3);
    char *printed;
    size_t len;
    FILE *to = open_memstream(&printed, &len);
    cfg_problems_print(&problems, to);
    fclose(to);
    ck_assert_str_eq(printed, expected);
    free(printed);
    cfg_problems_free(&problems);
    ck_assert_uint_eq(problems.count, 0);
    ck_assert_uint_eq(problems.errors, 0);
    cfg_problems_free(&problems);
}
END_TEST

START_TEST(arena_memory)
{
    struct cfg_arena arena = {0};
    uint64_t *numbers = cfg_arena_alloc(&arena, 3, sizeof *numbers);
    ck_assert_uint_eq((uintptr_t)numbers % _Alignof(max_align_t), 0);
    ck_assert_uint_eq(numbers[0] | numbers[1] | numbers[2], 0);
    ck_assert_ptr_nonnull(cfg_arena_alloc(&arena, 0, 8));
    ck_assert_str_eq(cfg_arena_copy(&arena, (struct slice){NULL, 0}), "");
    ck_assert_str_eq(cfg_arena_copy(&arena, slice_sub(slice_of("abcd"), 1, 2)), "bc");
    ck_assert_str_eq(cfg_arena_format(&arena, "%s-%d", "x", 2), "x-2");
    cfg_arena_free(&arena);
    cfg_arena_free(&arena);
}
END_TEST

#define COUNT(array) ((int)(ARRAY_LEN(array)))

int main(void)
{
    Suite *suite = suite_create("cfg_parts");
    TCase *tcase = tcase_create("parts");
    tcase_add_loop_test(tcase, suggestion, 0, COUNT(suggestions));
    tcase_add_test(tcase, nearest_of_several);
    tcase_add_test(tcase, list);
    tcase_add_loop_test(tcase, duration, 0, COUNT(times));
    tcase_add_test(tcase, duration_of_seconds);
    tcase_add_test(tcase, duration_text);
    tcase_add_test(tcase, problems_in_order);
    tcase_add_test(tcase, arena_memory);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
