/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <stdlib.h>

/* What "check" is begins in line 4. */
#define TEXT(check)                                                                                          \
    CFG_TLS CFG_IMAP_SERVICE "backends = ( { name = \"stores\"; servers = ( { address = \"10.0.0.11:143\"; " \
                             "} );\n" check " } );\n"
#define GROUP(keys) TEXT("check = {\n" keys "};")

static const struct cfg_case cases[] = {
    {"none", TEXT("check = false;"), ""},
    {"all defaults", TEXT("check = true;"), ""},
    {"an empty group", GROUP(""), ""},
    {"all keys",
     GROUP("interval = \"5 s\"; fast = \"500 ms\"; slow = 20; timeout = \"2 s\"; rise = 1; fall = 100; "),
     ""},
    {"a word", TEXT("check = \"no\";"),
     "F:4: error: \"check\" is a string, expected a group: { key = value; }, or false\n"},
    {"an unknown key", GROUP("intervall = 5; "),
     "F:5: error: unknown key \"intervall\" in the check of a pool; did you mean \"interval\"?\n"},
    {"fast is slow", GROUP("interval = 2;\nfast = 3; "),
     "F:6: error: \"fast\" is 3 s and \"interval\" 2 s: a server whose state is about to change would be "
     "checked "
     "less often than the others; expected at most 2 s, or a longer \"interval\"\n"},
    {"too often", GROUP("interval = \"99 ms\"; "),
     "F:5: error: \"interval\" is out of range, expected a time from 100 ms to 1 h\n"},
    {"too seldom", GROUP("slow = \"2 h\"; "),
     "F:5: error: \"slow\" is out of range, expected a time from 100 ms to 1 h\n"},
    {"too patient", GROUP("timeout = 61; "),
     "F:5: error: \"timeout\" is out of range, expected a time from 100 ms to 1 min\n"},
    {"never up", GROUP("rise = 0; "),
     "F:5: error: \"rise\" is out of range, expected a number from 1 to 100\n"},
    {"never down", GROUP("fall = 101; "),
     "F:5: error: \"fall\" is out of range, expected a number from 1 to 100\n"},
};

START_TEST(texts)
{
    cfg_case_check(&cases[_i]);
}
END_TEST

static struct cfg *load(const char *text)
{
    struct cfg *cfg;
    char *printed = cfg_text_load(text, &cfg);
    ck_assert_str_eq(printed, "");
    free(printed);
    return cfg;
}

static void expect(const char *text, const struct cfg_pool_check *expected)
{
    struct cfg *cfg = load(text);
    const struct cfg_pool_check *check = &cfg->pools[0].check;
    ck_assert_int_eq(check->is_on, expected->is_on);
    ck_assert_uint_eq(check->interval_ms, expected->interval_ms);
    ck_assert_uint_eq(check->fast_ms, expected->fast_ms);
    ck_assert_uint_eq(check->slow_ms, expected->slow_ms);
    ck_assert_uint_eq(check->timeout_ms, expected->timeout_ms);
    ck_assert_uint_eq(check->rise, expected->rise);
    ck_assert_uint_eq(check->fall, expected->fall);
    cfg_free(&cfg);
}

START_TEST(values)
{
    expect(TEXT(""), &(struct cfg_pool_check){true, 5000, 1000, 10000, 5000, 2, 3});
    expect(TEXT("check = false;"), &(struct cfg_pool_check){false, 5000, 1000, 10000, 5000, 2, 3});
    expect(cases[3].text, &(struct cfg_pool_check){true, 5000, 500, 20000, 2000, 1, 100});
    /* The other two follow an interval that is shorter or longer than they are. */
    expect(GROUP("interval = \"200 ms\";"), &(struct cfg_pool_check){true, 200, 200, 10000, 5000, 2, 3});
    expect(GROUP("interval = \"1 min\";"), &(struct cfg_pool_check){true, 60000, 1000, 60000, 5000, 2, 3});
    expect(GROUP("interval = \"1 min\"; slow = 5;"),
           &(struct cfg_pool_check){true, 60000, 1000, 5000, 5000, 2, 3});
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_pool_check");
    TCase *tc = tcase_create("cfg_pool_check");
    tcase_add_loop_test(tc, texts, 0, (int)(ARRAY_LEN(cases)));
    tcase_add_test(tc, values);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
