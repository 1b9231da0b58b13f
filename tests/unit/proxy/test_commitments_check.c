/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates and settings against what clients are promised: each way to break it, as data and message. */
#include "proxy/runtime/commitments.h"

#include "base/array.h"
#include "certificates.h"
#include "run_suite.h"

#include <openssl/pem.h>
#include <openssl/sha.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_OF_ALL = 3, LINE_OF_CA = 4, LINE_OF_RECORD = 5, LINE_OF_HOST = 7, LINE_OF_OTHER = 9 };

static const struct certificate_wish own = {.names = {"mail.example"}};
static const struct certificate_wish host = {.names = {"host.example", "*.host.example"}};
static const struct certificate_wish signed_by_itself = {.names = {"host.example"}, .self_signed = true};
static const struct certificate_wish by_another = {.names = {"host.example"}, .unknown_issuer = true};

static struct cfg_deep deep;       /* of the two services, IMAP and POP3 */
static struct cfg_deep other_deep; /* of the third, submission; it promises nothing if a test says nothing */
static struct cfg_deep host_deep;
static struct cfg_service services[3];
static char *host_names[2] = {(char *)(uintptr_t) "host.example", (char *)(uintptr_t) "a.host.example"};
static struct cfg_host hosts[2];
static struct cfg cfg;
static struct tls_certificate_files files[3];
static size_t file_count;
static uint16_t max_version;
static struct breaches breaches;
static struct cfg_problems problems;
static struct tls_context *tls;
static struct tls_context *previous;

static struct cfg_deep promise(const char *status, unsigned line)
{
    return (struct cfg_deep){.status = (char *)(uintptr_t)status,
                             .place = {"F", line},
                             .ca = (char *)(uintptr_t)certificates_authority(false),
                             .ca_place = {"F", LINE_OF_CA}};
}

static void set_up(void)
{
    deep = promise("", LINE_OF_ALL);
    other_deep = promise("", LINE_OF_OTHER);
    host_deep = promise("", LINE_OF_HOST);
    services[0] = (struct cfg_service){.protocol = PROTOCOL_IMAP, .deep = &deep};
    services[1] = (struct cfg_service){.protocol = PROTOCOL_POP3, .deep = &deep};
    services[2] = (struct cfg_service){.protocol = PROTOCOL_SUBMISSION, .deep = &other_deep};
    hosts[0] = (struct cfg_host){.names = host_names, .name_count = 1, .deep = NULL};
    hosts[1] = (struct cfg_host){.names = host_names, .name_count = 1, .deep = &host_deep};
    cfg = (struct cfg){.hostname = (char *)(uintptr_t) "mail.example",
                       .services = services,
                       .service_count = ARRAY_LEN(services),
                       .hosts = hosts,
                       .host_count = ARRAY_LEN(hosts)};
    file_count = 0;
    max_version = TLS_1_3;
}

static void tear_down(void)
{
    breaches_free(&breaches);
    cfg_problems_free(&problems);
    tls_context_unref(&tls);
    tls_context_unref(&previous);
}

static void add(const struct certificate_wish *wish)
{
    files[file_count++] = certificate_make(wish);
}

/* Warnings of what a client would reject as well. */
static void ignore(void *arg, int source, bool is_error, const char *text)
{
    (void)arg, (void)source;
    ck_assert_msg(!is_error, "%s", text);
}

static struct tls_context *load(void)
{
    struct tls_settings settings = {.certificates = files,
                                    .certificate_count = file_count,
                                    .min_version = TLS_1_0,
                                    .max_version = max_version};
    struct tls_report report = {.add = ignore};
    struct tls_context *made = tls_context_new_server(&settings, &report);
    ck_assert_ptr_nonnull(made);
    return made;
}

static void check(void)
{
    breaches_free(&breaches);
    cfg_problems_free(&problems);
    tls_context_unref(&tls);
    tls = load();
    commitments_check(&cfg, tls, previous, &breaches, &problems);
}

static void expect_nothing(void)
{
    check();
    ck_assert_msg(problems.count == 0, "%s", problems.count > 0 ? problems.items[0].text : "");
    ck_assert_uint_eq(breaches.count, 0);
    ck_assert_uint_eq(breaches.chain_count, 0);
}

