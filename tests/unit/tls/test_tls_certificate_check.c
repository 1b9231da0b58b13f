/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "certificates.h"
#include "external_keys.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/*
 * What is said of a certificate that TLS takes and clients do not, and of one that TLS does not take
 * either.
 */

#define DAY (24 * 3600L)

enum { WORDS_MAX = 16 * 1024 };

/* All that was reported, a line each. */
static char said[WORDS_MAX];

static void note(void *arg, int source, bool is_error, const char *text)
{
    (void)arg;
    (void)source;
    size_t len = strlen(said);
    snprintf(said + len, sizeof said - len, "%s: %s\n", is_error ? "error" : "warning", text);
}

static struct tls_context *load_after(const struct tls_certificate_files *files, struct tls_context *previous,
                                      const struct tls_key_source *keys)
{
    struct tls_settings settings = {.certificates = files,
                                    .certificate_count = 1,
                                    .previous = previous,
                                    .min_version = TLS_1_2,
                                    .max_version = TLS_1_3,
                                    .keys = keys};
    struct tls_report report = {.add = note, .now = (long long)time(NULL)};
    said[0] = '\0';
    return tls_context_new_server(&settings, &report);
}

static bool loads(const struct tls_certificate_files *files)
{
    struct tls_context *context = load_after(files, NULL, NULL);
    bool ok = context != NULL;
    tls_context_unref(&context);
    return ok;
}

static void expect_said(const char *level, const char *words)
{
    ck_assert_msg(strncmp(said, level, strlen(level)) == 0, "no %s: %s", level, said);
    ck_assert_msg(strstr(said, words) != NULL, "\"%s\" is not in: %s", words, said);
    ck_assert_msg(strchr(said, '\n')[1] == '\0', "more than one: %s", said);
}

/* One line each, with the file's path; and the same certificate without the mistake has none. */
static const struct {
    struct certificate_wish wish;
    const char *words;
} warnings[] = {
    {{.names = {"a.example"}, .begins = -30 * DAY, .ends = -DAY}, "has expired: clients will reject it"},
    {{.names = {"a.example"}, .begins = DAY, .ends = 30 * DAY}, "is not valid yet"},
    {{.names = {"a.example"}, .issuer_expired = true}, ", an issuer's, has expired"},
    {{.names = {"a.example"}, .begins = -DAY, .ends = 900 * DAY}, "Apple's mail programs reject"},
    {{.names = {NULL}}, "has no subjectAltName, and so no name"},
    {{.common_name = "a.example"}, "its name a.example is in the common name (CN) alone"},
    {{.names = {"b.example"}, .common_name = "a.example"}, "those that ask for a.example will reject it"},
    {{.names = {"a.example"}, .for_clients = true}, "extendedKeyUsage lacks serverAuth"},
    {{.names = {"a.example"}, .sha1 = true}, "is signed with SHA-1"},
    {{.key = CERTIFICATE_RSA_1024, .names = {"a.example"}}, "has an RSA key of 1024 bits"},
    {{.key = CERTIFICATE_RSA,
      .names = {"a.example"},
      .extensions = {{"keyUsage", "critical,keyEncipherment"}}},
     "may not sign: its keyUsage lacks digitalSignature"},
    {{.names = {"a.example"}, .extensions = {{"1.3.6.1.5.5.7.1.24", "DER:30:03:02:01:05"}}},
     "demands a stapled OCSP response"},
    {{.names = {"a.example"}, .without_issuer = true},
     "has the leaf alone, without the certificate of its issuer"},
    {{.names = {"a.example"},
      .without_issuer = true,
      .extensions = {{"authorityInfoAccess", "caIssuers;URI:http://ca.example/i.der"}}},
     "curl http://ca.example/i.der | openssl x509"},
    /* What could do harm in a command is not in one. */
    {{.names = {"a.example"},
      .without_issuer = true,
      .extensions = {{"authorityInfoAccess", "caIssuers;URI:http://ca.example/$(reboot)"}}},
     "(certificate tools name the whole chain fullchain)"},
};

START_TEST(what_clients_will_reject)
{
    struct tls_certificate_files files = certificate_make(&warnings[_i].wish);
    ck_assert(loads(&files));
    expect_said("warning", warnings[_i].words);
    expect_said("warning", files.chain);
}
END_TEST

