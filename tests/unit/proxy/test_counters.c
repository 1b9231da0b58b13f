/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/counters.h"

#include "run_suite.h"

#include <pthread.h>

enum { WORKERS = COUNTERS_SHARDS + 4, EACH = 20000 };

struct work {
    struct counters *counters;
    unsigned worker;
};

static void *count(void *arg)
{
    const struct work *work = arg;
    for (int i = 0; i < EACH; i++) {
        counters_add(work->counters, work->worker, COUNTER_SESSIONS);
        counters_add(work->counters, work->worker, counters_of_limit(CLIENT_LIMIT_CONNECTIONS));
        counters_add(work->counters, work->worker, COUNTER_ENDED);
    }
    return NULL;
}

/* More workers than lines: some share one, and nothing is lost. */
START_TEST(of_all_workers)
{
    struct counters *counters = counters_new();
    struct work works[WORKERS];
    pthread_t threads[WORKERS];
    ck_assert_ptr_nonnull(counters);
    for (unsigned i = 0; i < WORKERS; i++) {
        works[i] = (struct work){counters, i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count, &works[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(counters_sum(counters, COUNTER_SESSIONS), (uint64_t)WORKERS * EACH);
    ck_assert_uint_eq(counters_sum(counters, counters_of_limit(CLIENT_LIMIT_CONNECTIONS)),
                      (uint64_t)WORKERS * EACH);
    ck_assert_uint_eq(counters_sum(counters, COUNTER_HANDSHAKES), 0);
    ck_assert_uint_eq(counters_open_sessions(counters), 0);
    counters_unref(&counters);
}
END_TEST

START_TEST(what_is_open)
{
    struct counters *counters = counters_new();
    struct counters *other = counters_ref(counters);
    counters_unref(&other);
    ck_assert_ptr_null(other);
    for (unsigned i = 0; i < 5; i++)
        counters_add(counters, i, COUNTER_SESSIONS);
    ck_assert_uint_eq(counters_open_sessions(counters), 5);
    for (unsigned i = 0; i < 6; i++)
        counters_add(counters, 0, COUNTER_ENDED);
    ck_assert_uint_eq(counters_open_sessions(counters), 0);
    counters_unref(&counters);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counts");
    TCase *tests = tcase_create("counts");
    tcase_add_test(tests, of_all_workers);
    tcase_add_test(tests, what_is_open);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