static void expect_warning(unsigned line, const char *words)
{
    check();
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_int_eq(problems.items[0].severity, CFG_WARNING);
    ck_assert_uint_eq(problems.items[0].line, line);
    ck_assert_msg(strstr(problems.items[0].text, words) != NULL, "%s", problems.items[0].text);
    ck_assert_uint_eq(breaches.count, 0);
}

#define CLEAR_MAIL ((1u << PROTOCOL_IMAP) | (1u << PROTOCOL_POP3))
#define ALL_MAIL   (CLEAR_MAIL | (1u << PROTOCOL_SUBMISSION))

/* The only error is this breach; its line, and its words. */
static void expect_breach(struct breach expected, unsigned line, const char *words)
{
    check();
    ck_assert_uint_eq(breaches.count, 1);
    const struct breach *found = &breaches.items[0];
    ck_assert_int_eq(found->kind, expected.kind);
    ck_assert_uint_eq(found->protocols, expected.protocols);
    ck_assert_pstr_eq(found->host, expected.host);
    ck_assert_pstr_eq(found->tag, expected.tag);
    ck_assert_pstr_eq(found->subject, expected.subject);
    ck_assert_uint_eq(problems.errors, 1);
    ck_assert_uint_lt(found->problem, problems.count);
    const struct cfg_problem *problem = &problems.items[found->problem];
    ck_assert_int_eq(problem->severity, CFG_ERROR);
    ck_assert_uint_eq(problem->line, line);
    ck_assert_msg(strstr(problem->text, words) != NULL, "%s", problem->text);
}

static void expect_chain(const char *path)
{
    ck_assert_uint_eq(breaches.chain_count, 1);
    ck_assert_str_eq(breaches.chains[0], path);
}

START_TEST(nothing_is_promised)
{
    add(&signed_by_itself);
    deep.ca = host_deep.ca = (char *)(uintptr_t) "/nonexistent/ca.pem";
    expect_nothing();
}
END_TEST

/* To the clients of those protocols whose services say so, and of all for a host. */
START_TEST(versions)
{
    add(&own);
    max_version = TLS_1_1;
    deep.status = (char *)(uintptr_t) "tls11";
    expect_nothing();
    deep.status = (char *)(uintptr_t) "tls12";
    expect_breach((struct breach){.kind = BREACH_NO_SUITE, .protocols = CLEAR_MAIL, .tag = "tls12"},
                  LINE_OF_ALL, "\"tls12\" promises a cipher suite of 128 bits or more");
    deep.status = (char *)(uintptr_t) "";
    host_deep.status = (char *)(uintptr_t) "tls12";
    expect_breach(
        (struct breach){
            .kind = BREACH_NO_SUITE, .protocols = ALL_MAIL, .host = "host.example", .tag = "tls12"},
        LINE_OF_HOST, "\"tls12\" promises");
    host_deep.status = (char *)(uintptr_t) "tls11";
    max_version = TLS_1_0;
    expect_breach(
        (struct breach){
            .kind = BREACH_NO_SUITE, .protocols = ALL_MAIL, .host = "host.example", .tag = "tls11"},
        LINE_OF_HOST, "\"tls11\" promises");
    max_version = TLS_1_2;
    expect_nothing();
}
END_TEST

START_TEST(a_certificate_that_is_right)
{
    add(&own);
    add(&host);
    deep.status = host_deep.status = (char *)(uintptr_t) "tls12 tls-cert";
    hosts[1].name_count = 2;
    expect_nothing();
}
END_TEST

START_TEST(a_name_that_no_certificate_has)
{
    add(&own);
    deep.status = (char *)(uintptr_t) "tls-cert";
    cfg.hostname = (char *)(uintptr_t) "other.example";
    expect_warning(LINE_OF_ALL, "no certificate has the name other.example (\"hostname\")");
    cfg.hostname = (char *)(uintptr_t) "mail.example";
    deep.status = (char *)(uintptr_t) "";
    host_deep.status = (char *)(uintptr_t) "tls-cert";
    const struct breach missing = {
        .kind = BREACH_NO_CERTIFICATE, .protocols = ALL_MAIL, .host = "host.example", .tag = "tls-cert"};
    expect_breach(missing, LINE_OF_HOST, "no certificate has that name");
    ck_assert_uint_eq(breaches.chain_count, 0);
    add(&host);
    previous = load(); /* the one that had it is what has to be mended */
    file_count = 1;
    expect_breach(missing, LINE_OF_HOST, "is promised for host.example, and");
    expect_chain(files[1].chain);
}
END_TEST

