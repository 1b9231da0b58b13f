/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "certificates.h"
#include "tls_peer.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tls_certificate_files ecdsa;
static struct tls_certificate_files rsa;

/* ---- what is chosen ---- */

#define AES128   "ECDHE-ECDSA-AES128-GCM-SHA256"
#define AES256   "ECDHE-ECDSA-AES256-GCM-SHA384"
#define CHACHA20 "ECDHE-ECDSA-CHACHA20-POLY1305"
#define CBC      "ECDHE-ECDSA-AES128-SHA"

static const struct {
    const char *server; /* NULL: the default */
    const char *client; /* in its order */
    const char *chosen; /* NULL: nothing */
} choices[] = {
    {NULL, AES128 ":" AES256 ":" CHACHA20, AES128},
    /* OpenSSL's order: a machine with instructions for AES */
    {NULL, AES256 ":" CHACHA20 ":" AES128, AES128},
    {NULL, AES256 ":" CHACHA20, AES256},
    {NULL, AES256, AES256},
    /* a machine without */
    {NULL, CHACHA20 ":" AES128 ":" AES256, CHACHA20},
    {NULL, CBC ":" CHACHA20 ":" AES128, CHACHA20},
    {NULL, CHACHA20, CHACHA20},
    {NULL, CBC, NULL},
    {AES256 ":" AES128, AES128 ":" AES256, AES256},
    {AES256 ":" AES128 ":" CHACHA20, CHACHA20 ":" AES128, CHACHA20},
    {AES256 ":" AES128 ":" CHACHA20, AES128 ":" CHACHA20, AES128},
    {AES256 ":" AES128, CHACHA20 ":" AES128, AES128},
    {CHACHA20 ":" AES128, AES128 ":" CHACHA20, CHACHA20},
    {"[" AES128 "|" AES256 "]:" CHACHA20, AES256 ":" AES128, AES256},
};

static void connect_with(struct tls_peer *peer, const char *suites)
{
    ck_assert(SSL_set_strict_cipher_list(peer->client, suites));
    for (int flights = 0; flights < 4; flights++) {
        tls_peer_shake(peer);
        tls_peer_deliver(peer, peer->to_server.len);
    }
}

START_TEST(suite)
{
    const struct tls_pair_settings settings = {
        .certificates = &ecdsa, .certificate_count = 1, .client_max = TLS_1_2, .ciphers = choices[_i].server};
    for (int grease = 0; grease < 2; grease++) {
        struct tls_peer peer;
        tls_peer_open(&peer, &settings);
        SSL_CTX_set_grease_enabled(peer.client_context, grease);
        connect_with(&peer, choices[_i].client);
        if (choices[_i].chosen != NULL)
            ck_assert_str_eq(tls_endpoint_info(peer.server).openssl_cipher, choices[_i].chosen);
        else
            ck_assert_str_eq(tls_endpoint_failure(peer.server), "no cipher suite in common");
        tls_peer_close(&peer);
    }
}
END_TEST

/*
 * A client that could do TLS 1.3 too, with a server that can't: its suites of TLS 1.3 do not hide those after
 * them.
 */
START_TEST(suite_of_a_client_that_has_tls_1_3)
{
    const struct tls_pair_settings settings = {
        .certificates = &ecdsa, .certificate_count = 1, .server_max = TLS_1_2};
    struct tls_peer peer;
    tls_peer_open(&peer, &settings);
    connect_with(&peer, AES256 ":" AES128);
    ck_assert_str_eq(tls_endpoint_info(peer.server).openssl_cipher, AES128);
    tls_peer_close(&peer);
}
END_TEST

static const struct {
    const char *client;
    uint16_t chosen; /* 0: nothing */
} group_choices[] = {
    {"P-256:X25519", SSL_CURVE_X25519},
    {"P-384:P-256", SSL_CURVE_SECP256R1},
    {"P-384", SSL_CURVE_SECP384R1},
    {"P-521", 0},
    {"P-224", 0},
};

START_TEST(group)
{
    static const uint16_t versions[] = {TLS_1_2, TLS_1_3};
    for (size_t i = 0; i < 2; i++) {
        const struct tls_pair_settings settings = {.certificates = &rsa,
                                                   .certificate_count = 1,
                                                   .client_min = versions[i],
                                                   .client_max = versions[i]};
        struct tls_peer peer;
        tls_peer_open(&peer, &settings);
        ck_assert(SSL_set1_curves_list(peer.client, group_choices[_i].client));
        for (int flights = 0; flights < 4; flights++) {
            tls_peer_shake(&peer);
            tls_peer_deliver(&peer, peer.to_server.len);
        }
        ck_assert_int_eq(tls_endpoint_state(peer.server),
                         group_choices[_i].chosen != 0 ? TLS_OPEN : TLS_FAILED);
        ck_assert_uint_eq(SSL_get_curve_id(peer.client), group_choices[_i].chosen);
        tls_peer_close(&peer);
    }
}
END_TEST

