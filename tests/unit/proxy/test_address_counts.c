/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/address_counts.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct address_counts *counts;

static void open_counts(void)
{
    counts = address_counts_new();
    ck_assert_ptr_nonnull(counts);
}

static void close_counts(void)
{
    address_counts_free(&counts);
    ck_assert_ptr_null(counts);
}

static uint64_t key_of(const char *text, uint16_t port)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        memcpy(&address, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        memcpy(&address, &v6, sizeof v6);
    return address_counts_key(counts, (const struct sockaddr *)&address);
}

START_TEST(an_address_and_its_limit)
{
    uint64_t one = key_of("192.0.2.1", 1);
    uint64_t other = key_of("192.0.2.2", 1);
    for (int i = 0; i < 3; i++)
        ck_assert(address_counts_add(counts, one, 3));
    ck_assert(!address_counts_add(counts, one, 3));
    ck_assert(!address_counts_add(counts, one, 3));
    ck_assert(address_counts_add(counts, other, 3));
    address_counts_drop(counts, one);
    ck_assert(address_counts_add(counts, one, 3));
    ck_assert(!address_counts_add(counts, one, 3));
    /* Without a limit it is counted all the same. */
    ck_assert(address_counts_add(counts, one, 0));
    ck_assert(!address_counts_add(counts, one, 4));
    ck_assert(address_counts_add(counts, one, 5));
}
END_TEST

START_TEST(what_is_one_address)
{
    ck_assert(key_of("192.0.2.1", 1) == key_of("192.0.2.1", 2));
    ck_assert(key_of("192.0.2.1", 1) != key_of("192.0.2.129", 1));
    ck_assert(key_of("2001:db8:0:1::1", 1) == key_of("2001:db8:0:1:ffff:ffff:ffff:ffff", 9));
    ck_assert(key_of("2001:db8:0:1::1", 1) != key_of("2001:db8:0:2::1", 1));
    /* 192.0.2.1 and the /64 of the same first octets. */
    ck_assert(key_of("192.0.2.1", 1) != key_of("c000:0201::", 1));
}
END_TEST

/* Nobody is taken for another as long as those that are at their limit are few. */
START_TEST(many_addresses)
{
    enum { MANY = 100, LIMIT = 5, OTHERS = 20000 };
    unsigned refused = 0;
    char text[INET_ADDRSTRLEN];
    for (uint32_t i = 0; i < MANY; i++) {
        struct in_addr address = {htonl(0x0a000000u + i)};
        uint64_t key = key_of(inet_ntop(AF_INET, &address, text, sizeof text), 1);
        for (int j = 0; j < LIMIT; j++)
            refused += !address_counts_add(counts, key, LIMIT);
        ck_assert(!address_counts_add(counts, key, LIMIT));
    }
    for (uint32_t i = 0; i < OTHERS; i++) {
        struct in_addr address = {htonl(0x0b000000u + i)};
        uint64_t key = key_of(inet_ntop(AF_INET, &address, text, sizeof text), 1);
        if (address_counts_add(counts, key, LIMIT))
            address_counts_drop(counts, key);
        else
            refused++;
    }
    /* 0.05 are to be expected; that there are 5 is a matter of 10^-9. */
    ck_assert_uint_lt(refused, 5);
}
END_TEST

static void *add_and_drop(void *arg)
{
    uint64_t key = *(uint64_t *)arg;
    size_t held = 0;
    for (int i = 0; i < 20000; i++) {
        held += address_counts_add(counts, key, 100);
        if (held > 20 || (held > 0 && i % 3 == 0)) {
            address_counts_drop(counts, key);
            held--;
        }
    }
    while (held-- > 0)
        address_counts_drop(counts, key);
    return NULL;
}

START_TEST(several_threads)
{
    uint64_t key = key_of("2001:db8::1", 1);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, add_and_drop, &key), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    /* All of it was given back. */
    ck_assert(address_counts_add(counts, key, 1));
    ck_assert(!address_counts_add(counts, key, 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address_counts");
    TCase *tests = tcase_create("counts");
    tcase_add_checked_fixture(tests, open_counts, close_counts);
    tcase_add_test(tests, an_address_and_its_limit);
    tcase_add_test(tests, what_is_one_address);
    tcase_add_test(tests, many_addresses);
    tcase_add_test(tests, several_threads);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
