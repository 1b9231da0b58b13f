/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/civil_time.h"
#include "run_suite.h"

#include <stdbool.h>
#include <time.h>

static void expect_as_in_the_c_library(int64_t seconds)
{
    time_t time = (time_t)seconds;
    struct tm tm;
    struct civil_time civil = civil_time_of(seconds);
    bool is_same = gmtime_r(&time, &tm) != NULL && civil.year == tm.tm_year + INT64_C(1900) &&
                   civil.month == tm.tm_mon + 1 && civil.day == tm.tm_mday && civil.weekday == tm.tm_wday &&
                   civil.hour == tm.tm_hour && civil.minute == tm.tm_min && civil.second == tm.tm_sec;
    if (!is_same) /* an assertion that holds takes longer than all this */
        ck_abort_msg("second %lld: %lld-%d-%d, weekday %d, %d:%d:%d", (long long)seconds,
                     (long long)civil.year, civil.month, civil.day, civil.weekday, civil.hour, civil.minute,
                     civil.second);
}

/* More than 400 years, after which the calendar repeats: the first and last second, and one in between. */
START_TEST(every_day)
{
    for (int64_t day = 0; day < 150000; day++) {
        expect_as_in_the_c_library(day * 86400);
        expect_as_in_the_c_library(day * 86400 + 86399);
        expect_as_in_the_c_library(day * 86400 + day % 86400);
    }
}
END_TEST

START_TEST(every_second_of_a_day)
{
    for (int64_t second = 0; second < 86400; second++)
        expect_as_in_the_c_library(1709164800 + second); /* 29 February 2024 */
}
END_TEST

START_TEST(far_away)
{
    for (int64_t seconds = 1; seconds < INT64_C(1) << 55; seconds = seconds * 3 + 1)
        expect_as_in_the_c_library(seconds);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("civil_time");
    TCase *tests = tcase_create("civil_time");
    tcase_add_test(tests, every_day);
    tcase_add_test(tests, every_second_of_a_day);
    tcase_add_test(tests, far_away);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
