/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/networks.h"

#include "base/array.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    enum network_fault fault;
    const char *network; /* as it is written; NULL: there is none */
} texts[] = {
    {"10.1.0.0/16", NETWORK_GOOD, "10.1.0.0/16"},
    {"10.1.2.3", NETWORK_GOOD, "10.1.2.3/32"},
    {"10.1.2.3/32", NETWORK_GOOD, "10.1.2.3/32"},
    {"0.0.0.0/0", NETWORK_GOOD, "0.0.0.0/0"},
    {"fd00::/8", NETWORK_GOOD, "fd00::/8"},
    {"2001:DB8::/32", NETWORK_GOOD, "2001:db8::/32"},
    {"::1", NETWORK_GOOD, "::1/128"},
    {"::/0", NETWORK_GOOD, "::/0"},
    {"::ffff:10.1.0.0/112", NETWORK_GOOD, "10.1.0.0/16"},
    {"::ffff:10.1.2.3", NETWORK_GOOD, "10.1.2.3/32"},
    {"::ffff:0:0/96", NETWORK_GOOD, "0.0.0.0/0"},
    {"::/95", NETWORK_GOOD, "::/95"},
    {"10.1.2.3/16", NETWORK_HOST_BITS, "10.1.0.0/16"},
    {"10.1.0.1/31", NETWORK_HOST_BITS, "10.1.0.0/31"},
    {"10.0.0.0/6", NETWORK_HOST_BITS, "8.0.0.0/6"},
    {"1.0.0.0/0", NETWORK_HOST_BITS, "0.0.0.0/0"},
    {"fd00::1/8", NETWORK_HOST_BITS, "fd00::/8"},
    {"2001:db8::8000:0:0:0/64", NETWORK_HOST_BITS, "2001:db8::/64"},
    {"2001:db8:0:1::/63", NETWORK_HOST_BITS, "2001:db8::/63"},
    {"::ffff:10.1.2.3/112", NETWORK_HOST_BITS, "10.1.0.0/16"},
    {"::ffff:10.1.0.0/16", NETWORK_HOST_BITS, "::/16"}, /* the length is IPv6's */
    {"", NETWORK_NO_ADDRESS, NULL},
    {"/8", NETWORK_NO_ADDRESS, NULL},
    {"10.1/16", NETWORK_NO_ADDRESS, NULL},
    {"10.1.0.256/16", NETWORK_NO_ADDRESS, NULL},
    {"010.1.0.0/16", NETWORK_NO_ADDRESS, NULL},
    {"[fd00::]/8", NETWORK_NO_ADDRESS, NULL},
    {"fe80::%eth0/64", NETWORK_NO_ADDRESS, NULL},
    {"localhost", NETWORK_NO_ADDRESS, NULL},
    {"10.1.0.0/", NETWORK_NO_LENGTH, NULL},
    {"10.1.0.0/33", NETWORK_NO_LENGTH, NULL},
    {"fd00::/129", NETWORK_NO_LENGTH, NULL},
    {"10.1.0.0/016", NETWORK_NO_LENGTH, NULL},
    {"10.1.0.0/-1", NETWORK_NO_LENGTH, NULL},
    {"10.1.0.0/255.255.0.0", NETWORK_NO_LENGTH, NULL},
    {"10.1.0.0/16/", NETWORK_NO_LENGTH, NULL},
    {"10.1.0.0/16 ", NETWORK_NO_LENGTH, NULL},
};

START_TEST(reads_and_writes)
{
    struct network network;
    char written[NETWORK_TEXT_MAX];
    enum network_fault fault = network_read(slice_of(texts[_i].text), &network);
    ck_assert_msg(fault == texts[_i].fault, "%s: %d", texts[_i].text, fault);
    if (texts[_i].network == NULL)
        return;
    network_write(&network, written);
    ck_assert_str_eq(written, texts[_i].network);
}
END_TEST

enum { LIST_MAX = 64 };
static struct network list[LIST_MAX];

static struct networks make(const char *const *from, size_t count)
{
    struct networks networks = {list, count};
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(network_read(slice_of(from[i]), &list[i]), NETWORK_GOOD);
    networks_sort(&networks);
    return networks;
}

static bool have(const struct networks *networks, const char *address)
{
    uint8_t octets[IP_LITERAL_IPV6_OCTETS];
    bool is_ipv6 = ip_literal_read_ipv6(slice_of(address), octets);
    ck_assert(is_ipv6 || ip_literal_read_ipv4(slice_of(address), octets));
    return networks_have(networks, is_ipv6, octets);
}

