/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "certificates.h"
#include "tls_pair.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY (24 * 3600L)

enum { PROBLEMS_MAX = 16 };

struct problems {
    size_t count;
    struct {
        int certificate;
        bool is_error;
        char text[1024];
    } items[PROBLEMS_MAX];
};

static void note(void *arg, int certificate, bool is_error, const char *text)
{
    struct problems *problems = arg;
    ck_assert_uint_lt(problems->count, PROBLEMS_MAX);
    size_t i = problems->count++;
    problems->items[i].certificate = certificate;
    problems->items[i].is_error = is_error;
    snprintf(problems->items[i].text, sizeof problems->items[i].text, "%s", text);
}

static struct tls_settings settings_for(const struct tls_certificate_files *files, size_t count)
{
    return (struct tls_settings){.certificates = files,
                                 .certificate_count = count,
                                 .min_version = TLS_1_2,
                                 .max_version = TLS_1_3,
                                 .session_tickets = true};
}

static struct tls_certificate_files files_of(const char *chain, const char *key)
{
    return (struct tls_certificate_files){.chain = chain, .key = key};
}

/* Loads; the problems are in `problems`. True if a context was made. */
static bool load(const struct tls_settings *settings, struct problems *problems)
{
    *problems = (struct problems){0};
    struct tls_report report = {.add = note, .arg = problems, .now = (long long)time(NULL)};
    struct tls_context *context = tls_context_new_server(settings, &report);
    bool ok = context != NULL;
    tls_context_unref(&context);
    ck_assert_ptr_null(context);
    return ok;
}

static bool load_one(struct tls_certificate_files files, struct problems *problems)
{
    struct tls_settings settings = settings_for(&files, 1);
    return load(&settings, problems);
}

static void expect(const struct problems *problems, size_t index, int certificate, bool is_error,
                   const char *words)
{
    ck_assert_uint_lt(index, problems->count);
    ck_assert_int_eq(problems->items[index].certificate, certificate);
    ck_assert_int_eq(problems->items[index].is_error, is_error);
    ck_assert_msg(strstr(problems->items[index].text, words) != NULL, "\"%s\" is not in: %s", words,
                  problems->items[index].text);
}

/* One error with these words and the file's path, and no context. */
static void expect_error(struct tls_certificate_files files, const char *path, const char *words)
{
    struct problems problems;
    ck_assert(!load_one(files, &problems));
    ck_assert_uint_eq(problems.count, 1);
    expect(&problems, 0, 0, true, words);
    expect(&problems, 0, 0, true, path);
}

/* One warning with these words, and a context. */
static void expect_warning(struct tls_certificate_files files, const char *words)
{
    struct problems problems;
    ck_assert(load_one(files, &problems));
    ck_assert_uint_eq(problems.count, 1);
    expect(&problems, 0, 0, false, words);
    expect(&problems, 0, 0, false, files.chain);
}

static struct tls_certificate_files good(enum certificate_key key)
{
    return certificate_make(&(struct certificate_wish){.key = key, .names = {"mail.example.com"}});
}

/* ---- what is right ---- */

START_TEST(good_files_are_taken_without_a_word)
{
    struct problems problems;
    const struct certificate_wish wishes[] = {
        {.key = CERTIFICATE_P256, .names = {"mail.example.com"}},
        {.key = CERTIFICATE_RSA, .names = {"mail.example.com", "*.example.com"}},
        {.key = CERTIFICATE_P256, .names = {"mail.example.com"}, .self_signed = true},
        {.key = CERTIFICATE_P256, .addresses = {"192.0.2.1"}},
        {.key = CERTIFICATE_P256, .names = {"mail.example.com"}, .issuer_times = 14},
    };
    for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
        ck_assert(load_one(certificate_make(&wishes[i]), &problems));
        ck_assert_uint_eq(problems.count, 0);
    }
}
END_TEST

