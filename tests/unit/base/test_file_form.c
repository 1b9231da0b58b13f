/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/array.h"
#include "base/file_form.h"
#include "base/key_encryption.h"
#include "run_suite.h"

#include <stdlib.h>
#include <string.h>

/*
 * The smallest DER that has the form's structure: what real files are called is in the integration tests,
 * here is that no octet beyond a file is looked at, and what is nothing.
 */
static const struct {
    const char *octets;
    size_t len;
    const char *as_chain; /* NULL: the form is not known, or right */
    const char *as_key;
} forms[] = {
#define DER(octets) octets, sizeof(octets) - 1
    {DER(""), "it is empty", "it is empty"},
    {DER(" \r\n\t"), "it is empty", "it is empty"},
    {DER("\x30\x09\x30\x03\xA0\x01\x02\x30\x00\x03\x00"), "certificate in DER form", "and no key"},
    {DER("\x30\x15\x30\x0F\x02\x01\x07\x30\x04\x06\x02\x2A\x03\x30\x00\x30\x02\x17\x00\x30\x00\x03\x00"),
     "certificate in DER form", "and no key"},
    {DER("\x30\x13\x30\x0D\x02\x01\x01\x30\x04\x06\x02\x2A\x03\x30\x00\x17\x00\x30\x00\x03\x00"), "(CRL)",
     "(CRL)"},
    {DER("\x30\x0B\x30\x05\x02\x01\x00\x30\x00\x30\x00\x03\x00"), "(CSR)", "(CSR)"},
    {DER("\x30\x09\x02\x01\x03\x30\x04\x06\x02\x2A\x03"), "PKCS#12", "-nocerts"},
    {DER("\x30\x04\x06\x02\x2A\x03"), "PKCS#7", "no key"},
    {DER("\x30\x09\x02\x01\x00\x30\x04\x06\x02\x2A\x03"), "private key in DER form",
     "openssl pkey -inform DER"},
    {DER("\x30\x06\x02\x01\x00\x02\x01\x05"), "private key in DER form", "openssl pkey -inform DER"},
    {DER("\x30\x06\x02\x01\x01\x04\x01\x05"), "private key in DER form", "openssl pkey -inform DER"},
    {DER("\x30\x04\x30\x00\x04\x00"), "private key in DER form", "openssl pkey -inform DER"},
    {DER("\x30\x04\x30\x00\x03\x00"), "public key", "public key alone"},
    {DER("\x30\x03\x0A\x01\x00"), "OCSP response", "\"ocsp\""},
    {DER("\x30\x80\x30\x00\x00\x00"), NULL, NULL},
    {DER("\x30\x84\xFF\xFF\xFF\xFF\x30"), NULL, NULL},
    {DER("\x30"), NULL, NULL},
    {DER("MIIBAgMEBQ==\n"), "base64 without", "base64 without"},
    {DER("MIIB, what now?"), NULL, NULL},
    {DER("-----BEGIN CERTIFICATE-----\n"), NULL, "no key"},
    {DER("-----BEGIN PRIVATE KEY-----\n"), "no certificate", NULL},
    {DER("-----BEGIN CERTIFICATE REQUEST-----\n"), "(CSR)", "(CSR)"},
    {DER("-----BEGIN PRIVATE KEY-----\r"), "CR alone", "CR alone"},
};

static void expect(const char *got, const char *words)
{
    if (words == NULL)
        ck_assert_ptr_null(got);
    else
        ck_assert_msg(got != NULL && strstr(got, words) != NULL, "\"%s\" is not in: %s", words, got);
}

START_TEST(forms_and_their_beginnings)
{
    for (size_t len = 0; len <= forms[_i].len; len++) {
        uint8_t *copy = malloc(len + (len == 0)); /* no octet after it, for a sanitizer */
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, forms[_i].octets, len);
        struct slice content = {copy, len};
        const char *as_chain = file_form_instead_of_chain(content);
        const char *as_key = file_form_instead_of_key(content);
        if (len == forms[_i].len) {
            expect(as_chain, forms[_i].as_chain);
            expect(as_key, forms[_i].as_key);
        }
        ck_assert_ptr_nonnull(key_encryption_name(content));
        key_encryption_takes_more(content, 1);
        free(copy);
    }
}
END_TEST

/* PBES2 with scrypt of N = 16384, r = 8 and p = 1, and with AES-256; the rest of the key is not looked at. */
static const char with_scrypt[] =
    "\x30\x3B\x30\x37\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x05\x0D\x30\x2A\x30\x1B\x06"
    "\x09\x2B\x06\x01\x04\x01\xDA\x47\x04\x0B\x30\x0E\x04\x02\x01\x02\x02\x02\x40\x00"
    "\x02\x01\x08\x02\x01\x01\x30\x0B\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2A\x04"
    "\x00";

START_TEST(memory_of_scrypt)
{
    struct slice der = {(const uint8_t *)with_scrypt, sizeof with_scrypt - 1};
    ck_assert_str_eq(key_encryption_name(der), "scrypt (PBES2)");
    ck_assert(!key_encryption_takes_more(der, 16 << 20));
    ck_assert(key_encryption_takes_more(der, (UINT64_C(16) << 20) - 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file_form");
    TCase *tests = tcase_create("file_form");
    tcase_add_loop_test(tests, forms_and_their_beginnings, 0, (int)ARRAY_LEN(forms));
    tcase_add_test(tests, memory_of_scrypt);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
