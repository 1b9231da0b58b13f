/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "certificates.h"
#include "keys/sign_input.h"
#include "external_keys.h"
#include "tls_pair.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tls_certificate_files ecdsa;
static struct tls_certificate_files rsa;

static const struct {
    struct tls_pair_settings settings;
    enum sign_input_kind form;
} kinds[] = {
    {{.certificates = &ecdsa, .server_max = TLS_1_2}, SIGN_INPUT_ECDHE},
    {{.certificates = &ecdsa, .server_min = TLS_1_3}, SIGN_INPUT_TLS13_SERVER},
    {{.certificates = &rsa, .server_max = TLS_1_2}, SIGN_INPUT_ECDHE},
    {{.certificates = &rsa, .server_min = TLS_1_3}, SIGN_INPUT_TLS13_SERVER},
    {{.certificates = &rsa, .server_min = TLS_1_0, .server_max = TLS_1_0, .client_min = TLS_1_0},
     SIGN_INPUT_ECDHE},
};
enum { KINDS = ARRAY_LEN(kinds), TLS_1_3_KIND = 1 };

static uint8_t plain[TLS_HELD_MAX + TLS_PLAIN_SLACK];
/* What a client in middlebox compatibility mode sends after its ClientHello (RFC 8446 appendix D.4). */
static const uint8_t change_cipher_spec[] = {20, 3, 3, 0, 1, 1};

static struct tls_pair_settings settings_of(int kind)
{
    struct tls_pair_settings settings = kinds[kind].settings;
    settings.certificate_count = 1;
    settings.keys = &external_keys;
    return settings;
}

static enum tls_state server_state(const struct tls_pair *pair)
{
    return tls_endpoint_state(pair->server.endpoint);
}

/* As far as the server waits for a signature. */
static void open_until_asked(struct tls_pair *pair, int kind, size_t chunk)
{
    struct tls_pair_settings settings = settings_of(kind);
    tls_pair_open(pair, &settings);
    while (pair->server.incoming.len > 0)
        tls_pair_deliver(pair, &pair->server, chunk > 0 ? chunk : pair->server.incoming.len);
    ck_assert_int_eq(server_state(pair), TLS_AWAITS_SIGNATURE);
}

/* Hands the signature over; what the server answers is then on its way. */
static void give(struct tls_pair *pair, struct slice signature)
{
    size_t len = tls_endpoint_signed(pair->server.endpoint, signature, plain);
    ck_assert(bytes_append(&pair->server.plain, (struct slice){plain, len}, sizeof plain));
    tls_pair_deliver(pair, &pair->server, 0);
}

static void sign(struct tls_pair *pair)
{
    uint8_t signature[1024];
    struct tls_sign_request request = tls_endpoint_sign_request(pair->server.endpoint);
    size_t len = external_keys_sign(&request, signature);
    give(pair, (struct slice){signature, len});
}

static void expect_open(struct tls_pair *pair)
{
    ck_assert_int_eq(server_state(pair), TLS_OPEN);
    ck_assert_int_eq(tls_endpoint_state(pair->client.endpoint), TLS_OPEN);
    struct slice hello = slice_of("* OK ready\r\n");
    tls_pair_send(pair, &pair->server, &hello, 1);
    tls_pair_move(pair, 0);
    ck_assert(slice_equals(bytes_view(&pair->client.plain), hello));
}

static void close_pair(struct tls_pair *pair)
{
    tls_pair_close(pair);
    ck_assert_uint_eq(external_keys_count(), 0);
}

START_TEST(handshake_waits_for_its_signature)
{
    static const size_t chunks[] = {0, 1, 7, 100};
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        struct tls_pair pair;
        open_until_asked(&pair, _i, chunks[i]);
        struct tls_sign_request request = tls_endpoint_sign_request(pair.server.endpoint);
        ck_assert_uint_ge(request.key, 100);
        ck_assert_int_eq(sign_input_kind_of(request.input), kinds[_i].form);
        ck_assert_ptr_null(tls_endpoint_failure(pair.server.endpoint));
        sign(&pair);
        tls_pair_move(&pair, chunks[i]);
        expect_open(&pair);
        close_pair(&pair);
    }
}
END_TEST

START_TEST(no_signature_no_handshake)
{
    struct tls_pair pair;
    open_until_asked(&pair, _i, 0);
    give(&pair, (struct slice){NULL, 0});
    ck_assert_int_eq(server_state(&pair), TLS_FAILED);
    ck_assert_str_eq(tls_endpoint_failure(pair.server.endpoint),
                     "no signature was to be had from the key process");
    ck_assert_int_eq(tls_endpoint_failure_kind(pair.server.endpoint), TLS_FAILURE_NO_SIGNATURE);
    tls_pair_move(&pair, 0);
    ck_assert_int_ne(tls_endpoint_state(pair.client.endpoint), TLS_OPEN);
    close_pair(&pair);
}
END_TEST

