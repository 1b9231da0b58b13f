/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/key_table.h"

#include "keys/keys_wire.h"
#include "run_suite.h"

#include <pthread.h>
#include <stdatomic.h>

/* Each test has a table of its own, as Check gives it a process of its own. */
static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    ck_assert_ptr_nonnull(key);
    return key;
}

static void set(uint32_t number, EVP_PKEY *key, enum sign_role role)
{
    ck_assert(key_table_set(number, (struct known_key){key, role}));
}

/* NULL: there is none. Not a reference. */
static const EVP_PKEY *get(uint32_t number, bool awaited)
{
    bool is_awaited = !awaited;
    struct known_key key = key_table_get(number, &is_awaited);
    ck_assert(is_awaited == awaited);
    EVP_PKEY_free(key.pkey);
    return key.pkey;
}

START_TEST(keys_have_their_numbers)
{
    static const uint32_t numbers[] = {0, 1, 15, 16, 17, 100000, KEYS_COUNT_MAX - 1};
    EVP_PKEY *keys[7];
    for (size_t i = 0; i < 7; i++) {
        ck_assert_ptr_null(get(numbers[i], true));
        set(numbers[i], keys[i] = new_key(), i % 2 == 0 ? SIGN_AS_SERVER : SIGN_AS_CLIENT);
    }
    for (size_t i = 0; i < 7; i++) {
        bool awaited = true;
        struct known_key key = key_table_get(numbers[i], &awaited);
        ck_assert_ptr_eq(key.pkey, keys[i]);
        ck_assert_int_eq(key.role, i % 2 == 0 ? SIGN_AS_SERVER : SIGN_AS_CLIENT);
        ck_assert(!awaited);
        EVP_PKEY_free(key.pkey);
    }
    ck_assert_ptr_null(get(2, true));
    ck_assert_ptr_null(get(99999, true));
    for (size_t i = 0; i < 7; i++)
        key_table_drop(numbers[i]);
}
END_TEST

/* A reference keeps the key alive, whatever happens to the table. */
START_TEST(a_key_in_use_outlives_its_place)
{
    bool awaited;
    set(3, new_key(), SIGN_AS_SERVER);
    struct known_key key = key_table_get(3, &awaited);
    EVP_PKEY *other = new_key();
    set(3, other, SIGN_AS_SERVER);
    ck_assert_ptr_eq(get(3, false), other);
    ck_assert_int_eq(EVP_PKEY_get_bits(key.pkey), 256);
    EVP_PKEY_free(key.pkey);
    key_table_drop(3);
    key_table_drop(3);
    key_table_drop(1000000);
    ck_assert_ptr_null(get(3, true));
}
END_TEST

START_TEST(a_number_that_is_too_high)
{
    EVP_PKEY *key = new_key();
    ck_assert(!key_table_set(KEYS_COUNT_MAX, (struct known_key){key, SIGN_AS_SERVER}));
    EVP_PKEY_free(key);
    ck_assert_ptr_null(get(KEYS_COUNT_MAX, false));
    ck_assert_ptr_null(get(UINT32_MAX, false));
    key_table_refuse(KEYS_COUNT_MAX);
    key_table_await(UINT32_MAX);
}
END_TEST

START_TEST(refused_numbers_are_not_awaited)
{
    key_table_refuse(7);
    ck_assert_ptr_null(get(7, false));
    ck_assert_ptr_null(get(6, true));
    ck_assert_ptr_null(get(8, true));
    key_table_await(7);
    EVP_PKEY *key = new_key();
    set(7, key, SIGN_AS_SERVER);
    ck_assert_ptr_eq(get(7, false), key);
    /* It is awaited as a new one is. */
    key_table_drop(7);
    ck_assert_ptr_null(get(7, true));
    set(7, new_key(), SIGN_AS_SERVER);
    key_table_complete();
    key_table_drop(7);
    ck_assert_ptr_null(get(7, false));
    ck_assert_ptr_null(get(8, false));
}
END_TEST

static _Atomic bool is_over;

static void *await(void *arg)
{
    key_table_await(*(const uint32_t *)arg);
    atomic_store(&is_over, true);
    return NULL;
}

/* What ends the waiting for a key, and what does not. */
START_TEST(a_thread_waits_for_its_key)
{
    static const uint32_t number = 5;
    pthread_t thread;
    atomic_store(&is_over, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, await, (void *)(uintptr_t)&number), 0);
    set(4, new_key(), SIGN_AS_SERVER);
    key_table_refuse(6);
    key_table_drop(5);
    ck_assert(!atomic_load(&is_over));
    if (_i == 0)
        set(5, new_key(), SIGN_AS_SERVER);
    else if (_i == 1)
        key_table_refuse(5);
    else
        key_table_complete();
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(atomic_load(&is_over));
    key_table_drop(4);
    key_table_drop(5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key_table");
    TCase *tests = tcase_create("key_table");
    tcase_add_test(tests, keys_have_their_numbers);
    tcase_add_test(tests, a_key_in_use_outlives_its_place);
    tcase_add_test(tests, a_number_that_is_too_high);
    tcase_add_test(tests, refused_numbers_are_not_awaited);
    tcase_add_loop_test(tests, a_thread_waits_for_its_key, 0, 3);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
