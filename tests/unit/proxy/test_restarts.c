/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/parent/restarts.h"
#include "run_suite.h"

START_TEST(pauses_grow_and_end)
{
    static const uint64_t pauses[RESTARTS_MAX] = {200, 400, 800, 1600, 3200, 6400, 10000};
    struct restarts restarts = {0};
    uint64_t pause_ms = 0;
    for (size_t i = 0; i < RESTARTS_MAX; i++) {
        ck_assert(restarts_next(&restarts, 0, &pause_ms));
        ck_assert_uint_eq(pause_ms, pauses[i]);
    }
    pause_ms = 1;
    for (size_t i = 0; i < 3; i++)
        ck_assert(!restarts_next(&restarts, RESTART_STABLE_MS - 1, &pause_ms));
    ck_assert_uint_eq(pause_ms, 1);
}
END_TEST

START_TEST(one_that_has_run_long_begins_anew)
{
    struct restarts restarts = {0};
    uint64_t pause_ms = 0;
    for (size_t i = 0; i < RESTARTS_MAX; i++)
        ck_assert(restarts_next(&restarts, RESTART_STABLE_MS - 1, &pause_ms));
    ck_assert_uint_eq(pause_ms, RESTART_MAX_MS);
    ck_assert(restarts_next(&restarts, RESTART_STABLE_MS, &pause_ms));
    ck_assert_uint_eq(pause_ms, RESTART_FIRST_MS);
    ck_assert(restarts_next(&restarts, 0, &pause_ms));
    ck_assert_uint_eq(pause_ms, 2 * RESTART_FIRST_MS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restarts");
    TCase *tests = tcase_create("restarts");
    tcase_add_test(tests, pauses_grow_and_end);
    tcase_add_test(tests, one_that_has_run_long_begins_anew);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
