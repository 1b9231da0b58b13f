/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/policy.h"

#include "run_suite.h"
#include "server_pool.h"

#include <math.h>
#include <string.h>

enum { SERVERS_MAX = 64, DRAWS = 40000 };

static struct membership *members;
static struct policy_choice choice;
static uint64_t seed;

static uint64_t draw(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = seed;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    return x ^ (x >> 31);
}

/* Servers with these weights, all of which may be chosen. */
static void make_pool(const unsigned *weights, size_t count)
{
    struct server_rules rules[SERVERS_MAX];
    for (size_t i = 0; i < count; i++) {
        rules[i] = server_pool_rules;
        rules[i].weight = weights[i];
    }
    members = server_pool_new_with(rules, count, 0);
    memset(members->candidates, 1, count);
    choice = (struct policy_choice){
        .members = members, .candidates = members->candidates, .credits = members->credits};
    seed = 42;
}

static void make_equal_pool(size_t count)
{
    unsigned weights[SERVERS_MAX] = {0};
    for (size_t i = 0; i < count; i++)
        weights[i] = 1;
    make_pool(weights, count);
}

static size_t choose(const struct policy *policy)
{
    choice.random = draw();
    return policy->choose(&choice);
}

/*
 * Pearson's statistic of `counts` against the weights, in standard deviations of its distribution: beyond
 * five of them chance is no explanation.
 */