START_TEST(signature_that_is_wrong)
{
    struct tls_pair pair;
    uint8_t signature[1024];
    open_until_asked(&pair, _i, 0);
    struct tls_sign_request request = tls_endpoint_sign_request(pair.server.endpoint);
    size_t len = external_keys_sign(&request, signature);
    signature[len - 1] ^= 1;
    give(&pair, (struct slice){signature, len});
    tls_pair_move(&pair, 0);
    ck_assert_int_eq(tls_endpoint_state(pair.client.endpoint), TLS_FAILED);
    close_pair(&pair);
}
END_TEST

START_TEST(signature_that_is_too_long)
{
    struct tls_pair pair;
    static const uint8_t signature[1024] = {1};
    open_until_asked(&pair, _i, 0);
    give(&pair, (struct slice){signature, sizeof signature});
    ck_assert_int_eq(server_state(&pair), TLS_FAILED);
    close_pair(&pair);
}
END_TEST

START_TEST(what_comes_meanwhile_is_kept)
{
    for (int glued = 0; glued < 2; glued++) {
        struct tls_pair pair;
        struct slice more = {change_cipher_spec, sizeof change_cipher_spec};
        struct tls_pair_settings settings = settings_of(TLS_1_3_KIND);
        tls_pair_open(&pair, &settings);
        if (!glued)
            tls_pair_deliver(&pair, &pair.server, pair.server.incoming.len);
        ck_assert(bytes_append(&pair.server.incoming, more, sizeof plain));
        while (pair.server.incoming.len > 0)
            tls_pair_deliver(&pair, &pair.server, glued ? pair.server.incoming.len : 1);
        ck_assert_int_eq(server_state(&pair), TLS_AWAITS_SIGNATURE);
        sign(&pair);
        tls_pair_move(&pair, 0);
        expect_open(&pair);
        close_pair(&pair);
    }
}
END_TEST

START_TEST(what_is_kept_is_looked_at)
{
    static const uint8_t garbage[] = {23, 3, 3, 0, 4, 1, 2, 3, 4};
    struct tls_pair pair;
    open_until_asked(&pair, _i, 0);
    ck_assert(bytes_append(&pair.server.incoming, (struct slice){garbage, sizeof garbage}, sizeof plain));
    tls_pair_deliver(&pair, &pair.server, sizeof garbage);
    ck_assert_int_eq(server_state(&pair), TLS_AWAITS_SIGNATURE);
    sign(&pair);
    ck_assert_int_eq(server_state(&pair), TLS_FAILED);
    close_pair(&pair);
}
END_TEST

START_TEST(not_more_is_kept_than_may_be)
{
    static const uint8_t flood[TLS_HELD_MAX + 1];
    static const size_t chunks[] = {1000, sizeof flood};
    for (size_t i = 0; i < 2; i++) {
        struct tls_pair pair;
        open_until_asked(&pair, _i, 0);
        ck_assert(bytes_append(&pair.server.incoming, (struct slice){flood, TLS_HELD_MAX}, sizeof flood));
        while (pair.server.incoming.len > 0)
            tls_pair_deliver(&pair, &pair.server, chunks[i]);
        ck_assert_int_eq(server_state(&pair), TLS_AWAITS_SIGNATURE);
        ck_assert(bytes_append(&pair.server.incoming, (struct slice){flood, 1}, sizeof flood));
        tls_pair_deliver(&pair, &pair.server, 1);
        ck_assert_int_eq(server_state(&pair), TLS_FAILED);
        ck_assert_str_eq(tls_endpoint_failure(pair.server.endpoint),
                         "client sent too much before the end of the handshake");
        close_pair(&pair);
    }
}
END_TEST

START_TEST(endpoint_that_goes_while_it_waits)
{
    struct tls_pair pair;
    open_until_asked(&pair, _i, 0);
    tls_pair_send_close(&pair, &pair.server);
    ck_assert_uint_eq(pair.client.incoming.len, 0);
    close_pair(&pair);
}
END_TEST

/* ---- loading ---- */

struct said {
    unsigned errors;
    unsigned warnings;
    char text[1024];
};

static void note(void *arg, int source, bool is_error, const char *text)
{
    struct said *said = arg;
    (void)source;
    said->errors += is_error;
    said->warnings += !is_error;
    snprintf(said->text, sizeof said->text, "%s", text);
}

