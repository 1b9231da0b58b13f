/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the clients of a service come from: proxy_protocol, allow, deny. */
#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <stdlib.h>

/* One service, what is tested from line 4 on. */
#define SERVICE(what)                                                                                        \
    CFG_TLS CFG_POOL                                                                                         \
        "services = ( { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"stores\";\n" what "\n} );\n"
#define EXAMPLES ", expected for example \"10.1.0.0/16\", \"fd00::/8\" or \"192.0.2.1\"\n"

static const struct cfg_case cases[] = {
    {"required",
     SERVICE("proxy_protocol = { from = [ \"10.1.0.0/16\", \"fd00::/8\" ]; mode = \"required\"; };"), ""},
    {"optional", SERVICE("proxy_protocol = { from = [ \"10.1.0.0/16\" ]; mode = \"optional\"; };"), ""},
    {"no mode", SERVICE("proxy_protocol = { from = ( \"10.1.2.3\" ); };"), ""},
    {"STARTTLS", SERVICE("tls = \"starttls\"; proxy_protocol = { from = [ \"10.1.2.3\" ]; };"), ""},
    {"STARTTLS, and optional",
     SERVICE("tls = \"starttls\";\nproxy_protocol = { from = [ \"10.1.2.3\" ];\nmode = \"optional\"; };"),
     "F:6: error: with tls = \"starttls\" the proxy speaks first, and can't wait to see if a header comes; "
     "expected mode = \"required\", and another service for clients without one\n"},
    {"no networks", SERVICE("proxy_protocol = { };"),
     "F:4: error: the key \"from\" is missing in proxy_protocol, expected the networks of the balancers: "
     "from "
     "= [ \"10.1.0.0/16\" ]\n"},
    {"an empty list", SERVICE("proxy_protocol = {\nfrom = [ ]; };"),
     "F:5: error: \"from\" is empty, expected the networks of the balancers: from = [ \"10.1.0.0/16\" ]\n"},
    {"everybody is believed", SERVICE("proxy_protocol = { from = [ \"10.0.0.0/8\",\n\"0.0.0.0/0\" ]; };"),
     "F:5: warning: \"0.0.0.0/0\" has everybody believed who claims another address by a PROXY header: name "
     "the networks of your balancers alone, or keep all others out by a firewall\n"},
    {"another mode", SERVICE("proxy_protocol = { from = [ \"10.1.2.3\" ]; mode = \"optionl\"; };"),
     "F:4: error: \"mode\" can't be \"optionl\"; did you mean \"optional\"? Expected one of \"required\", "
     "\"optional\"\n"},
    {"an unknown key", SERVICE("proxy_protocol = { from = [ \"10.1.2.3\" ]; form = 1; };"),
     "F:4: error: unknown key \"form\" in proxy_protocol; did you mean \"from\"?\n"},
    {"no group", SERVICE("proxy_protocol = true;"),
     "F:4: error: \"proxy_protocol\" is a switch (true or false), expected a group: { key = value; }\n"},
    {"allow and deny", SERVICE("allow = [ \"0.0.0.0/0\", \"::/0\" ]; deny = [ \"192.0.2.0/24\" ];"), ""},
    {"none is allowed", SERVICE("\nallow = [ ];"),
     "F:5: error: \"allow\" is empty, expected at least one network; without the key all are allowed\n"},
    {"none is denied", SERVICE("deny = [ ];"), ""},
    {"host bits", SERVICE("allow = [ \"10.1.2.3/16\",\n\"fd00::1/8\" ];"),
     "F:4: error: \"10.1.2.3/16\" is an address within a network; did you mean the network, \"10.1.0.0/16\", "
     "or the address alone, \"10.1.2.3\"?\n"
     "F:5: error: \"fd00::1/8\" is an address within a network; did you mean the network, \"fd00::/8\", or "
     "the address alone, \"fd00::1\"?\n"},
    {"no networks at all", SERVICE("deny = [ \"example.com\", \"10.1/16\" ];"),
     "F:4: error: \"example.com\" is no network" EXAMPLES "F:4: error: \"10.1/16\" is no network" EXAMPLES},
    {"lengths", SERVICE("deny = [ \"10.1.0.0/33\", \"fd00::/129\" ];"),
     "F:4: error: \"10.1.0.0/33\": what follows the slash is not a number up to 32" EXAMPLES
     "F:4: error: \"fd00::/129\": what follows the slash is not a number up to 128" EXAMPLES},
    {"a number", SERVICE("deny = [ 10 ];"),
     "F:4: error: \"deny\" is a number, expected a list of strings: deny = [ \"10.1.0.0/16\" ]\n"},
    {"a string", SERVICE("allow = \"10.1.0.0/16\";"),
     "F:4: error: \"allow\" is a string, expected a list of strings: allow = [ \"10.1.0.0/16\" ]\n"},
};

START_TEST(mistakes)
{
    cfg_case_check(&cases[_i]);
}
END_TEST

START_TEST(defaults)
{
    struct cfg *cfg = cfg_text_load_clean(SERVICE(""));
    ck_assert_ptr_null(cfg->services[0].proxy_protocol);
    ck_assert_uint_eq(cfg->services[0].allow.count, 0);
    ck_assert_uint_eq(cfg->services[0].deny.count, 0);
    cfg_free(&cfg);
    cfg = cfg_text_load_clean(SERVICE("proxy_protocol = { from = [ \"10.1.2.3\" ]; };"));
    ck_assert(!cfg->services[0].proxy_protocol->is_optional);
    cfg_free(&cfg);
}
END_TEST

START_TEST(values)
{
    static const uint8_t balancer[4] = {10, 1, 255, 255};
    static const uint8_t other[4] = {192, 0, 2, 9};
    struct cfg *cfg = cfg_text_load_clean(
        SERVICE("proxy_protocol = { from = [ \"fd00::/8\", \"10.1.0.0/16\" ]; mode = \"optional\"; };"
                "allow = [ \"0.0.0.0/0\", \"10.0.0.0/8\" ]; deny = [ \"::ffff:192.0.2.0/120\" ];"));
    const struct cfg_service *service = &cfg->services[0];
    ck_assert(service->proxy_protocol->is_optional);
    ck_assert_uint_eq(service->proxy_protocol->from.count, 2);
    ck_assert(networks_have(&service->proxy_protocol->from, false, balancer));
    ck_assert(!networks_have(&service->proxy_protocol->from, false, other));
    ck_assert_uint_eq(service->allow.count, 1);
    ck_assert(networks_have(&service->allow, false, other));
    ck_assert(networks_have(&service->deny, false, other));
    ck_assert(!networks_have(&service->deny, false, balancer));
    cfg_free(&cfg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_access");
    TCase *tests = tcase_create("access");
    tcase_add_loop_test(tests, mistakes, 0, (int)ARRAY_LEN(cases));
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, values);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
