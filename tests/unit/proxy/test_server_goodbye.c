/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/server_goodbye.h"

#include "run_suite.h"

#include <stdlib.h>

enum { OVER_MS = 30000 };

/* ---- rounds ---- */

START_TEST(a_round_begins_and_is_cancelled)
{
    struct server_goodbye goodbye = {0};
    ck_assert_uint_eq(server_goodbye_round(&goodbye), 0);
    server_goodbye_begin(&goodbye, SERVER_GOODBYE_LOST, OVER_MS, 1000);
    ck_assert_uint_ne(server_goodbye_round(&goodbye), 0);
    ck_assert_int_eq(server_goodbye_cause(&goodbye), SERVER_GOODBYE_LOST);
    ck_assert_uint_eq(server_goodbye_left_ms(&goodbye, 1000), OVER_MS);
    ck_assert_uint_eq(server_goodbye_left_ms(&goodbye, 1000 + OVER_MS - 1), 1);
    ck_assert_uint_eq(server_goodbye_left_ms(&goodbye, 1000 + OVER_MS), 0);
    ck_assert_uint_eq(server_goodbye_left_ms(&goodbye, 1000 + 2 * OVER_MS), 0);
    server_goodbye_cancel(&goodbye);
    ck_assert_uint_eq(server_goodbye_round(&goodbye), 0);
}
END_TEST

/* Sessions know by the number that it is not the round in which they take part. */
START_TEST(a_round_takes_the_place_of_another)
{
    struct server_goodbye goodbye = {0};
    uint8_t before = 0;
    for (int i = 0; i < 1000; i++) {
        server_goodbye_begin(&goodbye, SERVER_GOODBYE_DRAINED, OVER_MS, 5);
        ck_assert_uint_ne(server_goodbye_round(&goodbye), 0);
        ck_assert_uint_ne(server_goodbye_round(&goodbye), before);
        before = server_goodbye_round(&goodbye);
        if (i % 3 == 0)
            server_goodbye_cancel(&goodbye);
    }
    server_goodbye_begin(&goodbye, SERVER_GOODBYE_MAINTENANCE, 0, 77);
    ck_assert_int_eq(server_goodbye_cause(&goodbye), SERVER_GOODBYE_MAINTENANCE);
    ck_assert_uint_eq(server_goodbye_left_ms(&goodbye, 77), 0);
    server_goodbye_begin(&goodbye, SERVER_GOODBYE_DRAINED, UINT64_MAX, 0);
    ck_assert_uint_eq(server_goodbye_left_ms(&goodbye, 0), SERVER_GOODBYE_MAX_MS);
}
END_TEST

START_TEST(each_cause_has_a_word_of_its_own)
{
    for (int i = 0; i < SERVER_GOODBYE_CAUSES; i++)
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(server_goodbye_word((enum server_goodbye_cause)i),
                             server_goodbye_word((enum server_goodbye_cause)j));
}
END_TEST

/*
 * What the operator wants, what is seen, and the round that follows, without a time for the drain and
 * with it.
 */
static const struct {
    enum server_admin admin;
    enum server_health health;
    enum server_goodbye_cause without;
    enum server_goodbye_cause with;
} wanted[] = {
    {SERVER_READY, SERVER_UNCHECKED, SERVER_GOODBYE_NONE, SERVER_GOODBYE_NONE},
    {SERVER_READY, SERVER_UP, SERVER_GOODBYE_NONE, SERVER_GOODBYE_NONE},
    {SERVER_READY, SERVER_FAILING, SERVER_GOODBYE_NONE, SERVER_GOODBYE_NONE},
    {SERVER_READY, SERVER_DOWN, SERVER_GOODBYE_LOST, SERVER_GOODBYE_LOST},
    {SERVER_READY, SERVER_RISING, SERVER_GOODBYE_LOST, SERVER_GOODBYE_LOST},
    {SERVER_READY, SERVER_WARMING, SERVER_GOODBYE_NONE, SERVER_GOODBYE_NONE},
    {SERVER_READY, SERVER_EJECTED, SERVER_GOODBYE_NONE, SERVER_GOODBYE_NONE},
    {SERVER_READY, SERVER_UNRESOLVED, SERVER_GOODBYE_NONE, SERVER_GOODBYE_NONE},
    {SERVER_DRAIN, SERVER_UP, SERVER_GOODBYE_NONE, SERVER_GOODBYE_DRAINED},
    {SERVER_DRAIN, SERVER_EJECTED, SERVER_GOODBYE_NONE, SERVER_GOODBYE_DRAINED},
    {SERVER_DRAIN, SERVER_DOWN, SERVER_GOODBYE_LOST, SERVER_GOODBYE_LOST},
    {SERVER_MAINTENANCE, SERVER_UP, SERVER_GOODBYE_MAINTENANCE, SERVER_GOODBYE_MAINTENANCE},
    {SERVER_MAINTENANCE, SERVER_DOWN, SERVER_GOODBYE_MAINTENANCE, SERVER_GOODBYE_MAINTENANCE},
};

