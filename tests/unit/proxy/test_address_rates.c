/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/address_rates.h"

#include "run_suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WAIT_MAX_MS = 2000, START_MS = 1000 * 1000 };

static struct address_rates *rates;

static void open_rates(void)
{
    rates = address_rates_new();
    ck_assert_ptr_nonnull(rates);
}

static void close_rates(void)
{
    address_rates_free(&rates);
    ck_assert_ptr_null(rates);
}

/* Different addresses have keys whose halves are different: address_counts_key is a hash. */
static uint64_t key_of(uint64_t address)
{
    uint64_t key = (address + 1) * UINT64_C(0x9E3779B97F4A7C15);
    key ^= key >> 29;
    key *= UINT64_C(0xBF58476D1CE4E5B9);
    return key ^ key >> 32;
}

static uint32_t take(uint64_t address, uint64_t at_ms, uint32_t rate)
{
    return address_rates_take(rates, key_of(address), START_MS + at_ms, rate, WAIT_MAX_MS);
}

START_TEST(a_second_at_once_then_slowed_then_refused)
{
    for (int i = 0; i < 10; i++)
        ck_assert_uint_eq(take(1, 0, 10), 0);
    for (uint32_t i = 1; i <= 20; i++)
        ck_assert_uint_eq(take(1, 0, 10), i * 100);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(take(1, 0, 10), ADDRESS_RATES_REFUSED);
    /* What is refused costs nothing: the next token comes in its time. */
    ck_assert_uint_eq(take(1, 100, 10), WAIT_MAX_MS);
    ck_assert_uint_eq(take(1, 100, 10), ADDRESS_RATES_REFUSED);
}
END_TEST

START_TEST(the_rate_itself_is_free)
{
    for (uint64_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(take(1, i * 50, 20), 0);
}
END_TEST

START_TEST(the_bucket_fills_up_and_does_not_overflow)
{
    for (int i = 0; i < 10; i++)
        ck_assert_uint_eq(take(1, 0, 10), 0);
    ck_assert_uint_eq(take(1, 500, 10), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(take(1, 500, 10), 0);
    ck_assert_uint_eq(take(1, 500, 10), 100);
    for (int i = 0; i < 10; i++)
        ck_assert_uint_eq(take(1, 3600 * 1000, 10), 0);
    ck_assert_uint_eq(take(1, 3600 * 1000, 10), 100);
}
END_TEST

/* Among those that come as fast as they can, as many as the rate allows are served in each second. */
START_TEST(a_flood_is_served_at_the_rate)
{
    unsigned served = 0;
    for (uint64_t ms = 0; ms < 20 * 1000; ms++)
        for (int i = 0; i < 3; i++)
            served += take(1, ms, 7) != ADDRESS_RATES_REFUSED;
    ck_assert_uint_ge(served, 7 * 20);
    ck_assert_uint_le(served, 7 * (20 + 3) + 1);
}
END_TEST

START_TEST(the_extremes)
{
    ck_assert_uint_eq(take(1, 0, 1), 0);
    ck_assert_uint_eq(take(1, 0, 1), 1000);
    ck_assert_uint_eq(take(1, 0, 1), 2000);
    ck_assert_uint_eq(take(1, 0, 1), ADDRESS_RATES_REFUSED);
    for (int i = 0; i < 100000; i++)
        ck_assert_uint_eq(take(2, 0, 100000), 0);
    ck_assert_uint_eq(take(2, 0, 100000), 1);
    ck_assert_uint_eq(address_rates_take(rates, key_of(1), START_MS, 1, 0), ADDRESS_RATES_REFUSED);
    /* A clock that has just begun. */
    ck_assert_uint_eq(address_rates_take(rates, key_of(3), 0, 5, 0), 0);
}
END_TEST

/* A reload changes the rate: what is owed stays owed. */
START_TEST(another_rate)
{
    for (int i = 0; i < 10; i++)
        ck_assert_uint_eq(take(1, 0, 10), 0);
    ck_assert_uint_eq(take(1, 0, 1000), 1);
    ck_assert_uint_eq(take(1, 1100, 2), 0);
    ck_assert_uint_eq(take(1, 1100, 2), 0);
    ck_assert_uint_gt(take(1, 1100, 2), 0);
}
END_TEST

START_TEST(others_are_left_alone)
{
    enum { FLOODING = 100, OTHERS = 20000 };
    unsigned slowed = 0;
    for (uint64_t address = 0; address < FLOODING; address++)
        for (int i = 0; i < 20; i++)
            slowed += take(address, 0, 5) == ADDRESS_RATES_REFUSED;
    ck_assert_uint_eq(slowed, FLOODING * 5);
    slowed = 0;
    for (uint64_t address = FLOODING; address < FLOODING + OTHERS; address++)
        slowed += take(address, 0, 5) != 0;
    ck_assert_uint_lt(slowed, 5);
}
END_TEST

static _Atomic unsigned taken;

static void *take_all(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++)
        if (take(1, 0, 1000) != ADDRESS_RATES_REFUSED)
            atomic_fetch_add(&taken, 1);
    return NULL;
}

START_TEST(several_threads)
{
    enum { THREADS = 4, TOKENS = 1000 + 2000 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_all, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_ge(atomic_load(&taken), TOKENS);
    ck_assert_uint_le(atomic_load(&taken), TOKENS + THREADS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address_rates");
    TCase *tests = tcase_create("rates");
    tcase_add_checked_fixture(tests, open_rates, close_rates);
    tcase_add_test(tests, a_second_at_once_then_slowed_then_refused);
    tcase_add_test(tests, the_rate_itself_is_free);
    tcase_add_test(tests, the_bucket_fills_up_and_does_not_overflow);
    tcase_add_test(tests, a_flood_is_served_at_the_rate);
    tcase_add_test(tests, the_extremes);
    tcase_add_test(tests, another_rate);
    tcase_add_test(tests, others_are_left_alone);
    tcase_add_test(tests, several_threads);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
