/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "proxy/checks/check_schedule.h"

#include "run_suite.h"

#include <stdlib.h>

static const struct check_intervals intervals = {.interval_ms = 5000, .fast_ms = 1000, .slow_ms = 10000};

enum { MANY = 200 };

static struct check_schedule schedule;
static struct check_turn turns[MANY];

static void add(size_t count, uint64_t now)
{
    for (size_t i = 0; i < count; i++)
        check_schedule_add(&schedule, &turns[i], &intervals, now);
}

static void set_up(void)
{
    check_schedule_init(&schedule, MANY, 7);
}

static void tear_down(void)
{
}

/* In any tenth of the interval begins about a tenth of the checks, however many servers there are. */
START_TEST(first_turns_are_spread)
{
    static const size_t counts[] = {1, 2, 3, 10, 40, MANY};
    size_t count = counts[_i];
    unsigned tenths[10] = {0};
    add(count, 1000000);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_ge(turns[i].due_ms, 1000000);
        ck_assert_uint_lt(turns[i].due_ms, 1000000 + 5000);
        tenths[(turns[i].due_ms - 1000000) / 500]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(tenths); i++)
        ck_assert_msg(tenths[i] <= count / 10 + 2 && tenths[i] + 2 >= count / 10, "%u in a tenth", tenths[i]);
}
END_TEST

START_TEST(nothing_before_its_time)
{
    ck_assert_ptr_null(check_schedule_take(&schedule, 0));
    ck_assert_uint_eq(check_schedule_wait_ms(&schedule, 0), CHECK_NEVER);
    add(2, 100); /* the second one later, by the golden ratio */
    ck_assert_ptr_null(check_schedule_take(&schedule, 99));
    ck_assert_uint_eq(check_schedule_wait_ms(&schedule, 40), 60);
    ck_assert_ptr_eq(check_schedule_take(&schedule, 100), &turns[0]);
    ck_assert_uint_eq(check_schedule_wait_ms(&schedule, 100), turns[1].due_ms - 100);
    ck_assert_ptr_null(check_schedule_take(&schedule, turns[1].due_ms - 1));
    ck_assert_uint_eq(check_schedule_wait_ms(&schedule, turns[1].due_ms + 5), 0);
    ck_assert_ptr_eq(check_schedule_take(&schedule, turns[1].due_ms + 5), &turns[1]);
    ck_assert_uint_eq(check_schedule_wait_ms(&schedule, 1000000), CHECK_NEVER);
}
END_TEST

/* No server twice at once, however long its check takes. */
START_TEST(one_check_of_a_server)
{
    add(1, 0);
    ck_assert_ptr_eq(check_schedule_take(&schedule, 5000), &turns[0]);
    ck_assert_ptr_null(check_schedule_take(&schedule, 1000000));
    check_schedule_hurry(&schedule, &turns[0], 1000000);
    ck_assert_ptr_null(check_schedule_take(&schedule, 2000000));
    check_schedule_done(&schedule, &turns[0], CHECK_PACE_NORMAL, 2000000);
    ck_assert_ptr_null(check_schedule_take(&schedule, 2000000));
    ck_assert_ptr_eq(check_schedule_take(&schedule, 2006000), &turns[0]);
}
END_TEST

START_TEST(paces_and_jitter)
{
    static const uint64_t expected[] = {
        [CHECK_PACE_NORMAL] = 5000, [CHECK_PACE_FAST] = 1000, [CHECK_PACE_SLOW] = 10000};
    uint64_t interval = expected[_i];
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    uint64_t sum = 0;
    add(1, 0);
    for (int i = 0; i < 2000; i++) {
        uint64_t now = turns[0].due_ms;
        ck_assert_ptr_eq(check_schedule_take(&schedule, now), &turns[0]);
        check_schedule_done(&schedule, &turns[0], (enum check_pace)_i, now);
        uint64_t wait = turns[0].due_ms - now;
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
        sum += wait;
    }
    ck_assert_uint_ge(least, interval - interval / 5);
    ck_assert_uint_le(most, interval + interval / 5);
    ck_assert_uint_le(least, interval - interval / 6);
    ck_assert_uint_ge(most, interval + interval / 6);
    ck_assert_uint_ge(sum / 2000, interval - interval / 50);
    ck_assert_uint_le(sum / 2000, interval + interval / 50);
}
END_TEST

START_TEST(bounded_at_once)
{
    check_schedule_init(&schedule, 3, 0);
    add(10, 0);
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_nonnull(check_schedule_take(&schedule, 10000));
    ck_assert_ptr_null(check_schedule_take(&schedule, 10000));
    ck_assert_uint_eq(check_schedule_wait_ms(&schedule, 10000), CHECK_NEVER);
    ck_assert(turns[0].under_way); /* it was due first */
    check_schedule_done(&schedule, &turns[0], CHECK_PACE_SLOW, 10000);
    ck_assert_uint_eq(check_schedule_wait_ms(&schedule, 10000), 0);
    ck_assert_ptr_nonnull(check_schedule_take(&schedule, 10000));
    ck_assert_ptr_null(check_schedule_take(&schedule, 10000));
}
END_TEST

