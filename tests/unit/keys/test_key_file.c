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

/*
 * Keys whose passphrase is "x", which OpenSSL encrypts by its provider of old algorithms alone; it takes them
 * for keys with another passphrase.
 */
static const struct {
    const char *words;
    const char *text;
} not_supported[] = {
    {"is encrypted with DES, which can't be decrypted here",
     "-----BEGIN EC PRIVATE KEY-----\n"
     "Proc-Type: 4,ENCRYPTED\n"
     "DEK-Info: DES-CBC,72B95DB7C97FDC0C\n"
     "\n"
     "z1WT0UhrpSJeWeR0e8D5Z4VNEVWncYlri5CwsGK+QoOT/ghj4xc2ItaWhoDvE8W+\n"
     "nlhVTwcBqLniwvbWpC9ZrC3qfKEkxvNB3PS96wcF+aPv9hB39XH+kcXvK0LsI+IC\n"
     "94GIod0226rbau1dK6n2+enhgvMm6GrwviWyNAEKLOU=\n"
     "-----END EC PRIVATE KEY-----\n"},
    {"is encrypted with RC2, which", "-----BEGIN EC PRIVATE KEY-----\n"
                                     "Proc-Type: 4,ENCRYPTED\n"
                                     "DEK-Info: RC2-CBC,EE88D3AB38F4C968\n"
                                     "\n"
                                     "bQlVa6V8kSsFgS3ceqGH9z6kSrlgwA3W13RYI0JH25E9cHeBavBHSnMlj3xWf8py\n"
                                     "bISKBs5HmRDW2Fl1dn06ya53uQFG/DyWYGqjMHcqMlsok0wqZuSsdT3qsYmGzOkZ\n"
                                     "ptEDX33BTKG3BS7OYlRTu3ymMejgBN1uWiq+NUUMU3I=\n"
                                     "-----END EC PRIVATE KEY-----\n"},
    {"MD5 and DES (PBES1), which", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                   "MIGwMBsGCSqGSIb3DQEFAzAOBAjPJIlshlzPfAICCAAEgZBVfNcamgUDE6BeF0r/\n"
                                   "5aFqP6HwLryrKzvwfkwDPCaKAPdx0g4QYeNs+gR9zZUJ27PG2cfWrjiqJGpeRG5i\n"
                                   "cDKfkGv59cz7oe9g7BuzYeCXM5PxBZwzC8ntg20IewlAi55/liiS4TtSfKfjzRF7\n"
                                   "RzVr/aE6nSCiZk1wjsah8ooVn8drwNec5I3B0svY8LaucjM=\n"
                                   "-----END ENCRYPTED PRIVATE KEY-----\n"},
    {"RC2 with 40 bits (PKCS#12), which", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                          "MIGxMBwGCiqGSIb3DQEMAQYwDgQIZREWFNZSmvgCAggABIGQmXibDlg89e7pgS6W\n"
                                          "GElh20dcfSIMyMKIph4bM4bZM0B37G244RT2pBCBYHCJOJKfXunOnCfgZ2DPtuLF\n"
                                          "7FGGm11qFQLPAFqd9ENeYwMjnP2AjmtRh8V+10Jb5oaQRaDP0jaf4fLJjUB1tK07\n"
                                          "IGMmbudRQOZjitfc+Ti2UcXD+UlN0i8uHaJai1VQD/tXsM81\n"
                                          "-----END ENCRYPTED PRIVATE KEY-----\n"},
    {"RC4 with 128 bits (PKCS#12), which",
     "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
     "MIGrMBwGCiqGSIb3DQEMAQEwDgQI9xoEQJGF9z0CAggABIGKFqaFe/rxV3qkStJ1\n"
     "i7+aPwuOYNtqHxlU/8YblTDS7cr8ot+oL3JdIyIOIGGqVUthxgRWgaOPVWSYB33L\n"
     "EHM5wPlNJ6fivq0UKyQCTRUC4XuUUgTv9Si+KzcTHs0xeh4W8FFAO72YWPVal7sv\n"
     "HzP7Nf/2zUFcmH1zRSvqLUxKBwZdmYP0yD4RVe+G\n"
     "-----END ENCRYPTED PRIVATE KEY-----\n"},
    {"DES (PBES2), which", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                           "MIHgMEsGCSqGSIb3DQEFDTA+MCkGCSqGSIb3DQEFDDAcBAgNqHPU6mvMJQICCAAw\n"
                           "DAYIKoZIhvcNAgkFADARBgUrDgMCBwQIsdWgwHiU6tIEgZAYLab4K+Wc2L2BNWyg\n"
                           "54mrx3ltP7y+vXxnFXDIakcNuADoCKkR+iXr9RkXNMeWNmwRDlPCEklNvABNiXIQ\n"
                           "cJpIXrQ1ZRaHepkBHZuqCyqLCbr8xiYJ3X3xmBgzxVWHcBSfDRLjdE75JQaNw4VU\n"
                           "81XDx8+MCD+vegKnqex0YU9rfJAS51a+N3A/Vr+N6ANkYC0=\n"
                           "-----END ENCRYPTED PRIVATE KEY-----\n"},
    {"RC2 (PBES2), which", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                           "MIHrMFYGCSqGSIb3DQEFDTBJMCwGCSqGSIb3DQEFDDAfBAiEeHZmSfI3jQICCAAC\n"
                           "ARAwDAYIKoZIhvcNAgkFADAZBggqhkiG9w0DAjANAgE6BAjTYFwBSCF+dQSBkBfc\n"
                           "JQ9J0/7aWUItXkjHU0YMBHY24pkGOx1dHJjkSmB5hhrLhjMQdITh2LcZDJGVqFWf\n"
                           "kodTVo59GcNd7RPUVaSi4WV9eMFtSvBffNJ9c8oPr8BR4Z7/N7JoC4j2Yud8fzH6\n"
                           "mHHvM+dGa/76Zx/r4zMofsoAKvrCnD4yJ880sspQTvvij4QKA2kTET3Xu28bkw==\n"
                           "-----END ENCRYPTED PRIVATE KEY-----\n"},
    {"is encrypted with scrypt (PBES2) that takes more than 32 MB of memory",
     "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
     "MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAgGhfvjWgWbDgICQAAC\n"
     "AX8CAQEwHQYJYIZIAWUDBAEqBBBnYpKnSqpu6qq69ZfeTYfqBIGQ7A3dibbjr3e/\n"
     "MfRdD9XVwlz7D45SQ9hgu7fsIztUvj4YNclLctgVs5Lx3RkHKD+nL36p0btP2tEv\n"
     "mkeNjmvwicMvgfsSvtZYy3P0Jkh+fAegO+++Is1JkrV9ZtCedgVizCA2b30Yvaze\n"
     "BioLpT/uSNNkN1u9mj9geTHBh8+wWXbr+oCn+it9XsR1Z3nFn6MU\n"
     "-----END ENCRYPTED PRIVATE KEY-----\n"},
};

