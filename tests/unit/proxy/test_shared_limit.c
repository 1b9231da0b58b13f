/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/shared_limit.h"

#include "base/array.h"
#include "run_suite.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WORKERS = 4, ALL_STOCKS = WORKERS * SHARED_LIMIT_BATCH };

static struct shared_limit *limit;

static void set_up(void)
{
    limit = shared_limit_new(WORKERS);
    ck_assert_ptr_nonnull(limit);
}

static void tear_down(void)
{
    shared_limit_free(&limit);
    ck_assert_ptr_null(limit);
    shared_limit_free(&limit);
}

static void expect_takes(unsigned holder, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert(!shared_limit_is_full(limit));
        ck_assert(shared_limit_take(limit, holder));
    }
}

static void expect_full(void)
{
    ck_assert(shared_limit_is_full(limit));
    for (unsigned i = 0; i < WORKERS; i++)
        ck_assert(!shared_limit_take(limit, i));
}

/* Below what is taken by batches, just there, and far above it. */
static const size_t maxima[] = {1, 3, ALL_STOCKS - 1, ALL_STOCKS, ALL_STOCKS + 1, 1000, 10000};

START_TEST(one_worker_may_have_all)
{
    shared_limit_set_max(limit, maxima[_i]);
    ck_assert_uint_eq(shared_limit_max(limit), maxima[_i]);
    expect_takes(2, maxima[_i]);
    expect_full();
    shared_limit_give(limit, 2);
    expect_takes(0, 1);
    expect_full();
}
END_TEST

START_TEST(all_workers_may_have_all)
{
    shared_limit_set_max(limit, maxima[_i]);
    for (size_t i = 0; i < maxima[_i]; i++)
        expect_takes((unsigned)(i % WORKERS), 1);
    expect_full();
}
END_TEST

/* What one worker has given back into its stock is there for another. */
START_TEST(a_stock_keeps_nothing_from_others)
{
    shared_limit_set_max(limit, maxima[_i]);
    for (int rounds = 0; rounds < 5; rounds++) {
        expect_takes(1, maxima[_i]);
        expect_full();
        for (size_t i = 0; i < maxima[_i]; i++)
            shared_limit_give(limit, (unsigned)(i % WORKERS));
        expect_takes(3, maxima[_i]);
        expect_full();
        for (size_t i = 0; i < maxima[_i]; i++)
            shared_limit_give(limit, 0);
    }
}
END_TEST

START_TEST(no_limit)
{
    ck_assert_uint_eq(shared_limit_max(limit), 0);
    ck_assert_uint_eq(shared_limit_holders(limit), WORKERS);
    for (unsigned i = 0; i < 10 * ALL_STOCKS; i++)
        ck_assert(shared_limit_take(limit, i % WORKERS));
    /* They count when there is one. */
    shared_limit_set_max(limit, 10 * ALL_STOCKS + 2);
    expect_takes(1, 2);
    expect_full();
    shared_limit_set_max(limit, 0);
    expect_takes(1, 10 * ALL_STOCKS);
}
END_TEST

START_TEST(lowered)
{
    shared_limit_set_max(limit, 1000);
    for (unsigned i = 0; i < WORKERS; i++)
        expect_takes(i, 10); /* and each has a stock */
    shared_limit_set_max(limit, 38);
    expect_full();
    shared_limit_give(limit, 0);
    shared_limit_give(limit, 1);
    expect_full();
    shared_limit_give(limit, 2);
    expect_takes(3, 1);
    expect_full();
    /* With room for a part of the stocks. */
    shared_limit_set_max(limit, 45);
    expect_takes(0, 7);
    expect_full();
}
END_TEST

START_TEST(raised)
{
    shared_limit_set_max(limit, 2);
    expect_takes(0, 2);
    expect_full();
    shared_limit_set_max(limit, 3);
    expect_takes(1, 1);
    expect_full();
    shared_limit_set_max(limit, 3000);
    expect_takes(2, 2997);
    expect_full();
}
END_TEST

/* ---- threads ---- */

enum { THREAD_MAX = 200, TURNS = 3000, HELD_MAX = 90 };

static _Atomic int taken;
static _Atomic bool were_too_many;

static void *take_and_give(void *arg)
{
    unsigned holder = *(const unsigned *)arg;
    for (int turn = 0; turn < TURNS; turn++) {
        int held = 0;
        while (held < HELD_MAX && shared_limit_take(limit, holder)) {
            held++;
            if (atomic_fetch_add(&taken, 1) >= THREAD_MAX)
                atomic_store(&were_too_many, true);
        }
        for (; held > 0; held--) {
            atomic_fetch_sub(&taken, 1);
            shared_limit_give(limit, holder);
        }
    }
    return NULL;
}

/* `beside` is what the main thread does meanwhile, or NULL. */
static void run_threads(void *(*run)(void *arg), void (*beside)(void))
{
    static const unsigned holders[WORKERS] = {0, 1, 2, 3};
    pthread_t threads[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)&holders[i]), 0);
    if (beside != NULL)
        beside();
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
}

static void reload(void)
{
    for (int turn = 0; turn < TURNS; turn++)
        shared_limit_set_max(limit, turn % 2 == 0 ? THREAD_MAX / 4 : THREAD_MAX);
}

START_TEST(never_more_and_none_is_lost)
{
    shared_limit_set_max(limit, THREAD_MAX);
    run_threads(take_and_give, _i == 0 ? NULL : reload);
    ck_assert(!atomic_load(&were_too_many));
    ck_assert_int_eq(atomic_load(&taken), 0);
    expect_takes(1, THREAD_MAX);
    expect_full();
}
END_TEST

static void *take_all(void *arg)
{
    unsigned holder = *(const unsigned *)arg;
    while (shared_limit_take(limit, holder))
        atomic_fetch_add(&taken, 1);
    return NULL;
}

START_TEST(all_are_found)
{
    for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
        shared_limit_set_max(limit, maxima[i]);
        run_threads(take_all, NULL);
        ck_assert_uint_eq((size_t)atomic_load(&taken), maxima[i]);
        expect_full();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shared_limit");
    TCase *tests = tcase_create("shared_limit");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, one_worker_may_have_all, 0, ARRAY_LEN(maxima));
    tcase_add_loop_test(tests, all_workers_may_have_all, 0, ARRAY_LEN(maxima));
    tcase_add_loop_test(tests, a_stock_keeps_nothing_from_others, 0, ARRAY_LEN(maxima));
    tcase_add_test(tests, no_limit);
    tcase_add_test(tests, lowered);
    tcase_add_test(tests, raised);
    tcase_add_loop_test(tests, never_more_and_none_is_lost, 0, 2);
    tcase_add_test(tests, all_are_found);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