/* RFC 9155: a client that would take nothing but SHA-1 gets nothing. */
START_TEST(no_sha1)
{
    static const uint16_t sha1[] = {SSL_SIGN_RSA_PKCS1_SHA1};
    static const uint16_t better[] = {SSL_SIGN_RSA_PKCS1_SHA1, SSL_SIGN_RSA_PKCS1_SHA256};
    const struct tls_pair_settings settings = {
        .certificates = &rsa, .certificate_count = 1, .client_max = TLS_1_2};
    struct tls_peer peer;
    tls_peer_open(&peer, &settings);
    ck_assert(SSL_set_verify_algorithm_prefs(peer.client, sha1, 1));
    tls_peer_shake(&peer);
    tls_peer_deliver(&peer, peer.to_server.len);
    ck_assert_str_eq(tls_endpoint_failure(peer.server), "no signature algorithm in common");
    tls_peer_close(&peer);
    tls_peer_open(&peer, &settings);
    ck_assert(SSL_set_verify_algorithm_prefs(peer.client, better, 2));
    tls_peer_connect(&peer);
    ck_assert_uint_eq(SSL_get_peer_signature_algorithm(peer.client), SSL_SIGN_RSA_PKCS1_SHA256);
    tls_peer_close(&peer);
}
END_TEST

/* TLS 1.0 and 1.1 are there if somebody asks for them, and not otherwise. */
START_TEST(old_versions)
{
    static const uint16_t old[] = {TLS_1_0, TLS_1_1};
    for (size_t i = 0; i < 2; i++)
        for (int asked_for = 0; asked_for < 2; asked_for++) {
            const struct tls_pair_settings settings = {.certificates = &rsa,
                                                       .certificate_count = 1,
                                                       .server_min = asked_for ? old[i] : 0,
                                                       .client_min = old[i],
                                                       .client_max = old[i]};
            struct tls_peer peer;
            tls_peer_open(&peer, &settings);
            for (int flights = 0; flights < 4; flights++) {
                tls_peer_shake(&peer);
                tls_peer_deliver(&peer, peer.to_server.len);
            }
            ck_assert_int_eq(tls_endpoint_state(peer.server), asked_for ? TLS_OPEN : TLS_FAILED);
            tls_peer_close(&peer);
        }
}
END_TEST

/* ---- what may be asked for ---- */

struct told {
    char text[2048];
    unsigned errors;
    unsigned warnings;
};

static void note(void *arg, int source, bool is_error, const char *text)
{
    struct told *told = arg;
    size_t len = strlen(told->text);
    ck_assert_int_eq(source, TLS_SOURCE_CIPHERS);
    snprintf(told->text + len, sizeof told->text - len, "%s\n", text);
    told->errors += is_error;
    told->warnings += !is_error;
}

static const struct {
    uint16_t min;
    uint16_t max;
    const char *ciphers;
    unsigned errors;
    unsigned warnings;
    const char *words;
} lists[] = {
    {TLS_1_2, TLS_1_3, NULL, 0, 0, ""},
    {TLS_1_0, TLS_1_3, NULL, 0, 0, ""},
    {TLS_1_0, TLS_1_1, NULL, 0, 0, ""},
    {TLS_1_2, TLS_1_3, AES128 ":" CHACHA20, 0, 0, ""},
    {TLS_1_2, TLS_1_3, AES128 ":" CBC, 0, 1,
     "the suite ECDHE-ECDSA-AES128-SHA in \"ciphers\" is an old one (CBC), which TLS 1.2 does not need (RFC "
     "9325)\n"},
    {TLS_1_1, TLS_1_3, AES128 ":" CBC, 0, 0, ""},
    {TLS_1_2, TLS_1_3, "AES128-GCM-SHA256:" AES128, 1, 0,
     "the suite AES128-GCM-SHA256 in \"ciphers\" can't be used: it has no forward secrecy: "
     "whoever gets the key can decrypt recorded connections (RFC 9325)\n"},
    {TLS_1_0, TLS_1_3, "DES-CBC3-SHA", 1, 0,
     "the suite DES-CBC3-SHA in \"ciphers\" can't be used: it has less than 128 bits (RFC 9325)\n"},
    {TLS_1_0, TLS_1_3, "AES128-SHA:DES-CBC3-SHA:AES256-SHA", 3, 0, NULL},
    {TLS_1_2, TLS_1_3, "ALL", 5, 4, NULL},
    {TLS_1_2, TLS_1_3, "ECDHE-PSK-CHACHA20-POLY1305:" AES128, 0, 0, ""},
    {TLS_1_2, TLS_1_3, "ECDHE+AESGCM:ECDHE+CHACHA20", 0, 0, ""},
    {TLS_1_0, TLS_1_1, AES128, 1, 0,
     "no suite in \"ciphers\" belongs to a version up to max_version: add such suites, or raise max_version "
     "to \"TLSv1.3\", which has its own\n"},
    {TLS_1_3, TLS_1_3, AES128, 0, 0, ""},
};

