/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tickets/tls_ticket_set.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

static struct tls_ticket_key key_of(uint8_t number)
{
    struct tls_ticket_key key;
    memset(key.name, number, sizeof key.name);
    memset(key.aes, number + 1, sizeof key.aes);
    memset(key.hmac, number + 2, sizeof key.hmac);
    return key;
}

static struct tls_ticket_set set_of(uint8_t first, unsigned count)
{
    struct tls_ticket_set set = {0};
    for (unsigned i = 0; i < count; i++) {
        struct tls_ticket_key key = key_of((uint8_t)(first + i));
        tls_ticket_set_add(&set, &key);
    }
    return set;
}

START_TEST(the_oldest_of_four_goes)
{
    struct tls_ticket_set set = set_of(10, 4);
    ck_assert_uint_eq(set.count, 3);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(set.keys[i].name[0], 11 + i);
    ck_assert_uint_eq(set.keys[2].aes[31], 14);
    ck_assert_uint_eq(set.keys[2].hmac[31], 15);
}
END_TEST

START_TEST(keys_are_found_by_the_whole_name)
{
    struct tls_ticket_set set = set_of(10, 2);
    struct tls_ticket_key key = key_of(11);
    ck_assert_uint_eq(tls_ticket_set_find(&set, key.name), 1);
    key.name[15] ^= 1;
    ck_assert_uint_eq(tls_ticket_set_find(&set, key.name), TLS_TICKET_KEYS);
    /* What is after the count is no key, even if its octets fit. */
    static const uint8_t zeroes[TLS_TICKET_NAME];
    ck_assert_uint_eq(tls_ticket_set_find(&set, zeroes), TLS_TICKET_KEYS);
}
END_TEST

START_TEST(sets_that_differ_in_anything_differ)
{
    struct tls_ticket_set set = set_of(10, 3);
    struct tls_ticket_set other = set;
    ck_assert(tls_ticket_set_equals(&set, &other));
    other.keys[1].hmac[7] ^= 1;
    ck_assert(!tls_ticket_set_equals(&set, &other));
    other = set;
    other.sealing = 1;
    ck_assert(!tls_ticket_set_equals(&set, &other));
    other = set_of(10, 2);
    ck_assert(!tls_ticket_set_equals(&set, &other));
}
END_TEST

START_TEST(new_keys_are_all_different)
{
    struct tls_ticket_set set = {0};
    static const uint8_t zeroes[TLS_TICKET_SECRET];
    for (unsigned i = 0; i < 3; i++)
        tls_ticket_set_add_new(&set);
    for (unsigned i = 0; i < 3; i++) {
        const struct tls_ticket_key *key = &set.keys[i];
        const struct tls_ticket_key *next = &set.keys[(i + 1) % 3];
        ck_assert_mem_ne(key->name, next->name, sizeof key->name);
        ck_assert_mem_ne(key->aes, next->aes, sizeof key->aes);
        ck_assert_mem_ne(key->hmac, next->hmac, sizeof key->hmac);
        ck_assert_mem_ne(key->aes, key->hmac, sizeof key->aes);
        ck_assert_mem_ne(key->aes + 16, zeroes, 16);
        ck_assert_mem_ne(key->hmac + 16, zeroes, 16);
    }
}
END_TEST

START_TEST(wiping_leaves_nothing)
{
    static const struct tls_ticket_set nothing;
    struct tls_ticket_set set = set_of(10, 3);
    tls_ticket_set_wipe(&set);
    ck_assert_mem_eq(&set, &nothing, sizeof set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_ticket_set");
    TCase *tests = tcase_create("set");
    tcase_add_test(tests, the_oldest_of_four_goes);
    tcase_add_test(tests, keys_are_found_by_the_whole_name);
    tcase_add_test(tests, sets_that_differ_in_anything_differ);
    tcase_add_test(tests, new_keys_are_all_different);
    tcase_add_test(tests, wiping_leaves_nothing);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
