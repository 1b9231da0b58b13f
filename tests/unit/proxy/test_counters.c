/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/runtime/counters.h"

#include "base/slice.h"
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

/* A worker writes into no line of another. */
START_TEST(lines_of_their_own)
{
    static struct counters counters;
    ck_assert_uint_eq(sizeof counters.shards[0] % COUNTERS_LINE, 0);
    ck_assert_uint_eq((uintptr_t)&counters.shards[1] % COUNTERS_LINE, 0);
    ck_assert_uint_ge(sizeof counters.shards[0], COUNTERS * sizeof(uint64_t));
}
END_TEST

START_TEST(each_limit_has_its_counter)
{
    enum client_limit limit = (enum client_limit)_i;
    const struct counter_metric *metric = &counter_metrics[counters_of_limit(limit)];
    ck_assert(metric->is_of_limit);
    ck_assert_int_eq(metric->limit, limit);
    ck_assert_str_eq(metric->family, "deepproxy_overload_total");
}
END_TEST

/* Prometheus wants the samples of a family together, and one help text for them. */
START_TEST(families_are_together)
{
    for (size_t i = 0; i < COUNTERS; i++) {
        const struct counter_metric *metric = &counter_metrics[i];
        ck_assert_int_eq(metric->family == NULL, metric->help == NULL);
        for (size_t j = i + 1; metric->family != NULL && j < COUNTERS; j++) {
            if (!text_is_same(counter_metrics[j].family, metric->family))
                continue;
            ck_assert_str_eq(counter_metrics[j - 1].family, metric->family);
            ck_assert_str_eq(counter_metrics[j].help, metric->help);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counters");
    TCase *tests = tcase_create("counters");
    tcase_add_test(tests, of_all_workers);
    tcase_add_test(tests, what_is_open);
    tcase_add_test(tests, lines_of_their_own);
    tcase_add_loop_test(tests, each_limit_has_its_counter, 0, CLIENT_LIMITS);
    tcase_add_test(tests, families_are_together);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