/* Each name of a host is looked at. */
START_TEST(the_second_name_of_a_host)
{
    static const struct certificate_wish first = {.names = {"host.example"}};
    add(&first);
    host_deep.status = (char *)(uintptr_t) "tls-cert";
    expect_nothing();
    hosts[1].name_count = 2;
    expect_breach((struct breach){.kind = BREACH_NO_CERTIFICATE,
                                  .protocols = ALL_MAIL,
                                  .host = "a.host.example",
                                  .tag = "tls-cert"},
                  LINE_OF_HOST, "is promised for a.host.example, and");
}
END_TEST

START_TEST(signed_by_itself_for_a_host)
{
    add(&own);
    add(&signed_by_itself);
    host_deep.status = (char *)(uintptr_t) "tls-cert";
    expect_breach((struct breach){.kind = BREACH_SELF_SIGNED,
                                  .protocols = ALL_MAIL,
                                  .host = "host.example",
                                  .tag = "tls-cert",
                                  .subject = files[1].chain},
                  LINE_OF_HOST, "has signed itself");
    ck_assert_uint_eq(problems.count, 1);
    expect_chain(files[1].chain);
    /* Promised to all, it is a warning: whoever asks for another name is served well. */
    host_deep.status = (char *)(uintptr_t) "";
    deep.status = (char *)(uintptr_t) "tls-cert";
    expect_warning(LINE_OF_ALL, "which has signed itself");
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, files[1].chain));
}
END_TEST

START_TEST(what_clients_can_not_verify)
{
    add(&own);
    add(&by_another);
    host_deep.status = (char *)(uintptr_t) "tls-cert";
    expect_breach((struct breach){.kind = BREACH_UNVERIFIABLE,
                                  .protocols = ALL_MAIL,
                                  .host = "host.example",
                                  .tag = "tls-cert",
                                  .subject = files[1].chain},
                  LINE_OF_HOST, "can't verify");
    expect_chain(files[1].chain);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, host_deep.ca));
    ck_assert_ptr_null(strstr(problems.items[0].text, "if yours trust others"));
    /* Of those that clients without a host get, the one that they get is looked at. */
    host_deep.status = (char *)(uintptr_t) "";
    other_deep.status = (char *)(uintptr_t) "tls-cert";
    expect_nothing();
    files[0] =
        certificate_make(&(struct certificate_wish){.names = {"mail.example"}, .unknown_issuer = true});
    expect_breach((struct breach){.kind = BREACH_UNVERIFIABLE,
                                  .protocols = 1u << PROTOCOL_SUBMISSION,
                                  .tag = "tls-cert",
                                  .subject = files[0].chain},
                  LINE_OF_OTHER, "can't verify");
}
END_TEST

/* The certificate is verified for the name that it has, be it that of the machine or not. */
START_TEST(a_name_to_verify_for)
{
    static const struct certificate_wish wildcard = {.names = {"*.wild.example"}};
    add(&wildcard);
    deep.status = (char *)(uintptr_t) "tls-cert";
    expect_warning(LINE_OF_ALL, "no certificate has the name mail.example");
    cfg.hostname = (char *)(uintptr_t) "one.wild.example";
    expect_nothing();
}
END_TEST

START_TEST(authorities_that_can_not_be_used)
{
    add(&own);
    deep.status = (char *)(uintptr_t) "tls-cert";
    deep.ca = (char *)(uintptr_t)certificates_write("ca.pem", "nothing of the kind\n");
    expect_breach((struct breach){.kind = BREACH_BAD_AUTHORITIES, .subject = deep.ca}, LINE_OF_CA, "ca.pem");
    /* The next ones are read all the same. */
    other_deep.status = (char *)(uintptr_t) "tls-cert";
    files[0] =
        certificate_make(&(struct certificate_wish){.names = {"mail.example"}, .unknown_issuer = true});
    check();
    ck_assert_uint_eq(breaches.count, 2);
    ck_assert_int_eq(breaches.items[0].kind, BREACH_BAD_AUTHORITIES);
    ck_assert_int_eq(breaches.items[1].kind, BREACH_UNVERIFIABLE);
}
END_TEST

/* ---- TLSA ---- */

#define NO_DIGEST "3 1 1 0000000000000000000000000000000000000000000000000000000000000000"

