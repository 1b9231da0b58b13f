/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The group "client_certificates" of a service: its values, what is wrong with each, and what no server
 * learns of.
 */
#include "base/array.h"
#include "cfg_file.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

/* A service of a protocol before a pool with an identity; the group stands in line 4. */
#define FILE_WITH(protocol, identity, group)                                                                 \
    CFG_TLS "backends = ( { name = \"p\"; identity = \"" identity                                            \
            "\"; servers = ( { address = \"10.0.0.11:143\"; } ); } );\n"                                     \
            "services = ( { protocol = \"" protocol                                                          \
            "\"; listen = [ \"*:1\" ]; backend = \"p\";\nclient_certificates = { " group " }; } );\n"
#define IMAP(group) FILE_WITH("imap", "proxy-v2", group)

#define OWN_CERTIFICATE(group)                                                                               \
    CFG_TLS "backends = ( { name = \"p\"; identity = \"proxy-v2\"; servers = ( { address = "                 \
            "\"10.0.0.1:993\"; } );\n"                                                                       \
            "tls = { mode = \"implicit\"; certificate = \"p.pem\"; key = \"p.key\"; }; } );\n"               \
            "services = ( { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"p\";\n"                   \
            "client_certificates = { " group " }; } );\n"

#define NO_SUCH_POOL(group)                                                                                  \
    CFG_TLS CFG_POOL "services = ( { protocol = \"imap\"; listen = [ \"*:1\" ]; backend = \"other\";\n"      \
                     "client_certificates = { " group " }; } );\n"

#define UNHEARD                                                                                              \
    "F:4: warning: clients are asked for certificates of which the servers never learn, so that none is a "  \
    "login: that takes identity = \"proxy-v2\" in the pool, or for submission \"native\" and login here\n"
#define NO_NAME                                                                                              \
    "F:5: warning: \"login\" does nothing: the servers of this pool are told no name; that takes identity "  \
    "= "                                                                                                     \
    "\"proxy-v2\" in the pool, or \"native\" for submission\n"
#define V1_WARNING                                                                                           \
    "F:2: warning: the servers of the pool \"p\" do not learn by proxy-v1 that their clients are on TLS: a " \
    "Dovecot refuses their logins (LOGINDISABLED) unless it allows them in clear; proxy-v2 tells it\n"

