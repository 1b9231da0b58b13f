/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/key_file.h"

#include "run_suite.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
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

/*
 * RSA whose numbers relate as they must, n = pq and de = 1 modulo p - 1 and q - 1, although p is not prime:
 * what it signs verifies nowhere.
 */
static EVP_PKEY *new_composite_key(void)
{
    BN_CTX *work = BN_CTX_new();
    BIGNUM *n[8]; /* n, e, d, p, q, and the three for the Chinese remainder */
    BIGNUM *t = BN_new();
    for (size_t i = 0; i < 8; i++)
        ck_assert_ptr_nonnull(n[i] = BN_new());
    ck_assert(BN_set_word(n[1], 65537));
    do {
        ck_assert(BN_rand(n[3], 512, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD));
        ck_assert(BN_generate_prime_ex(n[4], 512, 0, NULL, NULL, NULL));
        ck_assert(BN_mul(n[0], n[3], n[4], work));
        ck_assert(BN_sub(n[5], n[3], BN_value_one()) && BN_sub(n[6], n[4], BN_value_one()));
        ck_assert(BN_mul(t, n[5], n[6], work));
    } while (BN_check_prime(n[3], work, NULL) != 0 || BN_mod_inverse(n[2], n[1], t, work) == NULL ||
             BN_mod_inverse(n[7], n[4], n[3], work) == NULL);
    ck_assert(BN_mod(n[5], n[2], n[5], work) && BN_mod(n[6], n[2], n[6], work));
    static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
                                        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
                                        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    for (size_t i = 0; i < 8; i++)
        ck_assert(OSSL_PARAM_BLD_push_BN(build, names[i], n[i]));
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    ck_assert_int_eq(EVP_PKEY_fromdata_init(context), 1);
    ck_assert_int_eq(EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params), 1);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    for (size_t i = 0; i < 8; i++)
        BN_free(n[i]);
    BN_free(t);
    BN_CTX_free(work);
    return key;
}

START_TEST(a_key_that_can_not_sign)
{
    EVP_PKEY *key = new_composite_key();
    expect_none(write_key(key, NULL, false), no_passphrase, "what it signs does not verify");
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
    tcase_add_test(tests, what_else_is_in_a_file);
    tcase_add_test(tests, no_keys);
    tcase_add_loop_test(tests, keys_that_are_not_used, 0, 3);
    tcase_add_test(tests, a_key_that_can_not_sign);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