START_TEST(borders)
{
    static const char *const of[] = {"192.0.2.0/24", "10.0.0.128/25", "fd00::/8", "2001:db8::/33",
                                     "10.0.0.5",     "10.0.0.0/30",   "::1"};
    static const char *const in[] = {
        "192.0.2.0",         "192.0.2.255",  "10.0.0.128", "10.0.0.255", "fd00::", "10.0.0.5",
        "2001:db8:7fff::ff", "fdff:ffff::1", "10.0.0.3",   "10.0.0.0",   "::1"};
    static const char *const out[] = {
        "192.0.1.255", "192.0.3.0", "10.0.0.127",      "10.0.1.0", "fe00::",  "10.0.0.4", "10.0.0.6",
        "::",          "::2",       "2001:db8:8000::", "0.0.0.0",  "0.0.0.1", "fcff::",   "255.255.255.255"};
    struct networks networks = make(of, ARRAY_LEN(of));
    ck_assert_uint_eq(networks.count, ARRAY_LEN(of));
    for (size_t i = 0; i < ARRAY_LEN(in); i++)
        ck_assert_msg(have(&networks, in[i]), "%s", in[i]);
    for (size_t i = 0; i < ARRAY_LEN(out); i++)
        ck_assert_msg(!have(&networks, out[i]), "%s", out[i]);
}
END_TEST

/* The families are apart: neither's whole has any of the other's. */
START_TEST(families)
{
    static const char *const v4[] = {"0.0.0.0/0"};
    static const char *const v6[] = {"::/0"};
    struct networks all_v4 = make(v4, 1);
    ck_assert(have(&all_v4, "203.0.113.9") && !have(&all_v4, "::") && !have(&all_v4, "2001:db8::1"));
    struct networks all_v6 = make(v6, 1);
    ck_assert(have(&all_v6, "2001:db8::1") && have(&all_v6, "::") && !have(&all_v6, "203.0.113.9"));
    struct networks none = {0};
    networks_sort(&none);
    ck_assert(!have(&none, "203.0.113.9") && !have(&none, "::"));
}
END_TEST

START_TEST(networks_in_networks)
{
    static const char *const of[] = {"10.1.2.0/24", "10.0.0.0/8", "10.0.0.0/16", "10.255.0.0/16",
                                     "11.0.0.0/8",  "10.0.0.0/8", "10.1.2.3"};
    struct networks networks = make(of, ARRAY_LEN(of));
    ck_assert_uint_eq(networks.count, 2);
    ck_assert(have(&networks, "10.1.2.3") && have(&networks, "10.254.0.1") && have(&networks, "11.9.9.9"));
    ck_assert(!have(&networks, "12.0.0.0") && !have(&networks, "9.255.255.255"));
}
END_TEST

/* Lists at random, and each address looked up by walking the list as it was. */
START_TEST(as_by_walking)
{
    static struct network as_it_was[LIST_MAX];
    srand(12);
    for (int round = 0; round < 500; round++) {
        struct networks networks = {list, 1 + (size_t)rand() % LIST_MAX};
        for (size_t i = 0; i < networks.count; i++) {
            char text[NETWORK_TEXT_MAX];
            snprintf(text, sizeof text, "%d.%d.%d.%d/%d", rand() % 2, rand() % 4 * 64, rand() % 4 * 64,
                     rand() % 256, rand() % 33);
            enum network_fault fault = network_read(slice_of(text), &list[i]);
            ck_assert(fault == NETWORK_GOOD || fault == NETWORK_HOST_BITS);
            as_it_was[i] = list[i];
        }
        size_t count = networks.count;
        networks_sort(&networks);
        for (int i = 0; i < 200; i++) {
            uint8_t octets[IP_LITERAL_IPV6_OCTETS] = {(uint8_t)(rand() % 2), (uint8_t)(rand() % 256),
                                                      (uint8_t)(rand() % 256), (uint8_t)(rand() % 256)};
            bool is_in = false;
            for (size_t j = 0; j < count; j++) {
                struct networks one = {&as_it_was[j], 1};
                is_in = is_in || networks_have(&one, false, octets);
            }
            ck_assert_int_eq(networks_have(&networks, false, octets), is_in);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("networks");
    TCase *tests = tcase_create("networks");
    tcase_add_loop_test(tests, reads_and_writes, 0, ARRAY_LEN(texts));
    tcase_add_test(tests, borders);
    tcase_add_test(tests, families);
    tcase_add_test(tests, networks_in_networks);
    tcase_add_test(tests, as_by_walking);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