START_TEST(what_asks_for_a_round)
{
    ck_assert_int_eq(server_goodbye_wanted(wanted[_i].admin, wanted[_i].health, false), wanted[_i].without);
    ck_assert_int_eq(server_goodbye_wanted(wanted[_i].admin, wanted[_i].health, true), wanted[_i].with);
}
END_TEST

/* ---- lost connections ---- */

START_TEST(a_few_losses_are_no_crowd)
{
    struct server_goodbye goodbye = {0};
    uint64_t now_ms = 5000000;
    for (int second = 0; second < 5; second++, now_ms += SERVER_LOSSES_MS) {
        for (int i = 0; i < SERVER_LOSSES_AT_ONCE; i++)
            ck_assert(!server_goodbye_is_crowd(&goodbye, now_ms));
        for (int i = 0; i < 10; i++)
            ck_assert(server_goodbye_is_crowd(&goodbye, now_ms + SERVER_LOSSES_MS - 1));
    }
    /* A worker's clock may be a little older than another's. */
    ck_assert(server_goodbye_is_crowd(&goodbye, now_ms - SERVER_LOSSES_MS - 1));
}
END_TEST

/* ---- the spread ---- */

static int compare(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;
    return first < second ? -1 : first > second;
}

/*
 * Each twentieth of the time has its share, within four, whatever the number is: among 20000 chance would
 * miss it by thirty. No gap is longer than thrice the mean.
 */
START_TEST(it_is_even_for_any_number)
{
    static const size_t counts[] = {1, 2, 20, 100, 199, 1000, 20000};
    static uint64_t times[20000];
    size_t count = counts[_i];
    for (uint32_t start = 0; start < 5; start++) {
        unsigned shares[20] = {0};
        for (size_t i = 0; i < count; i++) {
            times[i] = server_goodbye_delay_ms(OVER_MS, start * 987654321u, (uint32_t)i + start * 1000003u);
            ck_assert_uint_lt(times[i], OVER_MS);
            shares[times[i] * 20 / OVER_MS]++;
        }
        for (size_t i = 0; i < 20; i++) {
            ck_assert_uint_le(shares[i], count / 20 + 4);
            ck_assert_uint_ge(shares[i] + 4, count / 20);
        }
        qsort(times, count, sizeof times[0], compare);
        for (size_t i = 1; i < count; i++)
            ck_assert_uint_le(times[i] - times[i - 1], 3 * OVER_MS / count + 1);
    }
}
END_TEST

START_TEST(its_bounds)
{
    for (uint32_t i = 0; i < 1000; i++) {
        ck_assert_uint_eq(server_goodbye_delay_ms(0, 5, i), 0);
        ck_assert_uint_eq(server_goodbye_delay_ms(1, 5, i), 0);
        ck_assert_uint_lt(server_goodbye_delay_ms(UINT64_MAX, 5, i), SERVER_GOODBYE_MAX_MS);
    }
    ck_assert_uint_ne(server_goodbye_delay_ms(OVER_MS, 1, 0), server_goodbye_delay_ms(OVER_MS, 1u << 30, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server_goodbye");
    TCase *tests = tcase_create("rounds");
    tcase_add_test(tests, a_round_begins_and_is_cancelled);
    tcase_add_test(tests, a_round_takes_the_place_of_another);
    tcase_add_test(tests, each_cause_has_a_word_of_its_own);
    tcase_add_loop_test(tests, what_asks_for_a_round, 0, sizeof wanted / sizeof wanted[0]);
    suite_add_tcase(suite, tests);
    tests = tcase_create("losses");
    tcase_add_test(tests, a_few_losses_are_no_crowd);
    suite_add_tcase(suite, tests);
    tests = tcase_create("spread");
    tcase_add_loop_test(tests, it_is_even_for_any_number, 0, 7);
    tcase_add_test(tests, its_bounds);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