START_TEST(encryptions_that_can_not_be_opened)
{
    struct slice text = slice_of(not_supported[_i].text);
    expect_none(text, slice_of("x"), not_supported[_i].words);
    /* The passphrase is not known to be wrong, as it was never tried. */
    expect_none(text, slice_of("y"), not_supported[_i].words);
    expect_none(text, no_passphrase, "is encrypted with a passphrase");
}
END_TEST

/* What OpenSSL writes with -scrypt. */
static const char with_scrypt[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                  "MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAgGhfvjWgWbDgICQAAC\n"
                                  "AQgCAQEwHQYJYIZIAWUDBAEqBBBnYpKnSqpu6qq69ZfeTYfqBIGQ7A3dibbjr3e/\n"
                                  "MfRdD9XVwlz7D45SQ9hgu7fsIztUvj4YNclLctgVs5Lx3RkHKD+nL36p0btP2tEv\n"
                                  "mkeNjmvwicMvgfsSvtZYy3P0Jkh+fAegO+++Is1JkrV9ZtCedgVizCA2b30Yvaze\n"
                                  "BioLpT/uSNNkN1u9mj9geTHBh8+wWXbr+oCn+it9XsR1Z3nFn6MU\n"
                                  "-----END ENCRYPTED PRIVATE KEY-----\n";

START_TEST(encryptions_that_can_be_opened)
{
    const char *why = NULL;
    EVP_PKEY *key = key_file_parse(slice_of(with_scrypt), slice_of("x"), &why);
    ck_assert_msg(key != NULL, "%s", why);
    EVP_PKEY_free(key);
    expect_none(slice_of(with_scrypt), slice_of("y"), "is not its passphrase");
}
END_TEST

START_TEST(a_byte_order_mark)
{
    static const char mark[] = "\xEF\xBB\xBF";
    EVP_PKEY *key = new_key(0);
    struct slice text = write_key(key, NULL, false);
    memmove(pem + 3, pem, text.len);
    memcpy(pem, mark, 3);
    expect_key((struct slice){(const uint8_t *)pem, text.len + 3}, no_passphrase, key);
    EVP_PKEY_free(key);
}
END_TEST

/* They have as many bits as those of TLS. */
START_TEST(curves_that_tls_does_not_use)
{
    static const char *const names[] = {"secp256k1", "brainpoolP256r1", "brainpoolP384r1"};
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", names[_i]);
    ck_assert_ptr_nonnull(key);
    expect_none(write_key(key, NULL, false), no_passphrase, "is on a curve that TLS doesn't use");
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(a_curve_without_its_name)
{
    EVP_PKEY *key = new_key(0);
    ck_assert(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"));
    expect_none(write_key(key, NULL, false), no_passphrase, "-param_enc named_curve");
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
    tcase_add_test(tests, a_key_that_can_not_sign);
    tcase_add_loop_test(tests, encryptions_that_can_not_be_opened, 0,
                        (int)(sizeof not_supported / sizeof not_supported[0]));
    tcase_add_test(tests, encryptions_that_can_be_opened);
    tcase_add_test(tests, a_byte_order_mark);
    tcase_add_loop_test(tests, curves_that_tls_does_not_use, 0, 3);
    tcase_add_test(tests, a_curve_without_its_name);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
