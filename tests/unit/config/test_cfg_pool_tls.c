/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

/* The keys of the group stand in line 5. */
#define TEXT(server, keys)                                                                                   \
    CFG_TLS CFG_IMAP_SERVICE "backends = ( { name = \"stores\"; servers = (\n{ address = \"" server          \
                             "\"; } );\n"                                                                    \
                             "tls = {" keys " }; } );\n"
#define IMPLICIT(keys) TEXT("10.0.0.11:9993", "\nmode = \"implicit\"; " keys)

static const struct cfg_case cases[] = {
    {"implicit", IMPLICIT(""), ""},
    {"starttls", TEXT("store1.internal:143", "mode = \"starttls\";"), ""},
    {"all of it",
     IMPLICIT(
         "ca = \"ca.pem\"; name = \"store.internal\"; verify = true; certificate = \"client.pem\"; key = "
         "\"client.key\"; passphrase = \"client.pass\"; min_version = \"TLSv1.3\";"),
     ""},
    {"an address for a name", IMPLICIT("name = \"fd00::1\";"), ""},
    {"no mode", TEXT("10.0.0.11:9993", "\nca = \"ca.pem\";"),
     "F:5: error: the key \"mode\" is missing in the tls of a pool, expected \"implicit\" or \"starttls\"\n"},
    {"another mode", TEXT("10.0.0.11:9993", "\nmode = \"startls\";"),
     "F:6: error: \"mode\" can't be \"startls\"; did you mean \"starttls\"? Expected one of \"implicit\", "
     "\"starttls\"\n"},
    {"an unknown key", IMPLICIT("cafile = \"ca.pem\";"), NULL},
    {"no group",
     CFG_TLS CFG_IMAP_SERVICE "backends = ( { name = \"stores\"; servers = ( { address = \"10.0.0.11:143\"; "
                              "} );\ntls = \"implicit\"; } );\n",
     "F:4: error: \"tls\" is a string, expected a group: { key = value; }\n"},
    {"a certificate alone", IMPLICIT("\ncertificate = \"client.pem\";"),
     "F:7: error: \"certificate\" has no \"key\" with it, expected the path of a PEM file with its private "
     "key\n"},
    {"a key alone", IMPLICIT("\nkey = \"client.key\";"),
     "F:7: error: \"key\" has no \"certificate\" with it, expected the path of a PEM file with the "
     "certificate that the "
     "proxy shows its servers, and its issuers\n"},
    {"no name at all", IMPLICIT("\nname = \"*.internal\";"),
     "F:7: error: \"*.internal\" is neither a host name nor an address, expected what the servers' "
     "certificate has: "
     "\"store.internal\"\n"},
    {"unverified", IMPLICIT("\nverify = false;"),
     "F:7: warning: verify = false: an attacker between the proxy and the servers of the pool \"stores\" "
     "can read and "
     "change all that passes, passwords included; give the servers' certificate, or its authority's, as "
     "\"ca\" instead\n"},
    {"an old version", IMPLICIT("\nmin_version = \"TLSv1.0\";"),
     "F:7: warning: min_version = \"TLSv1.0\": what the servers of the pool \"stores\" get is protected no "
     "better than that "
     "(RFC 8996), so keep them on a private network, and set \"TLSv1.2\" as soon as they can\n"},
    {"no version", IMPLICIT("\nmin_version = \"SSLv3\";"),
     "F:7: error: \"min_version\" can't be \"SSLv3\"; expected one of \"TLSv1.0\", "
     "\"TLSv1.1\", "
     "\"TLSv1.2\", \"TLSv1.3\"\n"},
    {"an empty name", IMPLICIT("\nca = \"\";"),
     "F:7: error: \"ca\" is an empty string, expected a path in quotation marks: ca = \"store-ca.pem\"\n"},
    {"starttls on a port with TLS", TEXT("store1.internal:993", "mode = \"starttls\";"),
     "F:4: warning: servers begin with TLS at once on port 993: mode = \"implicit\" is meant for it\n"},
    {"TLS on a port in the clear", TEXT("store1.internal:110", "mode = \"implicit\";"),
     "F:4: warning: servers begin in the clear on port 110: mode = \"starttls\" is meant for it\n"},
    {"TLS on a port with TLS", TEXT("store1.internal:995", "mode = \"implicit\";"), ""},
    {"proxy-v1 says nothing of TLS, and need not",
     CFG_TLS CFG_IMAP_SERVICE
     "backends = ( { name = \"stores\"; servers = ( { address = \"10.0.0.11:993\"; } ); identity "
     "= \"proxy-v1\"; tls = { mode = \"implicit\"; }; } );\n",
     ""},
};

