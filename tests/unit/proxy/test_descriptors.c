/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/control/descriptors.h"

#include "base/array.h"
#include "proxy/admin/admin.h"
#include "run_suite.h"

static const struct descriptors_need small = {.workers = 1, .listeners = 1};

START_TEST(more_of_each_takes_more)
{
    static const struct descriptors_need more[] = {
        {.workers = 2, .listeners = 1},
        {.workers = 1, .listeners = 2},
        {.workers = 1, .listeners = 1, .admin_listeners = 1},
        {.workers = 1, .listeners = 1, .checks = 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        ck_assert_uint_gt(descriptors_own(&more[i]), descriptors_own(&small));
    ck_assert_uint_gt(descriptors_own(&small), ADMIN_CONNECTIONS_MAX);
}
END_TEST

/* A reload may replace each listener of each worker. */
START_TEST(listeners_count_twice)
{
    struct descriptors_need need = {.workers = 24, .listeners = 6};
    struct descriptors_need none = {.workers = 24};
    ck_assert_uint_eq(descriptors_own(&need) - descriptors_own(&none), 2 * 24 * 6);
}
END_TEST

START_TEST(what_is_left_is_for_sessions)
{
    size_t own = descriptors_own(&small);
    ck_assert_uint_eq(descriptors_sessions(&small, own + 2000), 1000);
    ck_assert_uint_eq(descriptors_sessions(&small, own + 2001), 1000);
    ck_assert_uint_eq(descriptors_sessions(&small, 1048576), (1048576 - own) / 2);
}
END_TEST

START_TEST(too_few)
{
    struct descriptors_need large = {.workers = 256, .listeners = 20};
    ck_assert_uint_eq(descriptors_sessions(&large, 1024), 128);
    ck_assert_uint_eq(descriptors_sessions(&small, 40), 5);
    ck_assert_uint_eq(descriptors_sessions(&small, 4), 1);
    ck_assert_uint_eq(descriptors_sessions(&small, 0), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *tests = tcase_create("descriptors");
    tcase_add_test(tests, more_of_each_takes_more);
    tcase_add_test(tests, listeners_count_twice);
    tcase_add_test(tests, what_is_left_is_for_sessions);
    tcase_add_test(tests, too_few);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
