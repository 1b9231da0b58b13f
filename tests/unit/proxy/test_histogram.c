/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "proxy/common/histogram.h"

#include "run_suite.h"

#include <string.h>

static struct histogram histogram;

static void set_up(void)
{
    memset(&histogram, 0, sizeof histogram);
}

/* A time, and the class it belongs to. */
static const struct {
    uint64_t ms;
    size_t class;
} times[] = {{0, 0},    {1, 0},      {2, 1},      {5, 1},      {6, 2},          {1000, 8},
             {1001, 9}, {29999, 12}, {30000, 12}, {30001, 13}, {UINT32_MAX, 13}};

START_TEST(a_bound_belongs_to_its_class)
{
    histogram_add(&histogram, times[_i].ms);
    for (size_t i = 0; i < HISTOGRAM_CLASSES; i++)
        ck_assert_uint_eq(histogram.classes[i], i == times[_i].class);
    ck_assert_uint_eq(histogram.sum_ms, times[_i].ms);
}
END_TEST

START_TEST(bounds_grow)
{
    for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++)
        ck_assert_uint_lt(histogram_bounds_ms[i - 1], histogram_bounds_ms[i]);
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++)
        histogram_add(&histogram, histogram_bounds_ms[i]);
    for (size_t i = 0; i < HISTOGRAM_CLASSES; i++)
        ck_assert_uint_eq(histogram.classes[i], i < HISTOGRAM_BOUNDS);
}
END_TEST

/* Nobody else's writes pull its lines from core to core. */
START_TEST(lines_are_its_own)
{
    ck_assert_uint_eq(_Alignof(struct histogram), 64);
    ck_assert_uint_eq(sizeof(struct histogram) % 64, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tests = tcase_create("histogram");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_loop_test(tests, a_bound_belongs_to_its_class, 0, (int)(ARRAY_LEN(times)));
    tcase_add_test(tests, bounds_grow);
    tcase_add_test(tests, lines_are_its_own);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