static struct tls_context *load(const struct tls_certificate_files *files, struct tls_context *previous,
                                struct said *said)
{
    struct tls_settings settings = {.certificates = files,
                                    .certificate_count = 1,
                                    .previous = previous,
                                    .keys = &external_keys,
                                    .min_version = TLS_1_2,
                                    .max_version = TLS_1_3};
    struct tls_report report = {.add = note, .arg = said};
    *said = (struct said){0};
    return tls_context_new_server(&settings, &report);
}

START_TEST(key_that_is_not_the_certificates)
{
    struct said said;
    struct tls_certificate_files files =
        certificate_make(&(struct certificate_wish){.names = {"a.example"}, .foreign_key = true});
    ck_assert_ptr_null(load(&files, NULL, &said));
    ck_assert_ptr_nonnull(strstr(said.text, "does not belong to the first certificate"));
    ck_assert_uint_eq(external_keys_count(), 0);
}
END_TEST

START_TEST(key_that_can_not_be_loaded)
{
    struct said said;
    struct tls_certificate_files files = {.chain = ecdsa.chain, .key = certificates_write("no.key", "x")};
    ck_assert_ptr_null(load(&files, NULL, &said));
    ck_assert_uint_eq(said.errors, 1);
    ck_assert_ptr_nonnull(strstr(said.text, "the private key "));
    ck_assert_ptr_nonnull(strstr(said.text, "no.key is none of ours"));
}
END_TEST

START_TEST(unchanged_key_is_not_loaded_again)
{
    struct said said;
    struct tls_context *first = load(&ecdsa, NULL, &said);
    ck_assert_ptr_nonnull(first);
    struct tls_context *second = load(&ecdsa, first, &said);
    ck_assert_uint_eq(external_keys_count(), 1);
    tls_context_unref(&first);
    ck_assert_uint_eq(external_keys_count(), 1);
    tls_context_unref(&second);
    ck_assert_uint_eq(external_keys_count(), 0);
}
END_TEST

static void append_file(FILE *into, const char *path)
{
    char text[8192];
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    ck_assert_uint_eq(fwrite(text, 1, len, into), len);
}

/* A file with the chain of one certificate and, after it, its key. */
static const char *write_both(const char *name)
{
    const char *path = certificates_path(name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    append_file(file, ecdsa.chain);
    append_file(file, ecdsa.key);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

START_TEST(chain_and_key_in_one_file)
{
    struct said said;
    const char *path = write_both("both.pem");
    struct tls_context *context =
        load(&(struct tls_certificate_files){.chain = path, .key = path}, NULL, &said);
    ck_assert_msg(context != NULL, "%s", said.text);
    ck_assert_uint_eq(said.warnings, 0);
    tls_context_unref(&context);
    ck_assert_ptr_null(
        load(&(struct tls_certificate_files){.chain = ecdsa.key, .key = ecdsa.key}, NULL, &said));
    ck_assert_uint_eq(external_keys_count(), 0);
}
END_TEST

START_TEST(key_in_a_chain_that_needs_none)
{
    struct said said;
    struct tls_context *context =
        load(&(struct tls_certificate_files){.chain = write_both("more.pem"), .key = ecdsa.key}, NULL, &said);
    ck_assert_ptr_nonnull(context);
    ck_assert_uint_eq(said.warnings, 1);
    ck_assert_ptr_nonnull(strstr(said.text, "remove it from the file"));
    tls_context_unref(&context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_signing");
    TCase *tests = tcase_create("keys somewhere else");
    certificates_open();
    ecdsa =
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_P256, .names = {"mail.example.com"}});
    rsa = certificate_make(&(struct certificate_wish){.key = CERTIFICATE_RSA, .names = {"mail.example.com"}});
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, external_keys_reset, NULL);
    tcase_add_loop_test(tests, handshake_waits_for_its_signature, 0, KINDS);
    tcase_add_loop_test(tests, no_signature_no_handshake, 0, KINDS);
    tcase_add_loop_test(tests, signature_that_is_wrong, 0, KINDS);
    tcase_add_loop_test(tests, signature_that_is_too_long, 0, KINDS);
    tcase_add_test(tests, what_comes_meanwhile_is_kept);
    tcase_add_loop_test(tests, what_is_kept_is_looked_at, 0, KINDS);
    tcase_add_loop_test(tests, not_more_is_kept_than_may_be, 0, KINDS);
    tcase_add_loop_test(tests, endpoint_that_goes_while_it_waits, 0, KINDS);
    tcase_add_test(tests, key_that_is_not_the_certificates);
    tcase_add_test(tests, key_that_can_not_be_loaded);
    tcase_add_test(tests, unchanged_key_is_not_loaded_again);
    tcase_add_test(tests, chain_and_key_in_one_file);
    tcase_add_test(tests, key_in_a_chain_that_needs_none);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    external_keys_reset();
    certificates_close();
    return status;
}
