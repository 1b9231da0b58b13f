/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/trust/tls_client_trust_files.h"

#include "tls/tls_file.h"
#include "tls/tls_report.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <string.h>

/* Revocation lists: one for each authority, and some for their old keys. */
#define REVOKED_MAX 1024

static void subject_of(X509_NAME *name, char into[256])
{
    X509_NAME_oneline(name, into, 256);
}

static bool report_no_memory(const char *path, int source, const struct tls_report *report)
{
    tls_report_add(report, source, true, "no memory for what is in %s", path);
    return false;
}

static BIO *open_file(const char *path, int source, const char *what, const struct tls_report *report)
{
    BIO *file = tls_file_may_be_opened(path) ? BIO_new_file(path, "r") : NULL;
    if (file == NULL)
        tls_report_add(report, source, true, "can't open the file with %s, %s: %s", what, path,
                       strerror(errno));
    ERR_clear_error();
    return file;
}

/* False, after an error was reported, if the file has no such parts, or ends within one. */
static bool is_well_read(size_t count, const char *path, int source, const char *what, const char *label,
                         const struct tls_report *report)
{
    bool clean_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const char *reason = tls_library_error();
    if (!clean_end)
        tls_report_add(report, source, true, "number %zu of %s in %s can't be read: %s", count + 1, what,
                       path, reason);
    else if (count == 0)
        tls_report_add(report, source, true, "%s has none of %s in PEM form (\"-----BEGIN %s-----\")", path,
                       what, label);
    return clean_end && count > 0;
}

static bool is_authority(X509 *certificate, const char *path, const struct tls_report *report)
{
    char subject[256];
    if (X509_check_ca(certificate) != 0)
        return true;
    subject_of(X509_get_subject_name(certificate), subject);
    tls_report_add(report, TLS_NO_SOURCE, true,
                   "%s in %s is no authority's certificate (basicConstraints has no CA:TRUE): it can "
                   "certify no client; name the certificate that has issued it",
                   subject, path);
    return false;
}

void tls_client_trust_check_expiry(const STACK_OF(X509) * authorities, const char *path,
                                   const struct tls_report *report)
{
    char subject[256];
    time_t now = (time_t)report->now;
    for (size_t i = 0; now != 0 && i < sk_X509_num(authorities); i++) {
        X509 *certificate = sk_X509_value(authorities, i);
        if (X509_cmp_time(X509_get0_notAfter(certificate), &now) >= 0)
            continue;
        subject_of(X509_get_subject_name(certificate), subject);
        tls_report_add(report, TLS_NO_SOURCE, false,
                       "the authority %s in %s has expired: clients that it has certified will be rejected",
                       subject, path);
    }
}

STACK_OF(X509) * tls_client_trust_read_authorities(const char *path, const struct tls_report *report)
{
    static const char what[] = "the authorities of clients";
    STACK_OF(X509) *all = sk_X509_new_null();
    BIO *file = open_file(path, TLS_NO_SOURCE, what, report);
    bool ok = (all != NULL || report_no_memory(path, TLS_NO_SOURCE, report)) && file != NULL;
    X509 *next = NULL;
    while (ok && (next = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL) {
        ok = is_authority(next, path, report) &&
             (sk_X509_push(all, next) > 0 || report_no_memory(path, TLS_NO_SOURCE, report));
        if (!ok)
            X509_free(next);
        if (ok && sk_X509_num(all) > TLS_CLIENT_AUTHORITIES_MAX) {
            tls_report_add(
                report, TLS_NO_SOURCE, true,
                "%s has more than %d authorities: is it the system's bundle? Any client that one of "
                "them has certified is accepted",
                path, TLS_CLIENT_AUTHORITIES_MAX);
            ok = false;
        }
    }
    ok = ok && is_well_read(sk_X509_num(all), path, TLS_NO_SOURCE, what, "CERTIFICATE", report);
    BIO_free(file);
    while (!ok && all != NULL && sk_X509_num(all) > 0)
        X509_free(sk_X509_pop(all));
    return all;
}

STACK_OF(X509_CRL) * tls_client_trust_read_revoked(const char *path, const struct tls_report *report)
{
    static const char what[] = "the revocation lists (crl)";
    STACK_OF(X509_CRL) *all = sk_X509_CRL_new_null();
    BIO *file = open_file(path, TLS_SOURCE_REVOKED, what, report);
    bool ok = (all != NULL || report_no_memory(path, TLS_SOURCE_REVOKED, report)) && file != NULL;
    X509_CRL *next = NULL;
    while (ok && sk_X509_CRL_num(all) < REVOKED_MAX &&
           (next = PEM_read_bio_X509_CRL(file, NULL, NULL, NULL)) != NULL) {
        ok = sk_X509_CRL_push(all, next) > 0 || report_no_memory(path, TLS_SOURCE_REVOKED, report);
        if (!ok)
            X509_CRL_free(next);
    }
    ok = ok && is_well_read(sk_X509_CRL_num(all), path, TLS_SOURCE_REVOKED, what, "X509 CRL", report);
    BIO_free(file);
    while (!ok && all != NULL && sk_X509_CRL_num(all) > 0)
        X509_CRL_free(sk_X509_CRL_pop(all));
    return all;
}

static bool is_in_force(const X509_CRL *list, time_t now)
{
    const ASN1_TIME *until = X509_CRL_get0_nextUpdate(list);
    return now == 0 || until == NULL || X509_cmp_time(until, &now) > 0;
}

void tls_client_trust_check_cover(const STACK_OF(X509) * authorities, const STACK_OF(X509_CRL) * revoked,
                                  const char *path, const struct tls_report *report)
{
    for (size_t i = 0; i < sk_X509_num(authorities); i++) {
        X509_NAME *name = X509_get_subject_name(sk_X509_value(authorities, i));
        bool there = false;
        bool in_force = false;
        char subject[256];
        for (size_t j = 0; j < sk_X509_CRL_num(revoked); j++) {
            const X509_CRL *list = sk_X509_CRL_value(revoked, j);
            if (X509_NAME_cmp(X509_CRL_get_issuer(list), name) != 0)
                continue;
            there = true;
            in_force = in_force || is_in_force(list, (time_t)report->now);
        }
        if (in_force)
            continue;
        subject_of(name, subject);
        tls_report_add(report, TLS_SOURCE_REVOKED, false,
                       "%s %s of the authority %s: clients that it has certified will be rejected", path,
                       there ? "has no list in force (nextUpdate is over)" : "has no revocation list",
                       subject);
    }
}