static double deviation(const unsigned *counts, const unsigned *weights, size_t count, unsigned draws)
{
    double sum = 0;
    double chi = 0;
    for (size_t i = 0; i < count; i++)
        sum += weights[i];
    for (size_t i = 0; i < count; i++) {
        double expected = draws * weights[i] / sum;
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    double freedom = (double)count - 1;
    return (chi - freedom) / sqrt(2 * freedom);
}

static const struct policy *const policies[] = {&policy_round_robin, &policy_least_connections,
                                                &policy_source_hash};
enum { POLICIES = sizeof policies / sizeof policies[0] };

/* ---- all of them ---- */

START_TEST(none_and_one)
{
    make_equal_pool(3);
    memset(members->candidates, 0, 3);
    ck_assert_uint_eq(choose(policies[_i]), 3);
    members->candidates[1] = 1;
    for (int i = 0; i < 10; i++) {
        choice.key = draw();
        ck_assert_uint_eq(choose(policies[_i]), 1);
    }
    server_pool_free(&members);
}
END_TEST

/* What the file says is what a pool selects by. */
START_TEST(policy_of_each_word)
{
    enum cfg_balance balance = (enum cfg_balance)_i;
    ck_assert_ptr_nonnull(policy_of(balance)->choose);
    ck_assert_str_eq(policy_of(balance)->word, cfg_balance_name(balance));
}
END_TEST

START_TEST(no_servers)
{
    make_equal_pool(0);
    ck_assert_uint_eq(choose(policies[_i]), 0);
    server_pool_free(&members);
}
END_TEST

/* Shares are those of the weights. (Least connections: if sessions stay.) */
START_TEST(shares_by_weight)
{
    static const unsigned weights[] = {1, 2, 3, 1, 10, 7, 1, 100};
    unsigned counts[8] = {0};
    make_pool(weights, 8);
    for (int i = 0; i < DRAWS; i++) {
        choice.key = draw();
        size_t index = choose(policies[_i]);
        ck_assert_uint_lt(index, 8);
        counts[index]++;
        atomic_fetch_add(&members->members[index].server->sessions, 1);
    }
    ck_assert_double_lt(deviation(counts, weights, 8, DRAWS), 5);
    for (size_t i = 0; i < 8; i++)
        atomic_store(&members->members[i].server->sessions, 0);
    server_pool_free(&members);
}
END_TEST

/* ---- round robin ---- */

START_TEST(equal_servers_in_turn)
{
    make_equal_pool(3);
    for (size_t i = 0; i < 12; i++)
        ck_assert_uint_eq(choose(&policy_round_robin), i % 3);
    server_pool_free(&members);
}
END_TEST

START_TEST(workers_begin_at_different_servers)
{
    make_equal_pool(3);
    choice.first = 2;
    for (size_t i = 0; i < 12; i++)
        ck_assert_uint_eq(choose(&policy_round_robin), (i + 2) % 3);
    server_pool_free(&members);
}
END_TEST

/* The order of which nginx gives this example. */
START_TEST(smooth)
{
    static const unsigned weights[] = {5, 1, 1};
    char order[15] = "";
    make_pool(weights, 3);
    for (size_t i = 0; i < 14; i++)
        order[i] = (char)('a' + choose(&policy_round_robin));
    ck_assert_str_eq(order, "aabacaaaabacaa");
    server_pool_free(&members);
}
END_TEST

START_TEST(one_that_was_away_does_not_get_a_crowd)
{
    make_equal_pool(4);
    members->candidates[2] = 0;
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_ne(choose(&policy_round_robin), 2);
    members->candidates[2] = 1;
    unsigned got = 0;
    for (int i = 0; i < 8; i++)
        got += choose(&policy_round_robin) == 2;
    ck_assert_uint_ge(got, 1);
    ck_assert_uint_le(got, 3);
    server_pool_free(&members);
}
END_TEST

/* ---- least connections ---- */

static void set_sessions(size_t index, uint32_t sessions)
{
    atomic_store(&members->members[index].server->sessions, sessions);
}

START_TEST(the_one_with_fewer_sessions_of_two)
{
    make_equal_pool(2);
    set_sessions(0, 5);
    set_sessions(1, 4);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(choose(&policy_least_connections), 1);
    set_sessions(0, 0);
    set_sessions(1, 0);
    server_pool_free(&members);
}
END_TEST

START_TEST(weights_count)
{
    static const unsigned weights[] = {2, 1};
    make_pool(weights, 2);
    set_sessions(0, 10); /* 11 / 2 < 6 / 1 */
    set_sessions(1, 5);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(choose(&policy_least_connections), 0);
    set_sessions(1, 4); /* 11 / 2 > 5 / 1 */
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(choose(&policy_least_connections), 1);
    set_sessions(0, 0);
    set_sessions(1, 0);
    server_pool_free(&members);
}
END_TEST

/* The newcomer, which has no sessions, must not get all of them. */
START_TEST(warming_counts)
{
    make_equal_pool(2);
    struct server_state *server = members->members[1].server;
    set_sessions(0, 100);
    set_sessions(1, 10);
    atomic_store(&server->effective_weight, SERVER_WEIGHT_ONE / 20);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(choose(&policy_least_connections), 0); /* 101 / 1 < 11 / 0.05 */
    set_sessions(0, 0);
    set_sessions(1, 0);
    server_pool_free(&members);
}
END_TEST

/* Two different ones are compared, so the fullest is never selected. */
START_TEST(never_the_fullest)
{
    make_equal_pool(5);
    for (size_t i = 0; i < 5; i++)
        set_sessions(i, (uint32_t)i);
    unsigned counts[5] = {0};
    for (int i = 0; i < 5000; i++)
        counts[choose(&policy_least_connections)]++;
    ck_assert_uint_eq(counts[4], 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_gt(counts[i], counts[i + 1]);
    for (size_t i = 0; i < 5; i++)
        set_sessions(i, 0);
    server_pool_free(&members);
}
END_TEST

/* ---- source hash ---- */

START_TEST(one_key_one_server)
{
    make_equal_pool(10);
    for (int i = 0; i < 100; i++) {
        choice.key = draw();
        size_t index = choose(&policy_source_hash);
        for (int j = 0; j < 10; j++)
            ck_assert_uint_eq(choose(&policy_source_hash), index);
    }
    server_pool_free(&members);
}
END_TEST

/* Small keys, as those of neighbours are, spread as well as any. */
START_TEST(neighbours_spread)
{
    unsigned counts[16] = {0};
    static const unsigned weights[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    make_equal_pool(16);
    for (choice.key = 0; choice.key < DRAWS; choice.key++)
        counts[choose(&policy_source_hash)]++;
    ck_assert_double_lt(deviation(counts, weights, 16, DRAWS), 5);
    server_pool_free(&members);
}
END_TEST

/* Losing one of n moves its clients, which are a share of 1/n, and nobody else. */
START_TEST(losing_one_moves_its_own)
{
    size_t count = (size_t)_i;
    unsigned moved = 0;
    make_equal_pool(count);
    for (int i = 0; i < DRAWS; i++) {
        choice.key = draw();
        memset(members->candidates, 1, count);
        size_t before = choose(&policy_source_hash);
        members->candidates[count / 2] = 0;
        size_t after = choose(&policy_source_hash);
        ck_assert(before == after || before == count / 2);
        moved += before != after;
    }
    double share = 1.0 / (double)count;
    ck_assert_double_lt(fabs(moved - DRAWS * share), 5 * sqrt(DRAWS * share * (1 - share)));
    server_pool_free(&members);
}
END_TEST

/* More weight draws clients to this server, and moves none between others. */
START_TEST(more_weight_moves_no_others)
{
    make_equal_pool(8);
    for (int i = 0; i < 5000; i++) {
        choice.key = draw();
        server_state_set_weight(members->members[3].server, 1, SERVER_POOL_NOW);
        size_t before = choose(&policy_source_hash);
        server_state_set_weight(members->members[3].server, 4, SERVER_POOL_NOW);
        size_t after = choose(&policy_source_hash);
        ck_assert(before == after || after == 3);
    }
    server_pool_free(&members);
}
END_TEST

/* Proxies agree without talking: these are the choices of every version. */
START_TEST(the_same_in_every_proxy)
{
    static const char *const expected = "3302262647101412";
    char chosen[17] = "";
    make_equal_pool(8);
    for (choice.key = 0; choice.key < 16; choice.key++)
        chosen[choice.key] = (char)('0' + choose(&policy_source_hash));
    ck_assert_str_eq(chosen, expected);
    server_pool_free(&members);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *tests = tcase_create("policy");
    tcase_add_loop_test(tests, none_and_one, 0, POLICIES);
    tcase_add_loop_test(tests, policy_of_each_word, 0, CFG_BALANCES);
    tcase_add_loop_test(tests, no_servers, 0, POLICIES);
    tcase_add_loop_test(tests, shares_by_weight, 0, POLICIES);
    tcase_add_test(tests, equal_servers_in_turn);
    tcase_add_test(tests, workers_begin_at_different_servers);
    tcase_add_test(tests, smooth);
    tcase_add_test(tests, one_that_was_away_does_not_get_a_crowd);
    tcase_add_test(tests, the_one_with_fewer_sessions_of_two);
    tcase_add_test(tests, weights_count);
    tcase_add_test(tests, warming_counts);
    tcase_add_test(tests, never_the_fullest);
    tcase_add_test(tests, one_key_one_server);
    tcase_add_test(tests, neighbours_spread);
    tcase_add_loop_test(tests, losing_one_moves_its_own, 2, 12);
    tcase_add_test(tests, more_weight_moves_no_others);
    tcase_add_test(tests, the_same_in_every_proxy);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
