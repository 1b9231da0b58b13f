/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "protocols/smtp/smtp_client_report.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16

/* Draft section 7.3; what stands behind "CLIENT". */
static const struct {
    const char *arguments;
    bool valid;
} syntax_cases[] = {
    {" name=demo_submit version=1.5 latch=tls11,tls-cert security-tags=tls12", true}, /* example 5 */
    {" name=x", true},
    {" NAME=x", true},
    {" name=!\"#$%&'()*+,-./:;<>?@[\\]^_`{|}~", true},
    {" version=1", true},
    {" latch=a", true},
    {" latch=tls_11,A-b", true},
    {" latch=" A64, true},
    {" latch-fail=tls-cert,tls11", true},
    {" security-tags=x,y,z", true},
    {" tls=TLS_AES_128_GCM_SHA256", true},
    {" tls=0x13aF", true},
    {" name=a name=b", true},
    {" name=x ", true}, /* RFC 5321 4.1.1: blanks at the end */
    {" name=x \t ", true},
    {" future", true}, /* future-extension = esmtp-param */
    {" 9-future", true},
    {" future=<any>;value", true},
    {" latch-failure=", false},
    {"", false},
    {" ", false},
    {"\t", false},
    {"name=x", false},
    {"\tname=x", false},
    {"  name=x", false},
    {" name=x  version=1", false},
    {" name=x\tversion=1", false},
    {" name", false}, /* what the draft defines has a value */
    {" name=", false},
    {" name=a=b", false},
    {" name=\x7f", false},
    {" name=\xc3\xbc", false},
    {" name=\x01", false},
    {" version=", false},
    {" latch", false},
    {" latch=", false},
    {" latch=,", false},
    {" latch=a,", false},
    {" latch=,a", false},
    {" latch=a,,b", false},
    {" latch=1a", false},
    {" latch=a.b", false},
    {" latch=" A64 "a", false},
    {" latch-fail=-", false},
    {" security-tags=a b=", false},
    {" tls=", false},
    {" tls=0x13", false},
    {" tls=0x13011", false},
    {" tls=0x13G1", false},
    {" tls=TLS-AES", false},
    {" tls=1TLS", false},
    {" -future=1", false},
    {" fu_ture=1", false},
    {" =1", false},
    {" =", false},
    {" future=", false},
    {" name=x bad=", false},
    {" name=x ?", false},
};

START_TEST(syntax)
{
    bool valid = smtp_client_report_is_valid(slice_of(syntax_cases[_i].arguments));
    ck_assert_msg(valid == syntax_cases[_i].valid, "CLIENT%s", syntax_cases[_i].arguments);
}
END_TEST

static struct engine *new_engine(void)
{
    static const struct engine_service service = {
        .protocol = PROTOCOL_SUBMISSION, .deep_status = "", .hostname = "proxy.example.com"};
    static const struct engine_client client = {.tls_cipher = "TLS_AES_128_GCM_SHA256",
                                                .nonce = "abcdefghijklmnop"};
    struct engine *engine = engine_new(&service, &client);
    ck_assert_ptr_nonnull(engine);
    return engine;
}

START_TEST(reports)
{
    struct engine *engine = new_engine();
    smtp_client_report_record(engine,
                              slice_of(" Name=a,b version=1 latch=x,y LATCH-fail=z security-tags=u,v,w "
                                       "tls=0x1301 other=1"));
    ck_assert_str_eq(engine_report(engine, ENGINE_REPORT_NAME), "a,b");
    ck_assert_str_eq(engine_report(engine, ENGINE_REPORT_VERSION), "1");
    ck_assert_str_eq(engine_report(engine, ENGINE_REPORT_LATCH), "x y");
    ck_assert_str_eq(engine_report(engine, ENGINE_REPORT_LATCH_FAIL), "z");
    ck_assert_str_eq(engine_report(engine, ENGINE_REPORT_SECURITY_TAGS), "u v w");
    smtp_client_report_record(engine, slice_of(" version=2"));
    ck_assert_str_eq(engine_report(engine, ENGINE_REPORT_VERSION), "2");
    ck_assert_str_eq(engine_report(engine, ENGINE_REPORT_NAME), "a,b");
    engine_free(&engine);
}
END_TEST

START_TEST(long_reports_are_cut)
{
    struct engine *engine = new_engine();
    smtp_client_report_record(engine, slice_of(" latch=" A64 "," A64 "," A64 "," A64 "," A64));
    ck_assert_uint_eq(strlen(engine_report(engine, ENGINE_REPORT_LATCH)), ENGINE_REPORT_MAX);
    engine_free(&engine);
}
END_TEST

/* What goes to the backend. */
static const struct {
    const char *arguments;
    const char *command;
} make_cases[] = {
    {"", "CLIENT tls=C\r\n"},
    {" name=x", "CLIENT tls=C name=x\r\n"},
    {" tls=0x1301", "CLIENT tls=C\r\n"},
    {" a TLS=0x1301 b=c Tls=B d ", "CLIENT tls=C a b=c d\r\n"},
    {" tls", "CLIENT tls=C\r\n"},
    {" tlsx=1", "CLIENT tls=C tlsx=1\r\n"},
    {" x=" A64 A64 A64 A64 " y=" A64 A64 A64 A64 " z", "CLIENT tls=C x=" A64 A64 A64 A64 " z\r\n"},
};

START_TEST(made)
{
    struct engine_out *out = engine_out_new();
    ck_assert_ptr_nonnull(out);
    smtp_client_report_send(slice_of(make_cases[_i].arguments), "C", out);
    ck_assert_uint_eq(out->lanes[SIDE_CLIENT].count, 0);
    ck_assert_uint_eq(out->lanes[SIDE_BACKEND].count, 1);
    ck_assert(slice_equals(out->lanes[SIDE_BACKEND].slices[0], slice_of(make_cases[_i].command)));
    engine_out_free(&out);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("CLIENT");
    tcase_add_loop_test(tcase, syntax, 0, (int)(ARRAY_LEN(syntax_cases)));
    tcase_add_test(tcase, reports);
    tcase_add_test(tcase, long_reports_are_cut);
    tcase_add_loop_test(tcase, made, 0, (int)(ARRAY_LEN(make_cases)));
    Suite *suite = suite_create("smtp_client_report");
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
