/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/balance.h"
#include "run_suite.h"

#include <stdlib.h>

enum { SERVERS_MAX = 8, NOW = 1000000 };

static struct server servers[SERVERS_MAX];
static struct pool pool;
static size_t turn;

static void make_pool(size_t count)
{
    ck_assert_uint_le(count, SERVERS_MAX);
    for (size_t i = 0; i < SERVERS_MAX; i++)
        atomic_store(&servers[i].avoid_until, 0);
    pool = (struct pool){.servers = servers, .server_count = count};
    turn = 0;
}

/* The index of the next server, -1 where there is none. */
static int next(struct balance_tries *tries, uint64_t now)
{
    struct server *server = balance_next(&pool, &turn, tries, now);
    return server != NULL ? (int)(server - servers) : -1;
}

static int first_for_a_session(uint64_t now)
{
    struct balance_tries tries = {0};
    return next(&tries, now);
}

START_TEST(round_robin)
{
    make_pool(3);
    for (int i = 0; i < 12; i++)
        ck_assert_int_eq(first_for_a_session(NOW), i % 3);
}
END_TEST

START_TEST(round_robin_from_any_turn)
{
    make_pool(3);
    turn = SIZE_MAX; /* a worker may begin anywhere */
    ck_assert_int_eq(first_for_a_session(NOW), (int)(SIZE_MAX % 3));
    ck_assert_int_eq(first_for_a_session(NOW), (int)(SIZE_MAX % 3 + 1) % 3);
}
END_TEST

START_TEST(no_server_at_all)
{
    make_pool(0);
    ck_assert_int_eq(first_for_a_session(NOW), -1);
}
END_TEST

START_TEST(none_is_tried_twice_for_a_session)
{
    make_pool(3);
    struct balance_tries tries = {0};
    ck_assert_int_eq(next(&tries, NOW), 0);
    ck_assert_int_eq(next(&tries, NOW), 1);
    ck_assert_int_eq(next(&tries, NOW), 2);
    ck_assert_int_eq(next(&tries, NOW), -1);
    ck_assert_int_eq(next(&tries, NOW), -1);
    /* Another session begins anew. */
    ck_assert_int_ne(first_for_a_session(NOW), -1);
}
END_TEST

START_TEST(not_more_than_a_few_attempts)
{
    make_pool(SERVERS_MAX);
    struct balance_tries tries = {0};
    for (int i = 0; i < BALANCE_ATTEMPTS; i++)
        ck_assert_int_eq(next(&tries, NOW), i);
    ck_assert_int_eq(next(&tries, NOW), -1);
}
END_TEST

START_TEST(one_that_failed_comes_last)
{
    make_pool(3);
    balance_server_failed(&servers[1], NOW);
    for (int i = 0; i < 6; i++)
        ck_assert_int_ne(first_for_a_session(NOW + BALANCE_AVOID - 1), 1);
    struct balance_tries tries = {0};
    ck_assert_int_ne(next(&tries, NOW), 1);
    ck_assert_int_ne(next(&tries, NOW), 1);
    ck_assert_int_eq(next(&tries, NOW), 1);
    ck_assert_int_eq(next(&tries, NOW), -1);
}
END_TEST

START_TEST(one_that_failed_comes_back_with_time)
{
    make_pool(2);
    balance_server_failed(&servers[0], NOW);
    ck_assert_int_eq(first_for_a_session(NOW), 1);
    int seen[2] = {0};
    for (int i = 0; i < 4; i++)
        seen[first_for_a_session(NOW + BALANCE_AVOID)]++;
    ck_assert_int_eq(seen[0], 2);
    ck_assert_int_eq(seen[1], 2);
}
END_TEST

START_TEST(one_that_works_again_is_back_at_once)
{
    make_pool(2);
    balance_server_failed(&servers[0], NOW);
    balance_server_worked(&servers[0]);
    ck_assert_uint_eq(atomic_load(&servers[0].avoid_until), 0);
    ck_assert_int_eq(first_for_a_session(NOW), 0);
    ck_assert_int_eq(first_for_a_session(NOW), 1);
}
END_TEST

START_TEST(all_failed_and_still_each_is_tried)
{
    make_pool(3);
    for (size_t i = 0; i < 3; i++)
        balance_server_failed(&servers[i], NOW);
    struct balance_tries tries = {0};
    unsigned seen = 0;
    for (int i = 0; i < 3; i++)
        seen |= 1u << next(&tries, NOW);
    ck_assert_uint_eq(seen, 7);
    ck_assert_int_eq(next(&tries, NOW), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("balance");
    TCase *tests = tcase_create("balance");
    tcase_add_test(tests, round_robin);
    tcase_add_test(tests, round_robin_from_any_turn);
    tcase_add_test(tests, no_server_at_all);
    tcase_add_test(tests, none_is_tried_twice_for_a_session);
    tcase_add_test(tests, not_more_than_a_few_attempts);
    tcase_add_test(tests, one_that_failed_comes_last);
    tcase_add_test(tests, one_that_failed_comes_back_with_time);
    tcase_add_test(tests, one_that_works_again_is_back_at_once);
    tcase_add_test(tests, all_failed_and_still_each_is_tried);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
