/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/balance.h"

#include "cfg_file.h"
#include "proxy/backends/pool_resolve.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { SERVERS_MAX = 8, NOW = 1000000 };

static struct server servers[SERVERS_MAX];
static struct pool pool;
static size_t position;

static void make_pool(size_t count)
{
    ck_assert_uint_le(count, SERVERS_MAX);
    for (size_t i = 0; i < SERVERS_MAX; i++)
        atomic_store(&servers[i].avoid_until, 0);
    pool = (struct pool){.policy = &balance_round_robin, .servers = servers, .server_count = count};
    position = 0;
}

/* The index of the next server, -1 where there is none. */
static int next(struct balance_tries *tries, uint64_t now)
{
    struct server *server = balance_next(&pool, &position, tries, now);
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

START_TEST(round_robin_from_any_position)
{
    make_pool(3);
    position = SIZE_MAX; /* a worker may begin anywhere */
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
        ck_assert_int_ne(first_for_a_session(NOW + BALANCE_AVOID_MS - 1), 1);
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
        seen[first_for_a_session(NOW + BALANCE_AVOID_MS)]++;
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

/* ---- policies ---- */

START_TEST(policy_of_each_word)
{
    enum cfg_balance balance = (enum cfg_balance)_i;
    ck_assert_ptr_nonnull(balance_policy_of(balance)->choose);
    ck_assert_str_eq(balance_policy_of(balance)->word, cfg_balance_name(balance));
}
END_TEST

static unsigned times_asked;

/* The last server that may be chosen. */
static size_t choose_last(const struct balance_choice *choice)
{
    size_t index = choice->pool->server_count;
    times_asked++;
    while (index > 0 && !balance_may_choose(choice, index - 1))
        index--;
    return index > 0 ? index - 1 : choice->pool->server_count;
}

static const struct balance_policy last_one = {"last", choose_last};

/* The pool's own policy chooses; tries, failures and their number are kept for all policies alike. */
START_TEST(the_pools_policy_is_used)
{
    make_pool(3);
    pool.policy = &last_one;
    times_asked = 0;
    balance_server_failed(&servers[2], NOW);
    struct balance_tries tries = {0};
    ck_assert_int_eq(next(&tries, NOW), 1);
    ck_assert_uint_eq(times_asked, 1);
    ck_assert_int_eq(next(&tries, NOW), 0);
    ck_assert_int_eq(next(&tries, NOW), 2);
    ck_assert_int_eq(next(&tries, NOW), -1);
}
END_TEST

/* What the file says is what a pool balances by. */
START_TEST(the_configured_policy_is_used)
{
    for (size_t i = 0; i < CFG_BALANCES; i++) {
        char text[1024];
        struct cfg_problems problems = {0};
        struct pool resolved = {0};
        const char *word = cfg_balance_name((enum cfg_balance)i);
        snprintf(text, sizeof text,
                 "%s%sbackends = ( { name = \"stores\"; balance = \"%s\"; servers = ( { address = "
                 "\"10.0.0.11:143\"; } ); } );\n",
                 CFG_TLS, CFG_IMAP_SERVICE, word);
        struct cfg *cfg = cfg_text_load_clean(text);
        ck_assert(pool_resolve(&resolved, &cfg->pools[0], NULL, &problems));
        ck_assert_uint_eq(resolved.server_count, 1);
        ck_assert_ptr_eq(resolved.policy, balance_policy_of((enum cfg_balance)i));
        ck_assert_str_eq(resolved.policy->word, word);
        pool_free(&resolved);
        cfg_problems_free(&problems);
        cfg_free(&cfg);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("balance");
    TCase *tests = tcase_create("balance");
    tcase_add_test(tests, round_robin);
    tcase_add_test(tests, round_robin_from_any_position);
    tcase_add_test(tests, no_server_at_all);
    tcase_add_test(tests, none_is_tried_twice_for_a_session);
    tcase_add_test(tests, not_more_than_a_few_attempts);
    tcase_add_test(tests, one_that_failed_comes_last);
    tcase_add_test(tests, one_that_failed_comes_back_with_time);
    tcase_add_test(tests, one_that_works_again_is_back_at_once);
    tcase_add_test(tests, all_failed_and_still_each_is_tried);
    tcase_add_loop_test(tests, policy_of_each_word, 0, CFG_BALANCES);
    tcase_add_test(tests, the_pools_policy_is_used);
    tcase_add_test(tests, the_configured_policy_is_used);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
