/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/key_file.h"

#include "run_suite.h"

#include <openssl/bio.h>
#include <openssl/pem.h>

#include <string.h>

static const struct slice no_passphrase = {NULL, 0};
static char pem[64 * 1024];

/* Writes the key to `pem`, encrypted if there is a passphrase. */
static struct slice write_key(EVP_PKEY *key, const char *passphrase, bool is_traditional)
{
    BIO *file = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = passphrase != NULL ? EVP_aes_128_cbc() : NULL;
    const unsigned char *octets = (const unsigned char *)passphrase;
    int len = passphrase != NULL ? (int)strlen(passphrase) : 0;
    ck_assert(is_traditional
                  ? PEM_write_bio_PrivateKey_traditional(file, key, cipher, octets, len, NULL, NULL)
                  : PEM_write_bio_PKCS8PrivateKey(file, key, cipher, passphrase, len, NULL, NULL));
    char *text;
    long text_len = BIO_get_mem_data(file, &text);
    ck_assert_int_lt(text_len, (long)sizeof pem);
    memcpy(pem, text, (size_t)text_len);
    BIO_free(file);
    return (struct slice){(const uint8_t *)pem, (size_t)text_len};
}

static void expect_key(struct slice text, struct slice passphrase, const EVP_PKEY *key)
{
    const char *why = "not asked";
    EVP_PKEY *got = key_file_parse(text, passphrase, &why);
    ck_assert_msg(got != NULL, "%s", why);
    ck_assert_ptr_null(why);
    ck_assert_int_eq(EVP_PKEY_eq(got, key), 1);
    EVP_PKEY_free(got);
}

static void expect_none(struct slice text, struct slice passphrase, const char *words)
{
    const char *why = NULL;
    ck_assert_ptr_null(key_file_parse(text, passphrase, &why));
    ck_assert_ptr_nonnull(why);
    ck_assert_msg(strstr(why, words) != NULL, "%s", why);
}

static EVP_PKEY *new_key(int kind)
{
    EVP_PKEY *key = kind == 0   ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                    : kind == 1 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024)
                    : kind == 2 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384")
                    : kind == 3 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521")
                                : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    ck_assert_ptr_nonnull(key);
    return key;
}
enum { KINDS = 5, ED25519 = 4 };

START_TEST(kinds_and_forms)
{
    EVP_PKEY *key = new_key(_i);
    for (int traditional = 0; traditional < (_i == ED25519 ? 1 : 2); traditional++) {
        expect_key(write_key(key, NULL, traditional), no_passphrase, key);
        struct slice text = write_key(key, "secret", traditional);
        expect_key(text, slice_of("secret"), key);
        expect_key(text, slice_of("secret\r\nof which only the first line counts\n"), key);
        expect_none(text, no_passphrase, "is encrypted with a passphrase");
        expect_none(text, slice_of("wrong"), "is not its passphrase");
        expect_none(text, slice_of(""), "empty or too long");
        expect_none(text, slice_of("\nsecret"), "empty or too long");
    }
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(long_passphrases)
{
    static char passphrase[KEY_PASSPHRASE_MAX + 2];
    EVP_PKEY *key = new_key(0);
    memset(passphrase, 'x', KEY_PASSPHRASE_MAX);
    struct slice text = write_key(key, passphrase, false);
    expect_key(text, slice_of(passphrase), key);
    passphrase[KEY_PASSPHRASE_MAX] = 'x';
    expect_none(text, slice_of(passphrase), "empty or too long");
    EVP_PKEY_free(key);
}
END_TEST

/* An empty line is no passphrase, even if it would decrypt the key. */
START_TEST(an_empty_passphrase)
{
    EVP_PKEY *key = new_key(0);
    struct slice text = write_key(key, "", false);
    expect_none(text, no_passphrase, "is encrypted with a passphrase");
    expect_none(text, slice_of(""), "empty or too long");
    expect_none(text, slice_of("\n"), "empty or too long");
    EVP_PKEY_free(key);
}
END_TEST

/* A key that is not encrypted needs none, and the first key of a file counts. */
START_TEST(what_else_is_in_a_file)
{
    static const char parameters[] =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    EVP_PKEY *key = new_key(0);
    struct slice text = write_key(key, NULL, true);
    expect_key(text, slice_of("nothing"), key);
    size_t len = strlen(parameters);
    memmove(pem + len, pem, text.len);
    memcpy(pem, parameters, len);
    expect_key((struct slice){(const uint8_t *)pem, len + text.len}, no_passphrase, key);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(no_keys)
{
    static const char *const texts[] = {"", "x", "-----BEGIN PRIVATE KEY-----\n",
                                        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                                        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_none(slice_of(texts[i]), no_passphrase, "has no private key in PEM form");
}
END_TEST

START_TEST(keys_that_are_not_used)
{
    EVP_PKEY *key = _i == 0   ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-224")
                    : _i == 1 ? EVP_PKEY_Q_keygen(NULL, NULL, "X25519")
                              : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1023);
    static const char *const words[] = {"is on a curve that TLS doesn't use",
                                        "is of a kind that TLS servers don't use",
                                        "is of RSA with less than 1024"};
    ck_assert_ptr_nonnull(key);
    expect_none(write_key(key, NULL, false), no_passphrase, words[_i]);
    EVP_PKEY_free(key);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key_file");
    TCase *tests = tcase_create("key_file");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, kinds_and_forms, 0, KINDS);
    tcase_add_test(tests, long_passphrases);
    tcase_add_test(tests, an_empty_passphrase);
    tcase_add_test(tests, what_else_is_in_a_file);
    tcase_add_test(tests, no_keys);
    tcase_add_loop_test(tests, keys_that_are_not_used, 0, 3);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
