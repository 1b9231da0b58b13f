/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "config/cfg_limits.h"
#include "protocols/limits.h"

#include "cfg_file.h"
#include "run_suite.h"

#include <stdlib.h>

/* Line 1 to 3, and then what is tested. */
#define LIMITS(what) CFG_TLS CFG_IMAP_SERVICE CFG_POOL "limits = {\n " what "\n};\n"

static const struct cfg_case cases[] = {
    {"nothing", LIMITS(""), ""},
    {"no limits", LIMITS("handshakes = 0; handshakes_per_address = 0; connections_per_address = 0;"), ""},
    {"the largest", LIMITS("handshakes = 10000000; connections_per_address = 10000000;"), ""},
    {"too large", LIMITS("handshakes = 10000001;"),
     "F:5: error: \"handshakes\" is out of range, expected a number from 0 to 10000000\n"},
    {"lines as long as may be", LIMITS("imap_line = 10000000; sasl_line = 65536;"), ""},
    {"lines shorter than what RFCs have", LIMITS("imap_line = 8191; sasl_line = 12287;"),
     "F:5: error: \"imap_line\" is out of range, expected a number from 8192 to 10000000\n"
     "F:5: error: \"sasl_line\" is out of range, expected a number from 12288 to 65536\n"},
    {"negative", LIMITS("connections_per_address = -1;"),
     "F:5: error: \"connections_per_address\" is out of range, expected a number from 0 to 10000000\n"},
    {"a rate", LIMITS("connection_rate_per_address = 100000;"), ""},
    {"too high a rate", LIMITS("connection_rate_per_address = 100001;"),
     "F:5: error: \"connection_rate_per_address\" is out of range, expected a number from 0 to 100000\n"},
    {"a word", LIMITS("handshakes_per_address = \"many\";"),
     "F:5: error: \"handshakes_per_address\" is a string, expected a whole number from 0 to 10000000\n"},
    {"a misspelt key", LIMITS("handshake = 5;"),
     "F:5: error: unknown key \"handshake\" in limits; did you mean \"handshakes\"?\n"},
    {"a list", CFG_TLS CFG_IMAP_SERVICE CFG_POOL "limits = [ 1 ];\n",
     "F:4: error: \"limits\" is an array [ ], expected a group: { key = value; }\n"},
    {"an address that may have more than all", LIMITS("handshakes = 100; handshakes_per_address = 101;"),
     "F:5: warning: \"handshakes_per_address\" is 101, and \"handshakes\" only 100: one address can keep all "
     "others "
     "out\n"},
    {"an address that may have all", LIMITS("handshakes = 100; handshakes_per_address = 100;"), ""},
};

START_TEST(mistakes)
{
    cfg_case_check(&cases[_i]);
}
END_TEST

START_TEST(defaults)
{
    static const char *const texts[] = {CFG_TLS CFG_IMAP_SERVICE CFG_POOL, LIMITS("")};
    struct cfg *cfg = cfg_text_load_clean(texts[_i]);
    ck_assert_uint_eq(cfg->limits.handshakes, CFG_LIMIT_DERIVED);
    ck_assert_uint_eq(cfg->limits.handshakes_per_address, CFG_LIMIT_DERIVED);
    ck_assert_uint_eq(cfg->limits.connections_per_address, 0);
    ck_assert_uint_eq(cfg->limits.connection_rate_per_address, 0);
    ck_assert_uint_eq(cfg->limits.imap_line, IMAP_LINE_AUTHENTICATED_MAX);
    ck_assert_uint_eq(cfg->limits.sasl_line, SASL_MAX);
    cfg_free(&cfg);
}
END_TEST

START_TEST(values)
{
    struct cfg *cfg = cfg_text_load_clean(
        LIMITS("handshakes = 3000; handshakes_per_address = 200; connections_per_address = 50; "
               "connection_rate_per_address = 20; imap_line = 500000; sasl_line = 20000;"));
    ck_assert_uint_eq(cfg->limits.handshakes, 3000);
    ck_assert_uint_eq(cfg->limits.handshakes_per_address, 200);
    ck_assert_uint_eq(cfg->limits.connections_per_address, 50);
    ck_assert_uint_eq(cfg->limits.connection_rate_per_address, 20);
    ck_assert_uint_eq(cfg->limits.imap_line, 500000);
    ck_assert_uint_eq(cfg->limits.sasl_line, 20000);
    cfg_free(&cfg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_limits");
    TCase *tests = tcase_create("limits");
    tcase_add_loop_test(tests, mistakes, 0, (int)(ARRAY_LEN(cases)));
    tcase_add_loop_test(tests, defaults, 0, 2);
    tcase_add_test(tests, values);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
