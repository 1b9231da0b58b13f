/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/counts.h"

#include "run_suite.h"

#include <pthread.h>

enum { WORKERS = COUNTS_SHARDS + 4, EACH = 20000 };

struct work {
    struct counts *counts;
    unsigned worker;
};

static void *count(void *arg)
{
    const struct work *work = arg;
    for (int i = 0; i < EACH; i++) {
        counts_add(work->counts, work->worker, COUNTS_SESSIONS);
        counts_add(work->counts, work->worker, counts_of_limit(OVERLOAD_CONNECTIONS));
        counts_add(work->counts, work->worker, COUNTS_ENDED);
    }
    return NULL;
}

/* More workers than lines: some share one, and nothing is lost. */
START_TEST(of_all_workers)
{
    struct counts *counts = counts_new();
    struct work works[WORKERS];
    pthread_t threads[WORKERS];
    ck_assert_ptr_nonnull(counts);
    for (unsigned i = 0; i < WORKERS; i++) {
        works[i] = (struct work){counts, i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count, &works[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(counts_sum(counts, COUNTS_SESSIONS), (uint64_t)WORKERS * EACH);
    ck_assert_uint_eq(counts_sum(counts, counts_of_limit(OVERLOAD_CONNECTIONS)), (uint64_t)WORKERS * EACH);
    ck_assert_uint_eq(counts_sum(counts, COUNTS_HANDSHAKES), 0);
    ck_assert_uint_eq(counts_open_sessions(counts), 0);
    counts_unref(&counts);
}
END_TEST

START_TEST(what_is_open)
{
    struct counts *counts = counts_new();
    struct counts *other = counts_ref(counts);
    counts_unref(&other);
    ck_assert_ptr_null(other);
    for (unsigned i = 0; i < 5; i++)
        counts_add(counts, i, COUNTS_SESSIONS);
    ck_assert_uint_eq(counts_open_sessions(counts), 5);
    for (unsigned i = 0; i < 6; i++)
        counts_add(counts, 0, COUNTS_ENDED);
    ck_assert_uint_eq(counts_open_sessions(counts), 0);
    counts_unref(&counts);
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
