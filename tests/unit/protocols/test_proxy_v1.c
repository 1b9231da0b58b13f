/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "protocols/proxy_protocol/proxy_v1.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    struct proxy_v1 header;
    const char *line;
} headers[] = {
    {{"203.0.113.5", "192.0.2.1", 4711, 993}, "PROXY TCP4 203.0.113.5 192.0.2.1 4711 993\r\n"},
    {{"255.255.255.255", "255.255.255.255", 65535, 65535},
     "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"},
    {{"2001:db8::1", "::1", 1, 0}, "PROXY TCP6 2001:db8::1 ::1 1 0\r\n"},
    {{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535, 65535},
     "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
     "65535\r\n"},
    {{"203.0.113.5", "2001:db8::1", 1, 2}, "PROXY UNKNOWN\r\n"},
    {{"2001:db8::1", "192.0.2.1", 1, 2}, "PROXY UNKNOWN\r\n"},
    {{NULL, "192.0.2.1", 1, 2}, "PROXY UNKNOWN\r\n"},
    {{"192.0.2.1", NULL, 1, 2}, "PROXY UNKNOWN\r\n"},
    {{NULL, NULL, 0, 0}, "PROXY UNKNOWN\r\n"},
};

/* HAProxy's doc/proxy-protocol.txt, section 2.1. */
START_TEST(writes_what_the_specification_has)
{
    char line[PROXY_V1_MAX + 1];
    size_t len = proxy_v1_write(&headers[_i].header, line);
    ck_assert_uint_le(len, PROXY_V1_MAX);
    ck_assert_uint_eq(len, strlen(line));
    ck_assert_str_eq(line, headers[_i].line);
}
END_TEST

/* What is too long for the protocol is not cut: half an address would be another one. */
START_TEST(never_more_than_its_limit)
{
    char line[PROXY_V1_MAX + 1];
    char address[80];
    memset(address, '1', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    struct proxy_v1 header = {address, address, 1, 2};
    ck_assert_uint_eq(proxy_v1_write(&header, line), strlen("PROXY UNKNOWN\r\n"));
    ck_assert_str_eq(line, "PROXY UNKNOWN\r\n");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("header");
    tcase_add_loop_test(tcase, writes_what_the_specification_has, 0, ARRAY_LEN(headers));
    tcase_add_test(tcase, never_more_than_its_limit);
    Suite *suite = suite_create("proxy_v1");
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