START_TEST(chain_and_key_in_one_file)
{
    struct problems problems;
    struct tls_certificate_files files = good(CERTIFICATE_P256);
    const char *both = certificates_join("both.pem", (const char *const[]){files.key, files.chain, NULL});
    ck_assert(load_one(files_of(both, both), &problems));
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(references_keep_a_context)
{
    struct tls_certificate_files files = good(CERTIFICATE_P256);
    struct tls_pair_settings settings = {.certificates = &files, .certificate_count = 1};
    struct tls_context *first = tls_pair_server_context(&settings);
    struct tls_context *second = tls_context_ref(first);
    tls_context_unref(&first);
    ck_assert_ptr_null(first);
    struct tls_io *io = tls_io_new(1000);
    struct tls_endpoint *endpoint = tls_endpoint_new_server(second, io, NULL);
    tls_context_unref(&second);
    ck_assert_int_eq(tls_endpoint_state(endpoint), TLS_HANDSHAKING);
    tls_endpoint_free(&endpoint);
    tls_io_free(&io);
    /* Nothing is no harm. */
    tls_context_unref(&first);
    tls_endpoint_free(&endpoint);
    tls_io_free(&io);
}
END_TEST

/* ---- errors ---- */

START_TEST(missing_files)
{
    struct problems problems;
    struct tls_certificate_files files = good(CERTIFICATE_P256);
    const char *nowhere = certificates_path("nowhere.pem");
    expect_error(files_of(nowhere, files.key), nowhere, "can't open the certificate chain");
    expect_error(files_of(files.chain, nowhere), nowhere, "can't open the private key");
    ck_assert(!load_one(files_of(nowhere, nowhere), &problems));
    ck_assert_uint_eq(problems.count, 2);
    expect(&problems, 0, 0, true, "can't open the private key");
    expect(&problems, 0, 0, true, "No such file or directory");
    expect(&problems, 1, 0, true, "can't open the certificate chain");
}
END_TEST

START_TEST(files_that_are_something_else)
{
    struct tls_certificate_files files = good(CERTIFICATE_P256);
    const char *garbage = certificates_write("garbage.pem", "this is no PEM\n\x01\x02\x03");
    const char *nothing = certificates_write("nothing.pem", "");
    expect_error(files_of(files.key, files.key), files.key, "has no certificate in PEM form");
    expect_error(files_of(garbage, files.key), garbage, "has no certificate in PEM form");
    expect_error(files_of(nothing, files.key), nothing, "has no certificate in PEM form");
    expect_error(files_of(files.chain, files.chain), files.chain, "has no private key in PEM form");
    expect_error(files_of(files.chain, garbage), garbage, "has no private key in PEM form");
    expect_error(files_of(files.chain, nothing), nothing, "has no private key in PEM form");
}
END_TEST

START_TEST(damaged_pem)
{
    struct tls_certificate_files files = good(CERTIFICATE_P256);
    const char *cut = certificates_write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    const char *wrong =
        certificates_write("wrong.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    const char *key =
        certificates_write("wrong.key", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
    expect_error(files_of(cut, files.key), cut, "certificate 1 in");
    expect_error(files_of(wrong, files.key), wrong, "can't be read");
    expect_error(files_of(files.chain, key), key, "has no private key in PEM form");
}
END_TEST

START_TEST(encrypted_key)
{
    struct tls_certificate_files files =
        certificate_make(&(struct certificate_wish){.names = {"a.example"}, .passphrase = "open sesame"});
    expect_error(files, files.key, "is encrypted with a passphrase; name the file that has it");
}
END_TEST

START_TEST(key_of_another_certificate)
{
    for (int key = CERTIFICATE_P256; key <= CERTIFICATE_RSA; key++) {
        struct tls_certificate_files files = certificate_make(&(struct certificate_wish){
            .key = (enum certificate_key)key, .names = {"a.example"}, .foreign_key = true});
        expect_error(files, files.key, "does not belong to the first certificate in");
        expect_error(files, files.chain, "does not belong to the first certificate in");
    }
    /* A key of another kind altogether. */
    struct tls_certificate_files ecdsa = good(CERTIFICATE_P256);
    struct tls_certificate_files rsa = good(CERTIFICATE_RSA);
    expect_error(files_of(ecdsa.chain, rsa.key), rsa.key, "does not belong to the first certificate in");
}
END_TEST

START_TEST(chain_in_the_wrong_order)
{
    /* The authority's certificate comes first, and the key is the leaf's. */
    struct tls_certificate_files files =
        certificate_make(&(struct certificate_wish){.names = {"a.example"}, .issuer_first = true});
    expect_error(files, files.key, "(the leaf must come first)");
}
END_TEST

START_TEST(more_certificates_than_a_chain_has)
{
    struct tls_certificate_files files =
        certificate_make(&(struct certificate_wish){.names = {"a.example"}, .issuer_times = 40});
    expect_error(files, files.chain, "has more than 16 certificates");
}
END_TEST

/* The setting that the message is of. */
static int source_of(const char *words)
{
    if (strncmp(words, "no TLS version", 14) == 0)
        return TLS_NO_SOURCE;
    return strstr(words, "\"groups\"") != NULL ? TLS_SOURCE_GROUPS : TLS_SOURCE_CIPHERS;
}

START_TEST(settings_that_cannot_be)
{
    static const struct {
        uint16_t min;
        uint16_t max;
        const char *ciphers;
        const char *groups;
        const char *words[2];
    } cases[] = {
        {TLS_1_3, TLS_1_2, NULL, NULL, {"no TLS version is left between min_version and max_version", NULL}},
        {TLS_1_2,
         TLS_1_3,
         "NO-SUCH-CIPHER",
         NULL,
         {"\"NO-SUCH-CIPHER\" in \"ciphers\" is no suite that the TLS library knows, expected OpenSSL's "
          "names",
          NULL}},
        {TLS_1_2, TLS_1_3, "ECDHE-ECDSA-AES128-GCM-SHA256:TYPO", NULL, {"\"TYPO\" in \"ciphers\"", NULL}},
        {TLS_1_2, TLS_1_3, "", NULL, {"\"ciphers\" = \"\" leaves no suite, expected", NULL}},
        {TLS_1_2,
         TLS_1_3,
         NULL,
         "X25519:P-999",
         {"\"P-999\" in \"groups\" is no group that the TLS library knows, expected some of \"X25519\"",
          NULL}},
        {TLS_1_3, TLS_1_2, "TYPO", NULL, {"no TLS version is left", "\"TYPO\" in \"ciphers\""}},
        {TLS_1_2, TLS_1_3, "TYPO", "TYPO", {"\"TYPO\" in \"ciphers\"", "\"TYPO\" in \"groups\""}},
        {TLS_1_2, TLS_1_3, "A:ECDHE-RSA-AES128-GCM-SHA256:!B", NULL, {"\"A\" in", "\"!B\" in"}},
        {TLS_1_2, TLS_1_3, NULL, "A:X25519:B", {"\"A\" in \"groups\"", "\"B\" in \"groups\""}},
        {TLS_1_2,
         TLS_1_3,
         "TLS_AES_128_GCM_SHA256",
         NULL,
         {"as TLS 1.3 has it, whose suites are not chosen here", NULL}},
        {TLS_1_2, TLS_1_3, "DHE-RSA-AES128-GCM-SHA256", NULL, {"is a suite with DHE", NULL}},
        {TLS_1_2, TLS_1_3, "ECDHE-RSA-AES128-GCM-SHA256:!ALL", NULL, {"leaves no suite, expected", NULL}},
    };
    struct tls_certificate_files files = good(CERTIFICATE_P256);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct problems problems;
        struct tls_settings settings = settings_for(&files, 1);
        settings.min_version = cases[i].min;
        settings.max_version = cases[i].max;
        settings.ciphers = cases[i].ciphers;
        settings.groups = cases[i].groups;
        ck_assert(!load(&settings, &problems));
        ck_assert_uint_eq(problems.count, cases[i].words[1] != NULL ? 2 : 1);
        for (size_t j = 0; j < problems.count; j++)
            expect(&problems, j, source_of(cases[i].words[j]), true, cases[i].words[j]);
    }
}
END_TEST

START_TEST(settings_of_ones_own)
{
    struct tls_certificate_files files = good(CERTIFICATE_P256);
    struct problems problems;
    struct tls_settings settings = settings_for(&files, 1);
    settings.min_version = TLS_1_0;
    settings.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA";
    settings.groups = "P-384:X25519";
    settings.session_tickets = false;
    ck_assert(load(&settings, &problems));
    ck_assert_uint_eq(problems.count, 0);
}
END_TEST

/* ---- warnings ---- */

START_TEST(dates)
{
    expect_warning(certificate_make(
                       &(struct certificate_wish){.names = {"a.example"}, .begins = -30 * DAY, .ends = -DAY}),
                   "has expired: clients will reject it");
    expect_warning(
        certificate_make(&(struct certificate_wish){.names = {"a.example"}, .begins = DAY, .ends = 30 * DAY}),
        "is not valid yet");
    expect_warning(
        certificate_make(&(struct certificate_wish){.names = {"a.example"}, .issuer_expired = true}),
        "certificate 2 in");
}
END_TEST

START_TEST(dates_are_not_looked_at_without_a_clock)
{
    struct tls_certificate_files files = certificate_make(
        &(struct certificate_wish){.names = {"a.example"}, .begins = -30 * DAY, .ends = -DAY});
    struct problems problems = {0};
    struct tls_settings settings = settings_for(&files, 1);
    struct tls_report report = {.add = note, .arg = &problems};
    struct tls_context *context = tls_context_new_server(&settings, &report);
    ck_assert_ptr_nonnull(context);
    ck_assert_uint_eq(problems.count, 0);
    tls_context_unref(&context);
}
END_TEST

START_TEST(chain_with_a_foreign_certificate)
{
    /* The leaf, and after it another leaf in the place of its issuer. */
    struct tls_certificate_files first =
        certificate_make(&(struct certificate_wish){.names = {"a.example"}, .without_issuer = true});
    struct tls_certificate_files second =
        certificate_make(&(struct certificate_wish){.names = {"b.example"}, .without_issuer = true});
    const char *chain =
        certificates_join("foreign.pem", (const char *const[]){first.chain, second.chain, NULL});
    expect_warning(files_of(chain, first.key), "each issuer");
}
END_TEST

/* ---- all in one go ---- */

START_TEST(all_problems_of_several_certificates)
{
    const struct tls_certificate_files files[] = {
        certificate_make(&(struct certificate_wish){.names = {"a.example"}, .foreign_key = true}),
        good(CERTIFICATE_P256),
        files_of(certificates_path("nowhere.pem"), certificates_path("nowhere.key")),
        certificate_make(
            &(struct certificate_wish){.names = {"d.example"}, .begins = -30 * DAY, .ends = -DAY}),
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_RSA, .passphrase = "open sesame"}),
    };
    struct tls_settings settings = settings_for(files, ARRAY_LEN(files));
    settings.min_version = TLS_1_3;
    settings.max_version = TLS_1_2;
    struct problems problems;
    ck_assert(!load(&settings, &problems));
    ck_assert_uint_eq(problems.count, 6);
    expect(&problems, 0, TLS_NO_SOURCE, true, "no TLS version is left");
    expect(&problems, 1, 0, true, "does not belong");
    expect(&problems, 2, 2, true, "can't open the private key");
    expect(&problems, 3, 2, true, "can't open the certificate chain");
    expect(&problems, 4, 3, false, "has expired");
    expect(&problems, 5, 4, true, "is encrypted");
}
END_TEST

