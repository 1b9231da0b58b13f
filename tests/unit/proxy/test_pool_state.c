/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/backends/pool_state.h"

#include "run_suite.h"

enum { NOW = 1000000, FAST_US = 5000, SLOW_US = 2000000 };

static struct pool_state *pool;

static void make_pool(void)
{
    pool = pool_state_new("stores", 2, NULL);
    ck_assert_ptr_nonnull(pool);
}

static void drop_pool(void)
{
    pool_state_unref(&pool);
    ck_assert_ptr_null(pool);
}

/* The larger of 1 s and four usual times; a suspected server has half of it. */
START_TEST(limits_of_a_greeting)
{
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, false), POOL_GREETING_UNKNOWN_MS);
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, true), 500);
    pool_state_greeted(pool, FAST_US);
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, false), 1000);
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, true), 500);
    for (int i = 0; i < 100; i++)
        pool_state_greeted(pool, SLOW_US);
    ck_assert_uint_ge(pool_state_greeting_limit_ms(pool, false), 7000);
    ck_assert_uint_le(pool_state_greeting_limit_ms(pool, false), 8000);
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, true),
                      pool_state_greeting_limit_ms(pool, false) / 2);
}
END_TEST

/* One that is slow once changes little. */
START_TEST(usual_is_what_most_say)
{
    for (int i = 0; i < 100; i++)
        pool_state_greeted(pool, FAST_US);
    pool_state_greeted(pool, 50 * FAST_US);
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, false), 1000);
    pool_state_greeted(pool, UINT64_MAX); /* a clock that is wrong does no harm */
    for (int i = 0; i < 200; i++)
        pool_state_greeted(pool, FAST_US);
    ck_assert_uint_eq(pool_state_greeting_limit_ms(pool, false), 1000);
}
END_TEST

/* Whoever leaves a server that is slow as usual says nothing of it. */
START_TEST(silence_that_is_usual)
{
    ck_assert_uint_eq(pool_state_silence_ms(pool, 750), 750);
    pool_state_greeted(pool, FAST_US);
    ck_assert_uint_eq(pool_state_silence_ms(pool, 750), 750);
    for (int i = 0; i < 100; i++)
        pool_state_greeted(pool, SLOW_US);
    ck_assert_uint_ge(pool_state_silence_ms(pool, 750), 7000);
}
END_TEST

START_TEST(told_once_a_second)
{
    ck_assert(pool_state_may_tell_down(pool, NOW));
    for (uint64_t ms = 0; ms < POOL_TELL_DOWN_MS; ms += 100)
        ck_assert(!pool_state_may_tell_down(pool, NOW + ms));
    ck_assert(pool_state_may_tell_down(pool, NOW + POOL_TELL_DOWN_MS));
    ck_assert(!pool_state_may_tell_down(pool, NOW + POOL_TELL_DOWN_MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool_state");
    TCase *tests = tcase_create("pool_state");
    tcase_add_checked_fixture(tests, make_pool, drop_pool);
    tcase_add_test(tests, limits_of_a_greeting);
    tcase_add_test(tests, usual_is_what_most_say);
    tcase_add_test(tests, silence_that_is_usual);
    tcase_add_test(tests, told_once_a_second);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
