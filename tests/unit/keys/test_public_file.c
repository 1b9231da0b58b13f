/* SPDX-License-Identifier: BSD-2-Clause */
/* What the proxy gets of files that it may not read. */
#include "keys/public_file.h"

#include "run_suite.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include <string.h>

static EVP_PKEY *key;
static X509 *certificate;
static uint8_t text[64 * 1024];
static uint8_t into[64 * 1024];
static size_t used;

static void set_up(void)
{
    key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 1000);
    ck_assert(X509_set_pubkey(certificate, key));
    ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);
}

static void tear_down(void)
{
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* Appends a block to `text`. */
static size_t put_block(size_t at, const char *name, const uint8_t *der, long len)
{
    char *pem;
    BIO *memory = BIO_new(BIO_s_mem());
    ck_assert(PEM_write_bio(memory, name, "", der, len));
    long pem_len = BIO_get_mem_data(memory, &pem);
    ck_assert_uint_lt(at + (size_t)pem_len, sizeof text);
    memcpy(text + at, pem, (size_t)pem_len);
    BIO_free(memory);
    return at + (size_t)pem_len;
}

static size_t put_certificate(size_t at, long more)
{
    uint8_t der[1024] = {0};
    uint8_t *end = der;
    ck_assert_int_lt(i2d_X509(certificate, NULL), (int)sizeof der - 8);
    long len = i2d_X509(certificate, &end);
    return put_block(at, "CERTIFICATE", der, len + more);
}

static bool take(size_t len, size_t cap)
{
    return public_file_certificates((struct slice){text, len}, into, cap, &used);
}

START_TEST(certificates)
{
    static const char words[] = "subject = a certificate\n";
    static const uint8_t secret[] = "the secret of a key";
    size_t alone = put_certificate(0, 0);
    uint8_t wanted[sizeof text];
    memcpy(wanted, text, alone);
    memcpy(text, words, sizeof words - 1);
    size_t len = put_certificate(sizeof words - 1, 0);
    len = put_block(len, "PRIVATE KEY", secret, sizeof secret);
    len = put_certificate(len, 0);
    ck_assert(take(len, sizeof into));
    ck_assert_uint_eq(used, 2 * alone);
    ck_assert_mem_eq(into, wanted, alone);
    ck_assert_mem_eq(into + alone, wanted, alone);
    ck_assert(!take(len, 2 * alone - 1));
    ck_assert_uint_eq(used, 0);
}
END_TEST

/* Octets that only claim to be a certificate never pass, and neither do those after one. */
START_TEST(no_other_octets)
{
    static const uint8_t secret[] = "the secret of a file";
    ck_assert(take(0, sizeof into));
    ck_assert_uint_eq(used, 0);
    ck_assert(take(put_block(0, "PRIVATE KEY", secret, sizeof secret), sizeof into));
    ck_assert_uint_eq(used, 0);
    ck_assert(!take(put_block(0, "CERTIFICATE", secret, sizeof secret), sizeof into));
    ck_assert_uint_eq(used, 0);
    ck_assert(!take(put_certificate(0, 1), sizeof into));
    ck_assert(!take(put_certificate(0, -1), sizeof into));
    ck_assert(!take(put_block(put_certificate(0, 0), "CERTIFICATE", secret, sizeof secret), sizeof into));
    ck_assert_uint_eq(used, 0);
}
END_TEST

static bool take_ocsp(size_t len)
{
    return public_file_ocsp((struct slice){text, len}, into, sizeof into, &used);
}

static size_t make_response(void)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), certificate, certificate);
    ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
    uint8_t *end = text;
    ck_assert_ptr_nonnull(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, now, NULL));
    ck_assert(OCSP_basic_sign(basic, certificate, key, EVP_sha256(), NULL, 0));
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    int len = i2d_OCSP_RESPONSE(response, &end);
    ck_assert_int_gt(len, 0);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(now);
    return (size_t)len;
}

START_TEST(responses)
{
    size_t len = make_response();
    ck_assert(take_ocsp(len));
    ck_assert_uint_eq(used, len);
    ck_assert_mem_eq(into, text, len);
    ck_assert(!public_file_ocsp((struct slice){text, len}, into, len - 1, &used));
    ck_assert_uint_eq(used, 0);
    ck_assert(!take_ocsp(len + 1));
    ck_assert(!take_ocsp(len - 1));
    ck_assert(!take_ocsp(0));
}
END_TEST

/* An envelope whose content is anything: the basic response is decoded, too. */
START_TEST(no_other_octets_in_a_response)
{
    static const uint8_t secret[] = "the secret of a file";
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, NULL);
    uint8_t *end = text;
    int len = i2d_OCSP_RESPONSE(response, &end);
    OCSP_RESPONSE_free(response);
    ck_assert_int_gt(len, 0);
    ck_assert(!take_ocsp((size_t)len)); /* without a basic response */
    static const uint8_t head[] = {0x30, 0x29, 0x0a, 0x01, 0x00, 0xa0, 0x24, 0x30, 0x22, 0x06, 0x09,
                                   0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01, 0x04, 0x15};
    ck_assert_uint_eq(sizeof head + sizeof secret, 2 + head[1]);
    memcpy(text, head, sizeof head);
    memcpy(text + sizeof head, secret, sizeof secret);
    ck_assert(!take_ocsp(sizeof head + sizeof secret));
    memcpy(text, secret, sizeof secret);
    ck_assert(!take_ocsp(sizeof secret));
    ck_assert_uint_eq(used, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("public_file");
    TCase *tests = tcase_create("public_file");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, certificates);
    tcase_add_test(tests, no_other_octets);
    tcase_add_test(tests, responses);
    tcase_add_test(tests, no_other_octets_in_a_response);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
