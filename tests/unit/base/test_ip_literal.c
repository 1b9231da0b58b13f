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

START_TEST(read_and_written)
{
    static const uint8_t of_v4[] = {192, 0, 2, 1};
    static const uint8_t of_v6[] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    uint8_t octets[IP_LITERAL_IPV6_OCTETS];
    char text[IP_LITERAL_TEXT_MAX];
    ck_assert(ip_literal_read_ipv4(slice_of("192.0.2.1"), octets));
    ck_assert_mem_eq(octets, of_v4, sizeof of_v4);
    ip_literal_write(false, octets, text);
    ck_assert_str_eq(text, "192.0.2.1");
    ck_assert(ip_literal_read_ipv6(slice_of("2001:DB8:0::1"), octets));
    ck_assert_mem_eq(octets, of_v6, sizeof of_v6);
    ip_literal_write(true, octets, text);
    ck_assert_str_eq(text, "2001:db8::1");
    ck_assert(!ip_literal_read_ipv4(slice_of("2001:db8::1"), octets));
    ck_assert(!ip_literal_read_ipv6(slice_of("192.0.2.1"), octets));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ip_literal");
    TCase *tests = tcase_create("ip_literal");
    tcase_add_test(tests, addresses);
    tcase_add_test(tests, a_nul_ends_no_address);
    tcase_add_test(tests, read_and_written);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