START_TEST(list)
{
    struct told told = {.text = ""};
    struct tls_settings settings = {.certificates = &ecdsa,
                                    .certificate_count = 1,
                                    .min_version = lists[_i].min,
                                    .max_version = lists[_i].max,
                                    .ciphers = lists[_i].ciphers};
    struct tls_report report = {.add = note, .arg = &told};
    struct tls_context *context = tls_context_new_server(&settings, &report);
    ck_assert_msg(told.errors == lists[_i].errors, "%u errors: %s", told.errors, told.text);
    ck_assert_msg(told.warnings == lists[_i].warnings, "%u warnings: %s", told.warnings, told.text);
    ck_assert((context != NULL) == (told.errors == 0));
    if (lists[_i].words != NULL)
        ck_assert_str_eq(told.text, lists[_i].words);
    tls_context_unref(&context);
}
END_TEST

/* ---- certificates that no suite signs with ---- */

#define RSA_SUITE "ECDHE-RSA-AES128-GCM-SHA256"

/* The last one is of another name. */
enum { WITH_ECDSA = 1, WITH_RSA = 2, WITH_OTHER = 4 };

static struct tls_certificate_files other_rsa;

static const struct {
    unsigned certificates;
    uint16_t min;
    uint16_t max;
    const char *ciphers;
    unsigned errors;
    unsigned warnings;
    const char *words;
} pairings[] = {
    {WITH_RSA, TLS_1_2, TLS_1_2, AES128, 1, 0,
     "all clients that ask for mail.example.com are refused; add such a suite (\"" RSA_SUITE "\"), or use a "
     "certificate with an ECDSA key, or set max_version = \"TLSv1.3\""},
    {WITH_RSA, TLS_1_2, TLS_1_3, AES128, 0, 1,
     "\"ciphers\" has no suite for an RSA key, as that of the certificate in "},
    {WITH_RSA, TLS_1_2, TLS_1_3, AES128, 0, 1,
     "clients without TLS 1.3 that ask for mail.example.com are refused"},
    {WITH_RSA, TLS_1_3, TLS_1_3, AES128, 0, 0, ""},
    {WITH_RSA, TLS_1_2, TLS_1_2, NULL, 0, 0, ""},
    {WITH_RSA, TLS_1_2, TLS_1_2, AES128 ":" RSA_SUITE, 0, 0, ""},
    {WITH_ECDSA, TLS_1_2, TLS_1_2, RSA_SUITE, 1, 0, "has no suite for an ECDSA key"},
    {WITH_ECDSA | WITH_RSA, TLS_1_2, TLS_1_2, RSA_SUITE, 0, 0, ""},
    {WITH_ECDSA | WITH_RSA, TLS_1_2, TLS_1_2, AES128, 0, 0, ""},
    {WITH_ECDSA | WITH_OTHER, TLS_1_2, TLS_1_2, AES128, 1, 0, "that ask for other.example.com are refused"},
    {WITH_ECDSA | WITH_RSA | WITH_OTHER, TLS_1_2, TLS_1_3, AES128, 0, 1,
     "that ask for other.example.com are refused"},
    {WITH_RSA, TLS_1_0, TLS_1_1, RSA_SUITE ":" CBC, 1, 0, "add such a suite (\"ECDHE-RSA-AES128-SHA\")"},
};

START_TEST(pairing)
{
    const struct tls_certificate_files all[] = {ecdsa, rsa, other_rsa};
    struct tls_certificate_files chosen[ARRAY_LEN(all)];
    struct tls_settings settings = {.certificates = chosen,
                                    .min_version = pairings[_i].min,
                                    .max_version = pairings[_i].max,
                                    .ciphers = pairings[_i].ciphers};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if ((pairings[_i].certificates & 1u << i) != 0)
            chosen[settings.certificate_count++] = all[i];
    struct told told = {.text = ""};
    struct tls_report report = {.add = note, .arg = &told};
    struct tls_context *context = tls_context_new_server(&settings, &report);
    ck_assert_msg(told.errors == pairings[_i].errors && told.warnings == pairings[_i].warnings, "%s",
                  told.text);
    ck_assert((context != NULL) == (told.errors == 0));
    ck_assert_msg(strstr(told.text, pairings[_i].words) != NULL, "%s", told.text);
    tls_context_unref(&context);
}
END_TEST

#define COUNT(array) ((int)(ARRAY_LEN(array)))

int main(void)
{
    Suite *all = suite_create("tls_policy");
    TCase *tests = tcase_create("policy");
    certificates_open();
    ecdsa = certificate_make(&(struct certificate_wish){.names = {"mail.example.com"}});
    rsa = certificate_make(&(struct certificate_wish){.key = CERTIFICATE_RSA, .names = {"mail.example.com"}});
    other_rsa =
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_RSA, .names = {"other.example.com"}});
    tcase_add_loop_test(tests, suite, 0, COUNT(choices));
    tcase_add_test(tests, suite_of_a_client_that_has_tls_1_3);
    tcase_add_loop_test(tests, group, 0, COUNT(group_choices));
    tcase_add_test(tests, no_sha1);
    tcase_add_test(tests, old_versions);
    tcase_add_loop_test(tests, list, 0, COUNT(lists));
    tcase_add_loop_test(tests, pairing, 0, COUNT(pairings));
    suite_add_tcase(all, tests);
    int status = run_suite(all);
    certificates_close();
    return status;
}
