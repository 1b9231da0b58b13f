/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/keys_wire.h"
#include "proxy/keyclient/key_entries.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>

START_TEST(numbers_are_given_in_order_and_again)
{
    struct key_entries entries = {0};
    uint32_t number;
    for (uint32_t i = 0; i < 100; i++) {
        char path[16];
        snprintf(path, sizeof path, "key-%u", i);
        ck_assert(key_entries_add(&entries, path, i % 2 == 0 ? "words" : NULL, TLS_KEY_OF_SERVER, &number));
        ck_assert_uint_eq(number, i);
    }
    key_entries_drop(&entries, 7);
    key_entries_drop(&entries, 42);
    ck_assert_ptr_null(entries.items[42].path);
    ck_assert(key_entries_add(&entries, "new", NULL, TLS_KEY_OF_SERVER, &number));
    ck_assert_uint_eq(number, 42);
    ck_assert_str_eq(entries.items[42].path, "new");
    ck_assert_ptr_null(entries.items[42].passphrase_path);
    ck_assert_str_eq(entries.items[40].passphrase_path, "words");
    ck_assert(key_entries_add(&entries, "newer", "words", TLS_KEY_OF_SERVER, &number));
    ck_assert_uint_eq(number, 7);
    key_entries_free(&entries);
    ck_assert_uint_eq(entries.count, 0);
}
END_TEST

START_TEST(no_more_than_the_wire_has_numbers_for)
{
    struct key_entries entries = {0};
    uint32_t number;
    for (uint32_t i = 0; i < KEYS_COUNT_MAX; i++)
        ck_assert(key_entries_add(&entries, "", NULL, TLS_KEY_OF_SERVER, &number));
    ck_assert_uint_eq(number, KEYS_COUNT_MAX - 1);
    ck_assert(!key_entries_add(&entries, "", NULL, TLS_KEY_OF_SERVER, &number));
    key_entries_drop(&entries, 5);
    ck_assert(key_entries_add(&entries, "", NULL, TLS_KEY_OF_SERVER, &number));
    ck_assert_uint_eq(number, 5);
    key_entries_free(&entries);
}
END_TEST

START_TEST(public_halves)
{
    struct key_entries entries = {0};
    uint32_t number;
    ck_assert(key_entries_add(&entries, "key", NULL, TLS_KEY_OF_SERVER, &number));
    ck_assert(!key_entry_keep_public_half(&entries.items[number], slice_of("")));
    ck_assert(key_entry_keep_public_half(&entries.items[number], slice_of("half")));
    ck_assert(slice_equals((struct slice){entries.items[number].spki, entries.items[number].spki_len},
                           slice_of("half")));
    key_entries_free(&entries);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key_entries");
    TCase *tests = tcase_create("key_entries");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, numbers_are_given_in_order_and_again);
    tcase_add_test(tests, no_more_than_the_wire_has_numbers_for);
    tcase_add_test(tests, public_halves);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