START_TEST(what_clients_take)
{
    static const struct certificate_wish wishes[] = {
        {.names = {"*.example", "a.b.example"}, .common_name = "a.example"},
        {.names = {"a.example"}, .common_name = "Mail of Example Ltd."},
        {.names = {"a.example"}, .extensions = {{"keyUsage", "digitalSignature"}}},
        {.names = {"a.example"}, .extensions = {{"extendedKeyUsage", "clientAuth,serverAuth"}}},
        {.names = {"a.example"}, .extensions = {{"extendedKeyUsage", "anyExtendedKeyUsage"}}},
        {.key = CERTIFICATE_RSA,
         .names = {"a.example"},
         .extensions = {{"keyUsage", "keyEncipherment,digitalSignature"}}},
        {.names = {"a.example"}, .self_signed = true, .begins = -DAY, .ends = 3650 * DAY},
        {.names = {"a.example"}, .extensions = {{"1.3.6.1.5.5.7.1.24", "DER:30:03:02:01:11"}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
        struct tls_certificate_files files = certificate_make(&wishes[i]);
        ck_assert(loads(&files));
        ck_assert_str_eq(said, "");
    }
}
END_TEST

START_TEST(a_staple_that_is_demanded_and_there)
{
    struct tls_certificate_files files = certificate_make(&(struct certificate_wish){
        .names = {"a.example"}, .extensions = {{"1.3.6.1.5.5.7.1.24", "DER:30:03:02:01:05"}}});
    char path[256];
    snprintf(path, sizeof path, "%s.ocsp", files.chain);
    certificates_write_ocsp(path, &(struct ocsp_wish){0});
    ck_assert(loads(&files));
    ck_assert_str_eq(said, "");
    ck_assert_int_eq(remove(path), 0);
}
END_TEST

/* The folder of these tests is the user's alone: what is in it nobody else can read, whatever its mode. */
START_TEST(a_key_that_everybody_can_read)
{
    struct tls_certificate_files files = certificate_make(&(struct certificate_wish){.names = {"a.example"}});
    char folder[256];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(files.key, '/') - files.key), files.key);
    ck_assert_int_eq(chmod(files.key, 0644), 0);
    ck_assert(loads(&files));
    ck_assert_str_eq(said, "");
    ck_assert_int_eq(chmod(folder, 0711), 0);
    ck_assert(loads(&files));
    ck_assert_int_eq(chmod(folder, 0700), 0);
    expect_said("warning", "can be read by every user of this machine: chmod o-rwx ");
    expect_said("warning", files.key);
}
END_TEST

/* ---- what no handshake can use ---- */

static const struct certificate_wish unusable = {.names = {"a.example"},
                                                 .extensions = {{"keyUsage", "critical,keyAgreement"}}};

START_TEST(a_certificate_that_may_not_sign)
{
    static const struct tls_key_source *const sources[] = {NULL, &external_keys};
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        struct tls_certificate_files files = certificate_make(&unusable);
        ck_assert_ptr_null(load_after(&files, NULL, sources[i]));
        expect_said("error", "its keyUsage lacks digitalSignature");
        expect_said("error", files.chain);
        ck_assert_uint_eq(external_keys_count(), 0);
    }
}
END_TEST

/* Its other extensions can't be read, so that nothing is known of its usage before a handshake. */
START_TEST(a_certificate_that_only_a_handshake_refuses)
{
    struct tls_certificate_files files = certificate_make(&(struct certificate_wish){
        .names = {"a.example"},
        .extensions = {{"keyUsage", "critical,keyAgreement"}, {"basicConstraints", "DER:04:00"}}});
    ck_assert_ptr_null(load_after(&files, NULL, NULL));
    expect_said("error", "can't be used with its key");
    expect_said("error", files.chain);
}
END_TEST

START_TEST(one_that_may_not_sign_replaces_none_that_works)
{
    struct tls_certificate_files files =
        certificate_make_at(&(struct certificate_wish){.names = {"a.example"}}, "renewed.pem", "renewed.key");
    struct tls_context *context = load_after(&files, NULL, NULL);
    ck_assert_ptr_nonnull(context);
    certificate_make_at(&unusable, "renewed.pem", "renewed.key");
    struct tls_context *next = load_after(&files, context, NULL);
    ck_assert_ptr_nonnull(next);
    expect_said("warning", "lacks digitalSignature");
    expect_said("warning", "the one that was loaded before stays in use");
    ck_assert(tls_context_same_certificates(context, next));
    tls_context_unref(&next);
    tls_context_unref(&context);
}
END_TEST

START_TEST(nothing_is_said_again_of_files_that_have_not_changed)
{
    struct tls_certificate_files files =
        certificate_make(&(struct certificate_wish){.names = {"a.example"}, .without_issuer = true});
    struct tls_context *context = load_after(&files, NULL, NULL);
    expect_said("warning", "has the leaf alone");
    struct tls_context *next = load_after(&files, context, NULL);
    ck_assert_str_eq(said, "");
    tls_context_unref(&next);
    tls_context_unref(&context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_certificate_check");
    TCase *tests = tcase_create("check");
    certificates_open();
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, what_clients_will_reject, 0, (int)ARRAY_LEN(warnings));
    tcase_add_test(tests, what_clients_take);
    tcase_add_test(tests, a_staple_that_is_demanded_and_there);
    tcase_add_test(tests, a_key_that_everybody_can_read);
    tcase_add_test(tests, a_certificate_that_may_not_sign);
    tcase_add_test(tests, a_certificate_that_only_a_handshake_refuses);
    tcase_add_test(tests, one_that_may_not_sign_replaces_none_that_works);
    tcase_add_test(tests, nothing_is_said_again_of_files_that_have_not_changed);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
