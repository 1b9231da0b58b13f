/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "base/ip_literal.h"
#include "run_suite.h"

static const char *const v4[] = {"0.0.0.0", "192.0.2.1", "255.255.255.255"};
static const char *const v6[] = {"::",
                                 "::1",
                                 "2001:db8::1",
                                 "1:2:3:4:5:6:7:8",
                                 "1:2:3:4:5:6:7::",
                                 "::ffff:192.0.2.1",
                                 "1:2:3:4:5:6:192.0.2.1",
                                 "abcd:ABCD:abcd:ABCD:abcd:ABCD:255.255.255.255"};
static const char *const neither[] = {"",
                                      " ",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.256",
                                      "1.2.3.04",
                                      "1.2.3.4 ",
                                      " 1.2.3.4",
                                      "0x1.2.3.4",
                                      ":",
                                      ":::",
                                      "1::2::3",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1:2:3:4:5:6:7:8::",
                                      "12345::",
                                      "g::",
                                      "[::1]",
                                      "::1%lo",
                                      "::1/128",
                                      "1.2.3.4::",
                                      "abcd:abcd:abcd:abcd:abcd:abcd:255.255.255.255.255",
                                      "localhost"};

START_TEST(addresses)
{
    for (size_t i = 0; i < ARRAY_LEN(v4); i++)
        ck_assert_msg(ip_literal_is_ipv4(slice_of(v4[i])) && !ip_literal_is_ipv6(slice_of(v4[i])), "%s",
                      v4[i]);
    for (size_t i = 0; i < ARRAY_LEN(v6); i++)
        ck_assert_msg(ip_literal_is_ipv6(slice_of(v6[i])) && !ip_literal_is_ipv4(slice_of(v6[i])), "%s",
                      v6[i]);
    for (size_t i = 0; i < ARRAY_LEN(neither); i++)
        ck_assert_msg(!ip_literal_is_ipv6(slice_of(neither[i])) && !ip_literal_is_ipv4(slice_of(neither[i])),
                      "%s", neither[i]);
}
END_TEST

START_TEST(a_nul_ends_no_address)
{
    static const uint8_t text[] = "192.0.2.1\0::1";
    ck_assert(!ip_literal_is_ipv4((struct slice){text, sizeof text - 1}));
    ck_assert(!ip_literal_is_ipv4((struct slice){text, 10}));
    ck_assert(ip_literal_is_ipv4((struct slice){text, 9})); /* the slice's end is the text's */
    ck_assert(!ip_literal_is_ipv4((struct slice){NULL, 0}));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ip_literal");
    TCase *tests = tcase_create("ip_literal");
    tcase_add_test(tests, addresses);
    tcase_add_test(tests, a_nul_ends_no_address);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