START_TEST(texts)
{
    if (cases[_i].printed != NULL) {
        cfg_case_check(&cases[_i]);
        return;
    }
    struct cfg *cfg;
    char *printed = cfg_text_load(cases[_i].text, &cfg);
    ck_assert_ptr_null(cfg);
    ck_assert_msg(strstr(printed, "F:6: error: ") == printed && strstr(printed, "\"cafile\"") != NULL, "%s",
                  printed);
    free(printed);
}
END_TEST

static struct cfg *load(const char *text)
{
    struct cfg *cfg;
    char *printed = cfg_text_load(text, &cfg);
    ck_assert_str_eq(printed, "");
    ck_assert_ptr_nonnull(cfg);
    free(printed);
    return cfg;
}

START_TEST(defaults)
{
    struct cfg *cfg = load(CFG_TLS CFG_IMAP_SERVICE CFG_POOL);
    ck_assert_int_eq(cfg->pools[0].tls.mode, CFG_POOL_TLS_NONE);
    cfg_free(&cfg);
    cfg = load(IMPLICIT(""));
    const struct cfg_pool_tls *tls = &cfg->pools[0].tls;
    ck_assert_int_eq(tls->mode, CFG_POOL_TLS_IMPLICIT);
    ck_assert(tls->verify && tls->ca == NULL && tls->name == NULL && tls->certificate == NULL &&
              tls->key == NULL);
    ck_assert_int_eq(tls->min_version, CFG_TLS_1_2);
    ck_assert_uint_eq(tls->place.line, 5);
    cfg_free(&cfg);
}
END_TEST

START_TEST(values)
{
    struct cfg *cfg =
        load(IMPLICIT("ca = \"/etc/ca.pem\"; certificate = \"client.pem\";\nkey = \"client.key\"; "
                      "min_version = \"TLSv1.3\";"));
    const struct cfg_pool_tls *tls = &cfg->pools[0].tls;
    ck_assert_str_eq(tls->ca, "/etc/ca.pem");
    /* Relative paths begin at the file's folder. */
    ck_assert(tls->certificate[0] == '/' && strstr(tls->certificate, "/client.pem") != NULL);
    ck_assert(tls->key[0] == '/' && strstr(tls->key, "/client.key") != NULL);
    ck_assert_int_eq(tls->min_version, CFG_TLS_1_3);
    ck_assert_uint_eq(tls->certificate_place.line, 6);
    cfg_free(&cfg);
}
END_TEST

START_TEST(names_of_servers)
{
    static const struct {
        const char *text;
        const char *name;
    } servers[] = {
        {TEXT("store1.internal:9993", "mode = \"implicit\";"), "store1.internal"},
        {TEXT("store1.internal.:9993", "mode = \"implicit\";"), "store1.internal"},
        {TEXT("10.0.0.11:9993", "mode = \"implicit\";"), "10.0.0.11"},
        {TEXT("[fd00::11]:9993", "mode = \"implicit\";"), "fd00::11"},
        {TEXT("10.0.0.11:9993", "mode = \"implicit\"; name = \"store.internal\";"), "store.internal"},
        {TEXT("store1.internal:9993", "mode = \"implicit\"; name = \"10.0.0.12\";"), "10.0.0.12"},
    };
    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        struct cfg *cfg = load(servers[i].text);
        ck_assert_str_eq(cfg->pools[0].tls.server_names[0], servers[i].name);
        cfg_free(&cfg);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_pool_tls");
    TCase *tests = tcase_create("pool_tls");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, texts, 0, ARRAY_LEN(cases));
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, values);
    tcase_add_test(tests, names_of_servers);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
