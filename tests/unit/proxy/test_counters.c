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

/* A worker writes into no line of another. */
START_TEST(lines_of_their_own)
{
    static struct counters counters;
    ck_assert_uint_eq(sizeof counters.shards[0] % COUNTERS_LINE, 0);
    ck_assert_uint_eq((uintptr_t)&counters.shards[1] % COUNTERS_LINE, 0);
    ck_assert_uint_ge(sizeof counters.shards[0], COUNTERS * sizeof(uint64_t));
}
END_TEST

static const struct counter_family *family_of(enum counter counter, const char **value)
{
    for (size_t i = 0; i < COUNTER_FAMILIES; i++) {
        const struct counter_family *family = &counter_families[i];
        if (counter < family->first || counter >= family->first + family->count)
            continue;
        *value = family->label != NULL ? family->value(counter - family->first) : NULL;
        return family;
    }
    return NULL;
}

START_TEST(each_limit_has_its_counter)
{
    const char *value;
    const struct counter_family *family = family_of(counters_of_limit((enum client_limit)_i), &value);
    ck_assert_str_eq(family->name, "deepproxy_overload_total");
    ck_assert_str_eq(value, client_limit_name((enum client_limit)_i));
}
END_TEST

START_TEST(each_refusal_has_its_counter)
{
    const char *value;
    const struct counter_family *family = family_of(counters_of_refusal((enum refusal)_i), &value);
    ck_assert_str_eq(family->name, "deepproxy_refused_total");
    ck_assert_str_eq(value, refusal_name((enum refusal)_i));
}
END_TEST

START_TEST(each_failure_has_its_counter)
{
    const char *value;
    const struct counter_family *family = family_of(counters_of_failure((enum tls_failure)_i), &value);
    ck_assert_str_eq(family->name, "deepproxy_handshakes_failed_total");
    ck_assert_str_eq(value, tls_failure_name((enum tls_failure)_i));
    ck_assert_ptr_nonnull(family_of(COUNTER_FAILED_TIMEOUT, &value));
    ck_assert_str_eq(value, "timeout");
}
END_TEST

/* Each counter but one is a sample, and no two are the same one. */
START_TEST(each_counter_is_in_one_family)
{
    size_t covered = 0;
    for (size_t i = 0; i < COUNTER_FAMILIES; i++) {
        const struct counter_family *family = &counter_families[i];
        covered += family->count;
        ck_assert_uint_gt(family->count, 0);
        ck_assert_int_eq(family->label == NULL, family->count == 1);
        for (size_t j = 0; j < family->count; j++)
            for (size_t k = 0; k < j; k++)
                ck_assert_str_ne(family->value(j), family->value(k));
    }
    ck_assert_uint_eq(covered, COUNTERS - 1);
    for (enum counter i = (enum counter)0; i < COUNTERS; i++) {
        const char *value;
        ck_assert_int_eq(family_of(i, &value) == NULL, i == COUNTER_ENDED);
    }
}
END_TEST

/* What is not in the tables is counted as one value, so that a peer can't make a new one. */
START_TEST(what_handshakes_have_negotiated)
{
    static const struct {
        uint16_t version, cipher, group;
        const char *names[3];
    } cases[] = {
        {0x0304, 0x1301, 29, {"TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519"}},
        {0x0303, 0xc030, 23, {"TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "P-256"}},
        {0x0301, 0xc013, 24, {"TLSv1", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "P-384"}},
        {0x0300, 0x0005, 0, {"other", "other", "other"}},
        {0xffff, 0xffff, 0xffff, {"other", "other", "other"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct counters *counters = counters_new();
        struct tls_usage usage = tls_usage_of(cases[i].version, cases[i].cipher, cases[i].group);
        counters_add_usage(counters, 0, usage);
        size_t found = 0;
        for (enum counter counter = COUNTER_TLS_VERSIONS; counter < COUNTERS; counter++) {
            const char *value;
            if (counters_sum(counters, counter) == 0)
                continue;
            ck_assert_ptr_nonnull(family_of(counter, &value));
            ck_assert_uint_lt(found, 3);
            ck_assert_str_eq(value, cases[i].names[found++]);
        }
        ck_assert_uint_eq(found, 3);
        counters_unref(&counters);
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
    tcase_add_loop_test(tests, each_refusal_has_its_counter, 0, REFUSALS);
    tcase_add_loop_test(tests, each_failure_has_its_counter, TLS_FAILURE_NONE + 1, TLS_FAILURES);
    tcase_add_test(tests, each_counter_is_in_one_family);
    tcase_add_test(tests, what_handshakes_have_negotiated);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