/* Who has waited longest comes first, also if places are short all the time. */
START_TEST(nobody_starves)
{
    unsigned checks[10] = {0};
    check_schedule_init(&schedule, 1, 0);
    add(10, 0);
    for (uint64_t now = 5000; now < 1000000; now += 2000) { /* each check takes 2 s: 5 of 10 s for all */
        struct check_turn *turn = check_schedule_take(&schedule, now);
        if (turn == NULL)
            continue;
        checks[turn - turns]++;
        check_schedule_done(&schedule, turn, CHECK_PACE_FAST, now + 2000);
    }
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        ck_assert_uint_ge(checks[i], 45);
}
END_TEST

START_TEST(removal)
{
    check_schedule_init(&schedule, 1, 0);
    add(3, 0);
    struct check_turn *turn = check_schedule_take(&schedule, 5000);
    ck_assert_ptr_null(check_schedule_take(&schedule, 5000));
    check_schedule_remove(&schedule, turn); /* its place is free again */
    for (int i = 0; i < 2; i++) {
        turn = check_schedule_take(&schedule, 5000);
        ck_assert_ptr_nonnull(turn);
        check_schedule_done(&schedule, turn, CHECK_PACE_NORMAL, 5000);
        check_schedule_remove(&schedule, turn);
    }
    ck_assert_ptr_null(schedule.first);
    ck_assert_uint_eq(schedule.under_way, 0);
    ck_assert_uint_eq(check_schedule_wait_ms(&schedule, 5000), CHECK_NEVER);
}
END_TEST

START_TEST(hurry)
{
    add(1, 0);
    ck_assert_ptr_nonnull(check_schedule_take(&schedule, 0));
    check_schedule_done(&schedule, &turns[0], CHECK_PACE_SLOW, 0);
    check_schedule_hurry(&schedule, &turns[0], 100);
    ck_assert_uint_ge(turns[0].due_ms, 900);
    ck_assert_uint_le(turns[0].due_ms, 1300);
    uint64_t due = turns[0].due_ms;
    check_schedule_hurry(&schedule, &turns[0], 1000); /* never later */
    ck_assert_uint_eq(turns[0].due_ms, due);
}
END_TEST

/* A turn comes no later than before, and within the new interval; one that is under way goes on. */
START_TEST(other_intervals)
{
    const struct check_intervals quick = {.interval_ms = 500, .fast_ms = 100, .slow_ms = 700};
    add(1, 0);
    ck_assert_ptr_nonnull(check_schedule_take(&schedule, 0));
    check_schedule_change(&turns[0], &quick, 10);
    ck_assert_ptr_null(check_schedule_take(&schedule, 1000));
    check_schedule_done(&schedule, &turns[0], CHECK_PACE_SLOW, 1000);
    ck_assert_uint_ge(turns[0].due_ms, 1000 + 560);
    ck_assert_uint_le(turns[0].due_ms, 1000 + 840);
    uint64_t due = turns[0].due_ms;
    check_schedule_change(&turns[0], &intervals, 1000);
    ck_assert_uint_eq(turns[0].due_ms, due);
    check_schedule_change(&turns[0], &quick, 1000);
    ck_assert_uint_eq(turns[0].due_ms, due < 1500 ? due : 1500);
}
END_TEST

/* Intervals of a millisecond, and of centuries. */
START_TEST(odd_intervals)
{
    const struct check_intervals tiny = {1, 0, 1};
    const struct check_intervals huge = {UINT64_MAX / 4, 1, UINT64_MAX / 4};
    check_schedule_add(&schedule, &turns[0], &tiny, 10);
    ck_assert_uint_eq(turns[0].due_ms, 10);
    check_schedule_add(&schedule, &turns[1], &huge, 10);
    ck_assert_uint_gt(turns[1].due_ms, UINT64_MAX / 8);
    ck_assert_uint_lt(turns[1].due_ms, UINT64_MAX / 4);
    ck_assert_ptr_eq(check_schedule_take(&schedule, 10), &turns[0]);
    check_schedule_done(&schedule, &turns[0], CHECK_PACE_FAST, 10);
    ck_assert_uint_eq(turns[0].due_ms, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("check_schedule");
    TCase *tc = tcase_create("check_schedule");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, first_turns_are_spread, 0, 6);
    tcase_add_test(tc, nothing_before_its_time);
    tcase_add_test(tc, one_check_of_a_server);
    tcase_add_loop_test(tc, paces_and_jitter, 0, 3);
    tcase_add_test(tc, bounded_at_once);
    tcase_add_test(tc, nobody_starves);
    tcase_add_test(tc, removal);
    tcase_add_test(tc, hurry);
    tcase_add_test(tc, other_intervals);
    tcase_add_test(tc, odd_intervals);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
