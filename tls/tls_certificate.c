/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than any chain in use; a file of more is the wrong file (a CA bundle). */
#define CHAIN_MAX 16

void tls_report_say(const struct tls_report *report, int certificate, bool is_error, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report->say(report->arg, certificate, is_error, text);
}

const char *tls_library_error(void)
{
    uint32_t code = ERR_peek_last_error();
    ERR_clear_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    return reason != NULL ? reason : "no reason given";
}

static BIO *open_file(const char *path, const char *what, int index, const struct tls_report *report)
{
    BIO *file = BIO_new_file(path, "r");
    if (file == NULL)
        tls_report_say(report, index, true, "can't open the %s %s: %s", what, path, strerror(errno));
    ERR_clear_error();
    return file;
}

/* Never ask at the terminal: an encrypted key is an error with a remedy. */
static int no_passphrase(char *into, int size, int writing, void *arg)
{
    (void)into;
    (void)size;
    (void)writing;
    *(bool *)arg = true;
    return 0;
}

static EVP_PKEY *read_key(const char *path, int index, const struct tls_report *report)
{
    BIO *file = open_file(path, "private key", index, report);
    if (file == NULL)
        return NULL;
    bool encrypted = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, no_passphrase, &encrypted);
    BIO_free(file);
    if (key == NULL && encrypted)
        tls_report_say(
            report, index, true,
            "the private key %s is encrypted with a passphrase; decrypt it (openssl pkey -in ... -out ...)"
            " and keep it readable by its owner alone",
            path);
    else if (key == NULL)
        tls_report_say(report, index, true,
                       "%s has no private key in PEM form (\"-----BEGIN PRIVATE KEY-----\"): %s", path,
                       tls_library_error());
    ERR_clear_error();
    return key;
}

static void free_chain(X509 *chain[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        X509_free(chain[i]);
}

/* False, after saying so, where what was read is no chain. `clean_end`: the file ended behind a certificate. */
static bool is_chain(size_t count, bool clean_end, const char *path, int index,
                     const struct tls_report *report)
{
    const char *reason = tls_library_error();
    if (!clean_end)
        tls_report_say(report, index, true, "certificate %zu in %s can't be read: %s", count + 1, path,
                       reason);
    else if (count == 0)
        tls_report_say(
            report, index, true,
            "%s has no certificate in PEM form (\"-----BEGIN CERTIFICATE-----\"); is it the key's file?",
            path);
    else if (count > CHAIN_MAX)
        tls_report_say(report, index, true,
                       "%s has more than %d certificates; is it a bundle of authorities? A chain is the leaf "
                       "and its issuers",
                       path, CHAIN_MAX);
    return clean_end && count > 0 && count <= CHAIN_MAX;
}

/* How many certificates there are; none where an error was reported. */
static size_t read_chain(const char *path, int index, const struct tls_report *report,
                         X509 *chain[CHAIN_MAX + 1])
{
    BIO *file = open_file(path, "certificate chain", index, report);
    if (file == NULL)
        return 0;
    size_t count = 0;
    X509 *next = NULL;
    while (count <= CHAIN_MAX && (next = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL)
        chain[count++] = next;
    bool clean_end = next != NULL || ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(file);
    if (is_chain(count, clean_end, path, index, report))
        return count;
    free_chain(chain, count);
    return 0;
}

static void subject_of(const X509 *certificate, char *into, size_t cap)
{
    X509_NAME_oneline(X509_get_subject_name(certificate), into, (int)cap);
}

static void check_dates(X509 *const chain[], size_t count, const char *path, int index,
                        const struct tls_report *report)
{
    time_t now = (time_t)report->now;
    for (size_t i = 0; now != 0 && i < count; i++) {
        const char *problem = X509_cmp_time(X509_get0_notBefore(chain[i]), &now) > 0 ? "is not valid yet"
                              : X509_cmp_time(X509_get0_notAfter(chain[i]), &now) < 0
                                  ? "has expired: clients will refuse it"
                                  : NULL;
        if (problem != NULL && i == 0)
            tls_report_say(report, index, false, "the certificate in %s %s", path, problem);
        else if (problem != NULL)
            tls_report_say(report, index, false, "certificate %zu in %s, an issuer's, %s", i + 1, path,
                           problem);
    }
}

static void check_order(X509 *const chain[], size_t count, const char *path, int index,
                        const struct tls_report *report)
{
    for (size_t i = 0; i + 1 < count; i++) {
        if (X509_check_issued(chain[i + 1], chain[i]) == X509_V_OK)
            continue;
        char subject[256];
        subject_of(chain[i], subject, sizeof subject);
        tls_report_say(report, index, false,
                       "in %s the certificate after that of %s is not its issuer's: the chain must be leaf "
                       "first, then each"
                       " issuer",
                       path, subject);
    }
}

static bool add_names(X509 *leaf, size_t index, struct tls_names *names)
{
    GENERAL_NAMES *alternatives = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool ok = true;
    for (size_t i = 0; alternatives != NULL && ok && i < sk_GENERAL_NAME_num(alternatives); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(alternatives, i);
        if (name->type != GEN_DNS)
            continue;
        struct slice text = {ASN1_STRING_get0_data(name->d.dNSName),
                             (size_t)ASN1_STRING_length(name->d.dNSName)};
        ok = tls_names_add(names, text, index);
    }
    GENERAL_NAMES_free(alternatives);
    return ok;
}

static bool keep_chain(X509 *const chain[], size_t count, struct tls_certificate *into)
{
    into->chain = calloc(count, sizeof into->chain[0]);
    if (into->chain == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint8_t *der = NULL;
        int len = i2d_X509(chain[i], &der);
        if (len <= 0)
            return false;
        into->chain[i] = CRYPTO_BUFFER_new(der, (size_t)len, NULL);
        OPENSSL_free(der);
        if (into->chain[i] == NULL)
            return false;
        into->chain_len++;
    }
    return true;
}

static bool use_chain(X509 *const chain[], size_t count, const struct tls_certificate_files *files, int index,
                      const struct tls_report *report, struct tls_certificate *into, struct tls_names *names)
{
    if (into->key == NULL)
        return false;
    if (!X509_check_private_key(chain[0], into->key)) {
        ERR_clear_error();
        tls_report_say(
            report, index, true,
            "the private key %s does not belong to the first certificate in %s (the leaf must come first)",
            files->key, files->chain);
        return false;
    }
    check_order(chain, count, files->chain, index, report);
    check_dates(chain, count, files->chain, index, report);
    if (!keep_chain(chain, count, into) || !add_names(chain[0], (size_t)index, names)) {
        tls_report_say(report, index, true, "no memory for the certificates in %s", files->chain);
        return false;
    }
    return true;
}

bool tls_certificate_load(const struct tls_certificate_files *files, int index,
                          const struct tls_report *report, struct tls_certificate *into,
                          struct tls_names *names)
{
    X509 *chain[CHAIN_MAX + 1];
    *into = (struct tls_certificate){.key = read_key(files->key, index, report)};
    size_t count = read_chain(files->chain, index, report, chain);
    bool ok = count > 0 && use_chain(chain, count, files, index, report, into, names);
    free_chain(chain, count);
    return ok;
}

void tls_certificate_free(struct tls_certificate *certificate)
{
    for (size_t i = 0; i < certificate->chain_len; i++)
        CRYPTO_BUFFER_free(certificate->chain[i]);
    free(certificate->chain);
    EVP_PKEY_free(certificate->key);
    *certificate = (struct tls_certificate){0};
}
