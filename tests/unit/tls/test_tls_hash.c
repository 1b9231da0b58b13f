/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_hash.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

/* Appendix A of the paper on SipHash (Aumasson, Bernstein 2012). */
START_TEST(known_answer)
{
    struct tls_hash_key key;
    uint8_t octets[16];
    for (uint8_t i = 0; i < 16; i++)
        octets[i] = i;
    memcpy(key.words, octets, sizeof key.words);
    ck_assert(tls_hash(&key, (struct slice){octets, 15}) == 0xa129ca6149be45e5u);
}
END_TEST

START_TEST(keys_differ)
{
    struct tls_hash_key one = tls_hash_new_key();
    struct tls_hash_key other = tls_hash_new_key();
    ck_assert(tls_hash(&one, slice_of("192.0.2.1")) == tls_hash(&one, slice_of("192.0.2.1")));
    ck_assert(tls_hash(&one, slice_of("192.0.2.1")) != tls_hash(&other, slice_of("192.0.2.1")));
    ck_assert(tls_hash(&one, slice_of("192.0.2.1")) != tls_hash(&one, slice_of("192.0.2.2")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_hash");
    TCase *tests = tcase_create("hash");
    tcase_add_test(tests, known_answer);
    tcase_add_test(tests, keys_differ);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