static const struct cfg_case cases[] = {
    {"the authorities alone", IMAP("ca = \"ca.pem\";"), ""},
    {"all of it",
     IMAP("ca = \"ca.pem\"; crl = \"crl.pem\"; mode = \"required\"; login = \"email\"; external = false;"),
     ""},
    {"no authorities", IMAP("mode = \"required\";"),
     "F:4: error: the key \"ca\" is missing in client_certificates, expected the path of a PEM file with the "
     "authorities that have issued the clients' certificates\n"},
    {"authorities that are no string", IMAP("ca = [ \"ca.pem\" ];"),
     "F:4: error: \"ca\" is an array [ ], expected a path in quotation marks: ca = \"clients-ca.pem\"\n"},
    {"another mode", IMAP("ca = \"ca.pem\"; mode = \"require\";"),
     "F:4: error: \"mode\" can't be \"require\"; did you mean \"required\"? Expected one of \"optional\", "
     "\"required\"\n"},
    {"another login", IMAP("ca = \"ca.pem\"; login = \"mail\";"),
     "F:4: error: \"login\" can't be \"mail\"; did you mean \"email\"? Expected one of \"none\", \"cn\", "
     "\"email\"\n"},
    {"no switch", IMAP("ca = \"ca.pem\"; external = \"no\";"),
     "F:4: error: \"external\" is a string, expected true or false, without quotation marks\n"},
    {"a misspelt key", IMAP("ca = \"ca.pem\"; crls = \"crl.pem\";"),
     "F:4: error: unknown key \"crls\" in client_certificates; did you mean \"crl\"?\n"},
    {"submission that tells the login", FILE_WITH("submission", "native", "ca = \"ca.pem\"; login = \"cn\";"),
     ""},
    {"submission with a PROXY header", FILE_WITH("submission", "proxy-v2", "ca = \"ca.pem\";"), ""},
    {"submission that has no login to tell", FILE_WITH("submission", "native", "ca = \"ca.pem\";"), UNHEARD},
    {"IMAP has no word for it", FILE_WITH("imap", "native", "ca = \"ca.pem\"; login = \"cn\";"), UNHEARD},
    {"POP3 has no word for it", FILE_WITH("pop3", "native", "ca = \"ca.pem\"; login = \"cn\";"), UNHEARD},
    {"nor is there one in version 1", FILE_WITH("imap", "proxy-v1", "ca = \"ca.pem\";"), V1_WARNING UNHEARD},
    {"a certificate of the proxy's own behind it", OWN_CERTIFICATE("ca = \"ca.pem\";"),
     "F:5: error: the proxy shows a certificate of its own to the servers of the pool \"p\", which EXTERNAL "
     "would log "
     "clients in with; expected external = false here, or no \"certificate\" there\n"},
    {"... by a setting of its own", OWN_CERTIFICATE("ca = \"ca.pem\";\nexternal = true;"),
     "F:6: error: the proxy shows a certificate of its own to the servers of the pool \"p\", which EXTERNAL "
     "would log clients in with; expected external = false here, or no \"certificate\" there\n"},
    {"... and no EXTERNAL", OWN_CERTIFICATE("ca = \"ca.pem\"; external = false;"), ""},
    {"a protocol that is not known needs no further advice", FILE_WITH("imapp", "none", "ca = \"ca.pem\";"),
     "F:3: error: \"protocol\" can't be \"imapp\"; did you mean \"imap\"? Expected one of \"imap\", "
     "\"pop3\", "
     "\"submission\"\n"},
    {"nor does a pool that is not there", NO_SUCH_POOL("ca = \"ca.pem\";"),
     "F:2: warning: no service uses the pool \"stores\"\n"
     "F:3: error: no pool in \"backends\" is called \"other\", expected one of \"stores\"\n"},
    {"nobody is told, and nobody else gets in",
     FILE_WITH("imap", "none", "ca = \"ca.pem\"; mode = \"required\";"), ""},
    {"nobody is told a name",
     FILE_WITH("imap", "none", "ca = \"ca.pem\"; mode = \"required\";\nlogin = \"cn\";"), NO_NAME},
};

START_TEST(what_is_said_of_it)
{
    cfg_case_check(&cases[_i]);
}
END_TEST

static struct cfg *load(const char *text)
{
    struct cfg *cfg = NULL;
    char *printed = cfg_text_load(text, &cfg);
    ck_assert_str_eq(printed, "");
    free(printed);
    return cfg;
}

/* Draft section 9.1.1: MUST NOT be asked for otherwise. */
START_TEST(without_the_group_there_is_nothing)
{
    struct cfg *cfg = load(CFG_TLS CFG_POOL CFG_IMAP_SERVICE);
    ck_assert_ptr_null(cfg->services[0].client_certificates);
    cfg_free(&cfg);
}
END_TEST

START_TEST(defaults)
{
    struct cfg *cfg = load(IMAP("ca = \"ca.pem\";"));
    const struct cfg_client_certificates *clients = cfg->services[0].client_certificates;
    const char *slash = strrchr(clients->ca, '/');
    ck_assert_ptr_nonnull(slash); /* from the file's folder */
    ck_assert_str_eq(slash, "/ca.pem");
    ck_assert_ptr_null(clients->crl);
    ck_assert(!clients->required && clients->external);
    ck_assert_int_eq(clients->login, CFG_LOGIN_NONE);
    ck_assert_uint_eq(clients->place.line, 4);
    cfg_free(&cfg);
}
END_TEST

START_TEST(values)
{
    struct cfg *cfg =
        load(IMAP("ca = \"/ca.pem\"; crl = \"/crl.pem\"; mode = \"required\"; login = \"email\"; "
                  "external = false;"));
    const struct cfg_client_certificates *clients = cfg->services[0].client_certificates;
    ck_assert_str_eq(clients->ca, "/ca.pem");
    ck_assert_str_eq(clients->crl, "/crl.pem");
    ck_assert(clients->required && !clients->external);
    ck_assert_int_eq(clients->login, CFG_LOGIN_EMAIL);
    cfg_free(&cfg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cfg_client_certificates");
    TCase *tests = tcase_create("client_certificates");
    tcase_add_loop_test(tests, what_is_said_of_it, 0, ARRAY_LEN(cases));
    tcase_add_test(tests, without_the_group_there_is_nothing);
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, values);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
