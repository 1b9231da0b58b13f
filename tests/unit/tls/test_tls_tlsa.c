/* SPDX-License-Identifier: BSD-2-Clause */
/* TLSA records: their form, and which certificates they match. */
#include "base/array.h"
#include "certificates.h"
#include "tls/certificates/tls_pem.h"
#include "tls/trust/tls_tlsa.h"
#include "run_suite.h"

#include <openssl/mem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define D32 "0123456789abcdefABCDEF0123456789"
#define D64 D32 D32

static const struct {
    const char *text;
    bool ok;
} forms[] = {
    {"3 1 1 " D64, true},
    {"0 0 1 " D64, true},
    {"2 1 2 " D64 D64, true},
    {"3 0 0 30", true},
    {"3 1 1 " D32 " " D32, true},
    {"  3  1  1  " D64 "  ", true},
    {"3 1 1 " D32, false},
    {"3 1 2 " D64, false},
    {"3 1 1 " D64 "00", false},
    {"4 1 1 " D64, false},
    {"3 2 1 " D64, false},
    {"3 1 3 " D64, false},
    {"3 1 1", false},
    {"", false},
    {"3 1 0 ", false},
    {"3 1 0 123", false},
    {"3 1 0 1g", false},
    {"33 1 1 " D64, false},
    {"IN TLSA 3 1 1 " D64, false},
};

START_TEST(form)
{
    struct tls_tlsa record;
    ck_assert_msg(tls_tlsa_parse(slice_of(forms[_i].text), &record) == forms[_i].ok, "%s", forms[_i].text);
}
END_TEST

START_TEST(longer_than_any_certificate)
{
    struct tls_tlsa record;
    char text[2 * TLS_TLSA_MAX + 16] = "3 0 0 ";
    memset(text + 6, 'a', 2 * TLS_TLSA_MAX);
    ck_assert(tls_tlsa_parse(slice_of(text), &record));
    strcat(text, "aa");
    ck_assert(!tls_tlsa_parse(slice_of(text), &record));
}
END_TEST

/* ---- matching ---- */

static void say_nothing(void *arg, int source, bool is_error, const char *text)
{
    (void)arg;
    (void)source;
    ck_abort_msg("%d: %s", is_error, text);
}

static struct slice der_of(X509 *certificate, bool key, uint8_t **der)
{
    *der = NULL;
    int len = key ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), der) : i2d_X509(certificate, der);
    ck_assert_int_gt(len, 0);
    return (struct slice){*der, (size_t)len};
}

static bool matches(unsigned usage, unsigned selector, unsigned matching, struct slice data,
                    CRYPTO_BUFFER **chain)
{
    static char text[2 * TLS_TLSA_MAX + 16];
    uint8_t digest[SHA512_DIGEST_LENGTH];
    struct tls_tlsa record;
    if (matching > 0)
        data = (struct slice){matching == 1 ? SHA256(data.data, data.len, digest)
                                            : SHA512(data.data, data.len, digest),
                              matching == 1 ? 32 : 64};
    int len = sprintf(text, "%u %u %u ", usage, selector, matching);
    for (size_t i = 0; i < data.len; i++)
        len += sprintf(text + len, "%02x", data.data[i]);
    ck_assert(tls_tlsa_parse(slice_of(text), &record));
    return tls_tlsa_matches(&record, chain, 2);
}

START_TEST(each_selector_and_matching)
{
    struct tls_report report = {.add = say_nothing};
    X509 *certificates[TLS_CHAIN_MAX];
    CRYPTO_BUFFER *chain[2];
    struct tls_certificate_files files =
        certificate_make(&(struct certificate_wish){.key = CERTIFICATE_P256, .names = {"a.example"}});
    ck_assert_uint_eq(tls_pem_read_chain(files.chain, NULL, false, 0, &report, certificates), 2);
    for (size_t i = 0; i < 2; i++) {
        uint8_t *der;
        struct slice whole = der_of(certificates[i], false, &der);
        chain[i] = CRYPTO_BUFFER_new(whole.data, whole.len, NULL);
        OPENSSL_free(der);
    }
    for (size_t i = 0; i < 2; i++)
        for (unsigned usage = 0; usage < 4; usage++)
            for (unsigned selector = 0; selector < 2; selector++)
                for (unsigned matching = 0; matching < 3; matching++) {
                    uint8_t *der;
                    struct slice data = der_of(certificates[i], selector == 1, &der);
                    bool anchor = usage == 0 || usage == 2;
                    ck_assert_int_eq(matches(usage, selector, matching, data, chain), anchor == (i == 1));
                    der[data.len - 1] ^= 1;
                    ck_assert(!matches(usage, selector, matching, data, chain));
                    OPENSSL_free(der);
                }
    for (size_t i = 0; i < 2; i++) {
        CRYPTO_BUFFER_free(chain[i]);
        X509_free(certificates[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_tlsa");
    TCase *tests = tcase_create("records");
    certificates_open();
    tcase_add_loop_test(tests, form, 0, ARRAY_LEN(forms));
    tcase_add_test(tests, longer_than_any_certificate);
    tcase_add_test(tests, each_selector_and_matching);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    certificates_close();
    return status;
}
