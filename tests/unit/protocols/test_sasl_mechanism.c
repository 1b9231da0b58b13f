/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "protocols/sasl_mechanism.h"
#include "run_suite.h"

#include <stdlib.h>

static const struct {
    const char *name;
    enum sasl_mechanism without; /* a certificate that the backend knows ... */
    enum sasl_mechanism with;
} cases[] = {
    {"PLAIN", SASL_MECHANISM_PASSES, SASL_MECHANISM_PASSES},
    {"login", SASL_MECHANISM_PASSES, SASL_MECHANISM_PASSES},
    {"SCRAM-SHA-256", SASL_MECHANISM_PASSES, SASL_MECHANISM_PASSES},
    {"X_EXTERNAL", SASL_MECHANISM_PASSES, SASL_MECHANISM_PASSES},
    {"EXTERNALS", SASL_MECHANISM_PASSES, SASL_MECHANISM_PASSES},
    {"SCRAM-SHA-256-PLUS", SASL_MECHANISM_BINDS_CHANNEL, SASL_MECHANISM_BINDS_CHANNEL},
    {"scram-sha-1-plus", SASL_MECHANISM_BINDS_CHANNEL, SASL_MECHANISM_BINDS_CHANNEL},
    {"EXTERNAL", SASL_MECHANISM_EXTERNAL, SASL_MECHANISM_PASSES},
    {"External", SASL_MECHANISM_EXTERNAL, SASL_MECHANISM_PASSES},
    {"EXTERNAL-PLUS", SASL_MECHANISM_BINDS_CHANNEL, SASL_MECHANISM_BINDS_CHANNEL},
    {"", SASL_MECHANISM_MALFORMED, SASL_MECHANISM_MALFORMED},
    {" EXTERNAL", SASL_MECHANISM_MALFORMED, SASL_MECHANISM_MALFORMED},
    {"EXTERNAL\v", SASL_MECHANISM_MALFORMED, SASL_MECHANISM_MALFORMED},
    {"EXTER\\NAL", SASL_MECHANISM_MALFORMED, SASL_MECHANISM_MALFORMED},
    {"\"EXTERNAL\"", SASL_MECHANISM_MALFORMED, SASL_MECHANISM_MALFORMED},
    {"EXT\xc3\x89RNAL", SASL_MECHANISM_MALFORMED, SASL_MECHANISM_MALFORMED},
};

START_TEST(mechanism)
{
    struct slice name = slice_of(cases[_i].name);
    bool works = cases[_i].without == SASL_MECHANISM_PASSES || cases[_i].without == SASL_MECHANISM_MALFORMED;
    bool works_with = cases[_i].with == SASL_MECHANISM_PASSES || cases[_i].with == SASL_MECHANISM_MALFORMED;
    ck_assert_int_eq(sasl_mechanism_judge(name, false), cases[_i].without);
    ck_assert_int_eq(sasl_mechanism_judge(name, true), cases[_i].with);
    ck_assert_int_eq(sasl_mechanism_is_shown(name, false), works);
    ck_assert_int_eq(sasl_mechanism_is_shown(name, true), works_with);
}
END_TEST

/* It is no name, so that no client may ask for it; but it looks like one that binds to the channel. */
START_TEST(what_looks_like_one_that_cannot_work_is_hidden)
{
    struct slice word = slice_of("SCRAM!-PLUS");
    ck_assert_int_eq(sasl_mechanism_judge(word, true), SASL_MECHANISM_MALFORMED);
    ck_assert(!sasl_mechanism_is_shown(word, true));
}
END_TEST

START_TEST(each_kind_has_its_words)
{
    ck_assert_ptr_nonnull(sasl_mechanism_why(SASL_MECHANISM_BINDS_CHANNEL));
    ck_assert_ptr_nonnull(sasl_mechanism_why(SASL_MECHANISM_EXTERNAL));
    ck_assert_str_ne(sasl_mechanism_why(SASL_MECHANISM_BINDS_CHANNEL),
                     sasl_mechanism_why(SASL_MECHANISM_EXTERNAL));
    ck_assert_ptr_null(sasl_mechanism_why(SASL_MECHANISM_PASSES));
    ck_assert_ptr_null(sasl_mechanism_why(SASL_MECHANISM_MALFORMED));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sasl_mechanism");
    TCase *tests = tcase_create("mechanisms");
    tcase_add_loop_test(tests, mechanism, 0, ARRAY_LEN(cases));
    tcase_add_test(tests, what_looks_like_one_that_cannot_work_is_hidden);
    tcase_add_test(tests, each_kind_has_its_words);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
