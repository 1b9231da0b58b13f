/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "config/cfg_admin.h"

#include "cfg_file.h"
#include "run_suite.h"

#include <stdlib.h>

/* Line 1 to 3, and then what is tested. */
#define P50         "12345678901234567890123456789012345678901234567890"
#define ADMIN(what) CFG_TLS CFG_IMAP_SERVICE CFG_POOL "admin = {\n " what "\n};\n"
#define OPEN_TO_ALL(address)                                                                                 \
    "F:5: warning: \"admin\" answers whoever reaches \"" address                                             \
    "\", without a password: listen on \"127.0.0.1:9993\", or let a firewall or network policy admit your "  \
    "monitoring alone\n"

static const struct cfg_case cases[] = {
    {"one address", ADMIN("listen = \"127.0.0.1:9993\";"), ""},
    {"IPv6", ADMIN("listen = \"[::1]:9993\";"), ""},
    {"IPv4 in IPv6", ADMIN("listen = \"[::ffff:127.0.0.1]:9993\";"), ""},
    {"another of the loopback's", ADMIN("listen = \"127.255.0.9:9993\";"), ""},
    {"a list", ADMIN("listen = [ \"127.0.0.1:9993\", \"[::1]:9993\" ];"), ""},
    {"ports from the system", ADMIN("listen = [ \"127.0.0.1:0\", \"127.0.0.1:0\" ];"), ""},
    {"any address", ADMIN("listen = \"*:9993\";"), OPEN_TO_ALL("*:9993")},
    {"any IPv4 address", ADMIN("listen = \"0.0.0.0:9993\";"), OPEN_TO_ALL("0.0.0.0:9993")},
    {"an address", ADMIN("listen = \"192.0.2.1:9993\";"), OPEN_TO_ALL("192.0.2.1:9993")},
    {"an IPv6 address", ADMIN("listen = \"[2001:db8::1]:9993\";"), OPEN_TO_ALL("[2001:db8::1]:9993")},
    {"an IPv4 address in IPv6", ADMIN("listen = \"[::ffff:192.0.2.1]:9993\";"),
     OPEN_TO_ALL("[::ffff:192.0.2.1]:9993")},
    {"nothing", ADMIN(""),
     "F:4: error: the key \"listen\" is missing in admin, expected an address: listen = "
     "\"127.0.0.1:9993\"\n"},
    {"an empty list", ADMIN("listen = [ ];"),
     "F:5: error: \"listen\" has 0 addresses, expected 1 to 8: listen = \"127.0.0.1:9993\"\n"},
    {"too many",
     ADMIN("listen = [ \"127.0.0.1:1\", \"127.0.0.1:2\", \"127.0.0.1:3\", \"127.0.0.1:4\", "
           "\"127.0.0.1:5\", \"127.0.0.1:6\", \"127.0.0.1:7\", \"127.0.0.1:8\", \"127.0.0.1:9\" ];"),
     "F:5: error: \"listen\" has 9 addresses, expected 1 to 8: listen = \"127.0.0.1:9993\"\n"},
    {"a name", ADMIN("listen = \"localhost:9993\";"),
     "F:5: error: \"localhost:9993\": listening takes a numeric address, and this is a name, expected for "
     "example \"[::]:993\" or \"0.0.0.0:993\"\n"},
    {"no port", ADMIN("listen = \"127.0.0.1\";"),
     "F:5: error: \"127.0.0.1\": the port is missing, expected for example \"[::]:993\" or "
     "\"0.0.0.0:993\"\n"},
    {"a service's address", ADMIN("listen = \"[::]:993\";"),
     "F:5: error: the service \"imap\" listens on \"[::]:993\" already, in F:2\n" OPEN_TO_ALL("[::]:993")},
    {"a part of a service's address", ADMIN("listen = \"127.0.0.1:993\";"),
     "F:5: error: \"[::]:993\" covers \"127.0.0.1:993\", and the service \"imap\" listens on \"[::]:993\" in "
     "F:2: choose "
     "another port\n"},
    {"freebind", ADMIN("listen = \"127.0.0.1:9993\"; freebind = true;"), ""},
    {"twice", ADMIN("listen = [ \"127.0.0.1:9993\", \"127.0.0.1:9993\" ];"),
     "F:5: error: \"admin\" listens on \"127.0.0.1:9993\" already, in F:5\n"},
    {"a socket alone", ADMIN("socket = \"/run/deepproxy/admin.sock\";"), ""},
    {"a socket and addresses", ADMIN("socket = \"/run/a\"; group = \"adm\"; listen = \"[::1]:9993\";"), ""},
    {"a socket of the longest path", ADMIN("socket = \"/" P50 P50 "123456\";"), ""},
    {"a socket of a path that is too long", ADMIN("socket = \"/" P50 P50 "1234567\";"),
     "F:5: error: \"socket\" has a path of 108 octets, and a socket's has 107 at most: \"/" P50 P50
     "1234567\"\n"},
    {"a socket that is a number", ADMIN("socket = 5;"),
     "F:4: error: the key \"listen\" is missing in admin, expected an address: listen = \"127.0.0.1:9993\"\n"
     "F:5: error: \"socket\" is a number, expected a path in quotation marks: socket = "
     "\"/run/deepproxy/admin.sock\"\n"},
    {"a group without a socket", ADMIN("listen = \"127.0.0.1:9993\"; group = \"adm\";"),
     "F:5: error: \"group\" is for those who may use \"socket\", which is missing: socket = "
     "\"/run/deepproxy/admin.sock\"\n"},
    {"a misspelt key", ADMIN("listn = \"127.0.0.1:9993\";"),
     "F:4: error: the key \"listen\" is missing in admin, expected an address: listen = \"127.0.0.1:9993\"\n"
     "F:5: error: unknown key \"listn\" in admin; did you mean \"listen\"?\n"},
    {"a string", CFG_TLS CFG_IMAP_SERVICE CFG_POOL "admin = \"127.0.0.1:9993\";\n",
     "F:4: error: \"admin\" is a string, expected a group: { key = value; }\n"},
};

START_TEST(mistakes)
{
    cfg_case_check(&cases[_i]);
}
END_TEST

START_TEST(by_default_there_is_none)
{
    struct cfg *cfg = cfg_text_load_clean(CFG_TLS CFG_IMAP_SERVICE CFG_POOL);
    ck_assert_uint_eq(cfg->admin.listen_count, 0);
    cfg_free(&cfg);
}
END_TEST

START_TEST(values)
{
    struct cfg *cfg = cfg_text_load_clean(ADMIN("listen = [ \"127.0.0.1:9993\",\n\"[::1]:9994\" ];"));
    ck_assert_uint_eq(cfg->admin.listen_count, 2);
    ck_assert_str_eq(cfg->admin.listen[0].text, "127.0.0.1:9993");
    ck_assert_uint_eq(cfg->admin.listen[1].port, 9994);
    ck_assert_uint_eq(cfg->admin.listen[1].place.line, 6);
    cfg_free(&cfg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_admin");
    TCase *tests = tcase_create("admin");
    tcase_add_loop_test(tests, mistakes, 0, (int)(ARRAY_LEN(cases)));
    tcase_add_test(tests, by_default_there_is_none);
    tcase_add_test(tests, values);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
