/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "proxy/common/address.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static struct sockaddr_storage make(int family, const char *host, uint16_t port)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (family == AF_INET) {
        ck_assert_int_eq(inet_pton(AF_INET, host, &v4.sin_addr), 1);
        memcpy(&address, &v4, sizeof v4);
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, host, &v6.sin6_addr), 1);
        memcpy(&address, &v6, sizeof v6);
    }
    return address;
}

static const struct {
    int family;
    const char *host;
    uint16_t port;
    const char *text;
    const char *unmapped;
} addresses[] = {
    {AF_INET, "192.0.2.1", 993, "192.0.2.1:993", "192.0.2.1:993"},
    {AF_INET, "0.0.0.0", 0, "0.0.0.0:0", "0.0.0.0:0"},
    {AF_INET, "255.255.255.255", 65535, "255.255.255.255:65535", "255.255.255.255:65535"},
    {AF_INET6, "2001:db8::1", 993, "[2001:db8::1]:993", "[2001:db8::1]:993"},
    {AF_INET6, "::", 1, "[::]:1", "[::]:1"},
    {AF_INET6, "::1", 65535, "[::1]:65535", "[::1]:65535"},
    {AF_INET6, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
     "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {AF_INET6, "::ffff:192.0.2.1", 993, "[::ffff:192.0.2.1]:993", "192.0.2.1:993"},
    /* The IPv4-compatible form of old is no mapped address. */
    {AF_INET6, "::192.0.2.1", 993, "[::192.0.2.1]:993", "[::192.0.2.1]:993"},
    {AF_INET6, "64:ff9b::192.0.2.1", 993, "[64:ff9b::c000:201]:993", "[64:ff9b::c000:201]:993"},
};

START_TEST(address)
{
    char text[ADDRESS_TEXT_MAX];
    struct sockaddr_storage one = make(addresses[_i].family, addresses[_i].host, addresses[_i].port);
    address_format((const struct sockaddr *)&one, text);
    ck_assert_str_eq(text, addresses[_i].text);
    ck_assert_uint_eq(address_port((const struct sockaddr *)&one), addresses[_i].port);
    address_unmap(&one);
    address_format((const struct sockaddr *)&one, text);
    ck_assert_str_eq(text, addresses[_i].unmapped);
    ck_assert_uint_eq(address_port((const struct sockaddr *)&one), addresses[_i].port);
}
END_TEST

/* Every octet at every place is what the C library reads. */
START_TEST(every_octet_of_ipv4)
{
    for (uint32_t i = 0; i < 4 * 256; i++) {
        char text[ADDRESS_TEXT_MAX];
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(i % 256 << i / 256 * 8)};
        struct in_addr read;
        address_format_host((const struct sockaddr *)&v4, text);
        ck_assert_int_eq(inet_pton(AF_INET, text, &read), 1);
        ck_assert_uint_eq(read.s_addr, v4.sin_addr.s_addr);
    }
}
END_TEST

START_TEST(another_family)
{
    char text[ADDRESS_TEXT_MAX];
    struct sockaddr_storage unknown = {.ss_family = AF_NETLINK};
    address_unmap(&unknown);
    address_format((const struct sockaddr *)&unknown, text);
    ck_assert_str_eq(text, "?");
    ck_assert_uint_eq(address_port((const struct sockaddr *)&unknown), 0);
}
END_TEST

/* Of any length, also of one that leaves no room for a NUL. */
START_TEST(unix_socket)
{
    char text[ADDRESS_TEXT_MAX];
    char expected[ADDRESS_TEXT_MAX] = "unix:";
    struct sockaddr_un named = {.sun_family = AF_UNIX, .sun_path = "/run/dovecot/imap"};
    address_format((const struct sockaddr *)&named, text);
    ck_assert_str_eq(text, "unix:/run/dovecot/imap");
    address_format_host((const struct sockaddr *)&named, text);
    ck_assert_str_eq(text, "?");
    ck_assert_uint_eq(address_port((const struct sockaddr *)&named), 0);
    memset(named.sun_path, 'x', sizeof named.sun_path);
    memset(expected + 5, 'x', sizeof named.sun_path);
    address_format((const struct sockaddr *)&named, text);
    ck_assert_str_eq(text, expected);
}
END_TEST

START_TEST(the_same_host)
{
    static const struct {
        int families[2];
        const char *hosts[2];
        bool is_same;
    } cases[] = {
        {{AF_INET, AF_INET}, {"127.0.0.1", "127.0.0.1"}, true},
        {{AF_INET, AF_INET}, {"127.0.0.1", "127.0.0.2"}, false},
        {{AF_INET6, AF_INET6}, {"2001:db8::1", "2001:db8::1"}, true},
        {{AF_INET6, AF_INET6}, {"2001:db8::1", "2001:db8:0:1::1"}, false},
        {{AF_INET, AF_INET6}, {"127.0.0.1", "::1"}, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sockaddr_storage one = make(cases[i].families[0], cases[i].hosts[0], 4711);
        struct sockaddr_storage other = make(cases[i].families[1], cases[i].hosts[1], 993);
        ck_assert_int_eq(address_is_same_host((const struct sockaddr *)&one, (const struct sockaddr *)&other),
                         cases[i].is_same);
    }
    struct sockaddr_storage unknown = {.ss_family = AF_UNIX};
    ck_assert(!address_is_same_host((const struct sockaddr *)&unknown, (const struct sockaddr *)&unknown));
}
END_TEST

START_TEST(in_networks)
{
    static struct network list[2];
    struct networks networks = {list, ARRAY_LEN(list)};
    ck_assert_int_eq(network_read(slice_of("192.0.2.0/24"), &list[0]), NETWORK_GOOD);
    ck_assert_int_eq(network_read(slice_of("2001:db8::/32"), &list[1]), NETWORK_GOOD);
    networks_sort(&networks);
    static const struct {
        int family;
        const char *host;
        bool is_in;
    } cases[] = {
        {AF_INET, "192.0.2.255", true},      {AF_INET, "192.0.3.0", false}, {AF_INET6, "2001:db8::1", true},
        {AF_INET6, "2001:db9::1", false},    {AF_INET6, "::", false},       {AF_INET6, "c000:200::", false},
        {AF_INET6, "::ffff:192.0.2.1", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sockaddr_storage one = make(cases[i].family, cases[i].host, 993);
        address_unmap(&one);
        ck_assert_int_eq(address_is_in((const struct sockaddr *)&one, &networks), cases[i].is_in);
    }
    struct sockaddr_storage unknown = {.ss_family = AF_UNIX};
    ck_assert(!address_is_in((const struct sockaddr *)&unknown, &networks));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *tests = tcase_create("address");
    tcase_add_loop_test(tests, address, 0, ARRAY_LEN(addresses));
    tcase_add_test(tests, every_octet_of_ipv4);
    tcase_add_test(tests, another_family);
    tcase_add_test(tests, unix_socket);
    tcase_add_test(tests, the_same_host);
    tcase_add_test(tests, in_networks);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
