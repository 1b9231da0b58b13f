/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/refcount.h"
#include "run_suite.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 20000 };

START_TEST(last_one_frees)
{
    struct refcount references;
    refcount_init(&references);
    refcount_take(&references);
    refcount_take(&references);
    ck_assert(!refcount_drop(&references));
    ck_assert(!refcount_drop(&references));
    ck_assert(refcount_drop(&references));
}
END_TEST

static void *take_and_drop(void *arg)
{
    struct refcount *references = arg;
    for (int i = 0; i < ROUNDS; i++) {
        refcount_take(references);
        if (refcount_drop(references))
            return references;
    }
    return NULL;
}

/* The maker's reference holds the object whatever other threads do. */
START_TEST(several_threads)
{
    struct refcount references;
    pthread_t threads[THREADS];
    refcount_init(&references);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_drop, &references), 0);
    for (int i = 0; i < THREADS; i++) {
        void *was_last;
        pthread_join(threads[i], &was_last);
        ck_assert_ptr_null(was_last);
    }
    ck_assert(refcount_drop(&references));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("refcount");
    TCase *tests = tcase_create("refcount");
    tcase_add_test(tests, last_one_frees);
    tcase_add_test(tests, several_threads);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
