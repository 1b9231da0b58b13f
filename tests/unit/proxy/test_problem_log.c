/* SPDX-License-Identifier: BSD-2-Clause */
/* When problems that stay are logged: at once, and then daily if they keep something out of use. */
#include "proxy/control/problem_log.h"

#include "run_suite.h"

enum { HOUR_MS = 3600 * 1000 };
#define DAY_MS (24ULL * HOUR_MS)

static struct problem_log problems;

static void tear_down(void)
{
    problem_log_free(&problems);
    ck_assert_uint_eq(problems.last.count, 0);
}

/* A reading with this problem; NULL: with none. */
static bool is_due(const char *text, bool is_refusal, uint64_t now_ms)
{
    struct cfg_problems found = {0};
    if (text != NULL)
        cfg_problems_add(&found, is_refusal ? CFG_ERROR : CFG_WARNING, (struct cfg_place){"file", 1}, "%s",
                         text);
    bool due = problem_log_is_due(&problems, &found, is_refusal, now_ms);
    ck_assert_uint_eq(found.count, text != NULL && !due);
    if (due)
        ck_assert_uint_eq(problems.last.count, text != NULL);
    cfg_problems_free(&found);
    return due;
}

START_TEST(a_refusal_is_logged_once_then_daily)
{
    ck_assert(is_due("no key", true, 1000));
    for (uint64_t now = 2000; now < 1000 + DAY_MS; now += HOUR_MS)
        ck_assert(!is_due("no key", true, now));
    ck_assert(is_due("no key", true, 1000 + DAY_MS));
    ck_assert(!is_due("no key", true, 1000 + DAY_MS + HOUR_MS));
    ck_assert(is_due("no key", true, 1000 + 2 * DAY_MS));
}
END_TEST

START_TEST(what_is_new_is_logged_at_once)
{
    ck_assert(is_due("no key", true, 1000));
    ck_assert(is_due("no chain", true, 2000));
    ck_assert(is_due("no key", true, 3000));
    ck_assert(is_due(NULL, false, 4000)); /* the end of it */
    ck_assert(!is_due(NULL, false, 5000));
    ck_assert(is_due("no key", true, 6000));
}
END_TEST

/* Memory was short: a refusal that has no reason is one. */
START_TEST(a_refusal_without_a_reason)
{
    ck_assert(is_due(NULL, true, 1000));
    ck_assert(!is_due(NULL, true, 2000));
    ck_assert(is_due(NULL, true, 1000 + DAY_MS));
    ck_assert(is_due(NULL, false, 2000 + DAY_MS));
}
END_TEST

START_TEST(what_refuses_nothing_is_logged_once)
{
    ck_assert(is_due("it has expired", false, 1000));
    ck_assert(!is_due("it has expired", false, 1000 + 3 * DAY_MS));
    ck_assert(is_due("it has expired", true, 2000 + 3 * DAY_MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("problem_log");
    TCase *tests = tcase_create("problem_log");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, a_refusal_is_logged_once_then_daily);
    tcase_add_test(tests, what_is_new_is_logged_at_once);
    tcase_add_test(tests, a_refusal_without_a_reason);
    tcase_add_test(tests, what_refuses_nothing_is_logged_once);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
