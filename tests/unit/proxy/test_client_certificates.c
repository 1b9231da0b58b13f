/* SPDX-License-Identifier: BSD-2-Clause */
/* By which name the servers learn of a client's certificate, and whether EXTERNAL means it. */
#include "base/array.h"
#include "proxy/runtime/client_certificates.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

#define JOE "joe@example.com"

static const struct name_case {
    enum cfg_login by;
    const char *common_name;
    const char *email;
    const char *login;
    const char *tlv;
} cases[] = {
    /* Nothing is mapped: the certificate's own name goes into the header, and is no login by XCLIENT. */
    {CFG_LOGIN_NONE, "joe", JOE, NULL, "joe"},
    {CFG_LOGIN_NONE, "Joe D., Example *", NULL, NULL, "Joe D., Example *"},
    {CFG_LOGIN_NONE, NULL, JOE, NULL, ""},
    {CFG_LOGIN_CN, "joe", JOE, "joe", "joe"},
    {CFG_LOGIN_CN, NULL, JOE, NULL, ""},
    {CFG_LOGIN_EMAIL, "root", JOE, JOE, JOE},
    {CFG_LOGIN_EMAIL, "root", NULL, NULL, ""},
    {CFG_LOGIN_CN, "joe.D_1-x+y@EXAMPLE.com", NULL, "joe.D_1-x+y@EXAMPLE.com", "joe.D_1-x+y@EXAMPLE.com"},
    /* What some server could read as more than a name. */
    {CFG_LOGIN_CN, "joe d", NULL, NULL, ""},
    {CFG_LOGIN_CN, "joe*root", NULL, NULL, ""},
    {CFG_LOGIN_CN, "../joe", NULL, NULL, ""},
    {CFG_LOGIN_CN, "joe,root", NULL, NULL, ""},
    {CFG_LOGIN_CN, "joe%u", NULL, NULL, ""},
    {CFG_LOGIN_CN, "j\xc3\xb6rg", NULL, NULL, ""},
    {CFG_LOGIN_CN, "", NULL, NULL, ""},
    {CFG_LOGIN_EMAIL, NULL, "\"joe\"@example.com", NULL, ""},
    {CFG_LOGIN_EMAIL, NULL, "joe=x@example.com", NULL, ""},
};

START_TEST(name)
{
    const struct name_case *c = &cases[_i];
    const struct cfg_client_certificates cfg = {.login = c->by, .external = true};
    const struct tls_client_certificate certificate = {
        .subject = "", .common_name = c->common_name, .email = c->email};
    struct client_name got = client_certificates_name(&cfg, &certificate, CFG_IDENTITY_PROXY_V2);
    ck_assert_pstr_eq(got.login, c->login);
    ck_assert(slice_equals(got.tlv, slice_of(c->tlv)));
    /* What is told of a strange name is no login. */
    ck_assert_int_eq(got.external, c->tlv[0] != '\0' && strchr(c->tlv, '*') == NULL);
}
END_TEST

static const struct {
    enum cfg_identity identity;
    bool wanted;
    bool external;
} ways[] = {
    {CFG_IDENTITY_PROXY_V2, true, true},  {CFG_IDENTITY_PROXY_V2, false, false},
    {CFG_IDENTITY_PROXY_V1, true, false}, {CFG_IDENTITY_NONE, true, false},
    {CFG_IDENTITY_NATIVE, true, false},
};

/* Elsewhere it would be the proxy that the server takes for the client. */
START_TEST(external_where_the_server_knows_the_client)
{
    const struct cfg_client_certificates cfg = {.external = ways[_i].wanted};
    const struct tls_client_certificate certificate = {.subject = "", .common_name = "joe"};
    struct client_name got = client_certificates_name(&cfg, &certificate, ways[_i].identity);
    ck_assert_int_eq(got.external, ways[_i].external);
}
END_TEST

START_TEST(nothing_without_a_certificate_or_the_group)
{
    const struct cfg_client_certificates cfg = {.login = CFG_LOGIN_CN, .external = true};
    const struct tls_client_certificate certificate = {.subject = "", .common_name = "joe"};
    struct client_name got[] = {client_certificates_name(&cfg, NULL, CFG_IDENTITY_PROXY_V2),
                                client_certificates_name(NULL, &certificate, CFG_IDENTITY_PROXY_V2)};
    for (int i = 0; i < 2; i++) {
        ck_assert_ptr_null(got[i].login);
        ck_assert_uint_eq(got[i].tlv.len, 0);
        ck_assert(!got[i].external);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_certificates");
    TCase *tests = tcase_create("names");
    tcase_add_loop_test(tests, name, 0, ARRAY_LEN(cases));
    tcase_add_loop_test(tests, external_where_the_server_knows_the_client, 0, ARRAY_LEN(ways));
    tcase_add_test(tests, nothing_without_a_certificate_or_the_group);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