START_TEST(records)
{
    struct cfg_text lines[2] = {{.text = (char *)(uintptr_t)NO_DIGEST, .place = {"F", LINE_OF_RECORD}},
                                {.text = (char *)(uintptr_t)NO_DIGEST, .place = {"F", LINE_OF_RECORD}}};
    add(&own);
    add(&host);
    host_deep.status = (char *)(uintptr_t) "tls-dane-tlsa";
    expect_warning(LINE_OF_HOST, "give the TLSA records in \"tlsa\"");
    host_deep.tlsa = lines;
    host_deep.tlsa_count = 2;
    expect_breach((struct breach){.kind = BREACH_TLSA_MISMATCH,
                                  .protocols = ALL_MAIL,
                                  .host = "host.example",
                                  .tag = "tls-dane-tlsa",
                                  .subject = files[1].chain},
                  LINE_OF_HOST, "no record in \"tlsa\" matches the certificate");
    expect_chain(files[1].chain);
    /* They are checked whether they are used or not. */
    host_deep.status = (char *)(uintptr_t) "";
    expect_nothing();
    lines[1].text = (char *)(uintptr_t) "3 1 1 00";
    expect_breach(
        (struct breach){
            .kind = BREACH_BAD_TLSA, .protocols = ALL_MAIL, .host = "host.example", .subject = lines[1].text},
        LINE_OF_RECORD, "\"3 1 1 00\" is no TLSA record");
    host_deep.tlsa_count = 0;
    deep.tlsa = lines;
    deep.tlsa_count = 2;
    expect_breach((struct breach){.kind = BREACH_BAD_TLSA, .protocols = CLEAR_MAIL, .subject = lines[1].text},
                  LINE_OF_RECORD, "is no TLSA record");
}
END_TEST

/* "3 0 1": the digest of the whole leaf. */
static void write_record(const char *chain, char into[128])
{
    uint8_t *der = NULL;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    FILE *file = fopen(chain, "re");
    ck_assert_ptr_nonnull(file);
    X509 *leaf = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    int len = i2d_X509(leaf, &der);
    ck_assert_int_gt(len, 0);
    SHA256(der, (size_t)len, digest);
    size_t at = (size_t)sprintf(into, "3 0 1 ");
    for (size_t i = 0; i < sizeof digest; i++)
        at += (size_t)sprintf(into + at, "%02x", digest[i]);
    OPENSSL_free(der);
    X509_free(leaf);
}

/* One that matches is enough: the next certificate's record is there before it is used. */
START_TEST(one_record_of_several)
{
    char right[128];
    struct cfg_text lines[3] = {{.text = (char *)(uintptr_t)NO_DIGEST},
                                {.text = (char *)(uintptr_t)NO_DIGEST},
                                {.text = (char *)(uintptr_t)NO_DIGEST}};
    add(&own);
    add(&host);
    write_record(files[1].chain, right);
    lines[_i].text = right;
    host_deep.status = (char *)(uintptr_t) "tls-dane-tlsa";
    host_deep.tlsa = lines;
    host_deep.tlsa_count = ARRAY_LEN(lines);
    expect_nothing();
}
END_TEST

/* A status that services share is told once, and hosts without one of their own say nothing. */
START_TEST(once)
{
    add(&own);
    deep.status = (char *)(uintptr_t) "tls-cert";
    cfg.hostname = (char *)(uintptr_t) "other.example";
    check();
    ck_assert_uint_eq(problems.count, 1);
    services[2].deep = &deep;
    services[1].deep = &other_deep;
    check();
    ck_assert_uint_eq(problems.count, 1);
    other_deep.status = (char *)(uintptr_t) "tls-cert";
    check();
    ck_assert_uint_eq(problems.count, 2);
}
END_TEST

int main(void)
{
    certificates_open();
    Suite *suite = suite_create("commitments_check");
    TCase *tests = tcase_create("commitments");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, nothing_is_promised);
    tcase_add_test(tests, versions);
    tcase_add_test(tests, a_certificate_that_is_right);
    tcase_add_test(tests, a_name_that_no_certificate_has);
    tcase_add_test(tests, the_second_name_of_a_host);
    tcase_add_test(tests, signed_by_itself_for_a_host);
    tcase_add_test(tests, what_clients_can_not_verify);
    tcase_add_test(tests, a_name_to_verify_for);
    tcase_add_test(tests, authorities_that_can_not_be_used);
    tcase_add_test(tests, records);
    tcase_add_loop_test(tests, one_record_of_several, 0, 3);
    tcase_add_test(tests, once);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