START_TEST(client_versions_that_cannot_be)
{
    struct tls_context *context = tls_context_new_client(TLS_1_2, TLS_1_3);
    ck_assert_ptr_nonnull(context);
    tls_context_unref(&context);
    ck_assert_ptr_null(tls_context_new_client(0x0999, TLS_1_3));
    ck_assert_ptr_null(tls_context_new_client(TLS_1_2, 0x0999));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_context");
    TCase *tests = tcase_create("context");
    certificates_open();
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, good_files_are_taken_without_a_word);
    tcase_add_test(tests, chain_and_key_in_one_file);
    tcase_add_test(tests, references_keep_a_context);
    tcase_add_test(tests, missing_files);
    tcase_add_test(tests, files_that_are_something_else);
    tcase_add_test(tests, damaged_pem);
    tcase_add_test(tests, encrypted_key);
    tcase_add_test(tests, key_of_another_certificate);
    tcase_add_test(tests, chain_in_the_wrong_order);
    tcase_add_test(tests, more_certificates_than_a_chain_has);
    tcase_add_test(tests, settings_that_cannot_be);
    tcase_add_test(tests, settings_of_ones_own);
    tcase_add_test(tests, dates);
    tcase_add_test(tests, dates_are_not_looked_at_without_a_clock);
    tcase_add_test(tests, chain_with_a_foreign_certificate);
    tcase_add_test(tests, all_problems_of_several_certificates);
    tcase_add_test(tests, client_versions_that_cannot_be);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
