/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/trust/tls_trust.h"

#include "base/refcount.h"
#include "tls/tls_file.h"
#include "tls/tls_report.h"
#include "tls/tls_time.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many names of a certificate a message has: enough to recognize it. */
#define NAMES_SHOWN 3
/* Octets of a name, or of a subject. */
#define NAME_SHOWN_MAX 100

struct tls_trust {
    struct refcount references;
    X509_STORE *store;
    char *ca;
    struct tls_file_mark mark; /* of that file */
    CRYPTO_BUFFER_POOL *pool;
};

/* ---- the authorities ---- */

/* Returns how many certificates it added. `*clean_end` is false if the rest of the file can't be read. */
static size_t add_all(X509_STORE *store, BIO *file, bool *clean_end)
{
    size_t count = 0;
    X509 *next;
    while ((next = PEM_read_bio_X509_AUX(file, NULL, NULL, NULL)) != NULL) {
        count += X509_STORE_add_cert(store, next) == 1; /* a certificate may be in the file twice */
        X509_free(next);
    }
    *clean_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    return count;
}

static bool read_authorities(X509_STORE *store, const char *ca, const struct tls_report *report)
{
    BIO *file = tls_file_may_be_opened(ca) ? BIO_new_file(ca, "r") : NULL;
    if (file == NULL) {
        tls_report_add(report, TLS_NO_SOURCE, true, "can't open the authorities' certificates in %s: %s", ca,
                       strerror(errno));
        ERR_clear_error();
        return false;
    }
    bool clean_end;
    size_t count = add_all(store, file, &clean_end);
    BIO_free(file);
    const char *reason = tls_library_error();
    if (!clean_end)
        tls_report_add(report, TLS_NO_SOURCE, true, "a certificate after number %zu in %s can't be read: %s",
                       count, ca, reason);
    else if (count == 0)
        tls_report_add(
            report, TLS_NO_SOURCE, true,
            "%s has no certificate in PEM form (\"-----BEGIN CERTIFICATE-----\"), expected those of "
            "authorities, or a server's own",
            ca);
    return clean_end && count > 0;
}

struct tls_trust *tls_trust_new(const char *ca, const struct tls_report *report)
{
    struct tls_trust *trust = calloc(1, sizeof *trust);
    if (trust != NULL) {
        refcount_init(&trust->references);
        trust->store = X509_STORE_new();
        trust->pool = CRYPTO_BUFFER_POOL_new();
        trust->ca = strdup(ca != NULL ? ca : "");
    }
    if (trust == NULL || trust->store == NULL || trust->pool == NULL || trust->ca == NULL) {
        tls_report_add(report, TLS_NO_SOURCE, true, "no memory for a TLS context");
        tls_trust_unref(&trust);
        return NULL;
    }
    /* Before the file is read, so that a change in between is noticed later. */
    trust->mark = tls_file_mark(ca);
    if (ca != NULL && !read_authorities(trust->store, ca, report))
        tls_trust_unref(&trust);
    return trust;
}

struct tls_trust *tls_trust_ref(struct tls_trust *trust)
{
    refcount_take(&trust->references);
    return trust;
}

bool tls_trust_is_fresh(const struct tls_trust *trust)
{
    struct tls_file_mark now = tls_file_mark(trust->ca);
    return trust->ca[0] == '\0' || tls_file_mark_equals(&now, &trust->mark);
}

bool tls_trust_is_of(const struct tls_trust *trust, const char *ca)
{
    return strcmp(trust->ca, ca != NULL ? ca : "") == 0 && tls_trust_is_fresh(trust);
}

void tls_trust_unref(struct tls_trust **trust)
{
    struct tls_trust *dropped = *trust;
    *trust = NULL;
    if (dropped == NULL || !refcount_drop(&dropped->references))
        return;
    X509_STORE_free(dropped->store);
    CRYPTO_BUFFER_POOL_free(dropped->pool);
    free(dropped->ca);
    free(dropped);
}

CRYPTO_BUFFER_POOL *tls_trust_pool(const struct tls_trust *trust)
{
    return trust->pool;
}

/* ---- names, in a certificate and for a message ---- */

bool tls_trust_is_address(const char *name)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return address != NULL;
}

static bool has_name(X509 *leaf, const char *name)
{
    return tls_trust_is_address(name)
               ? X509_check_ip_asc(leaf, name, 0) == 1
               : X509_check_host(leaf, name, strlen(name), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

static void show_address(const ASN1_OCTET_STRING *address, char into[NAME_SHOWN_MAX])
{
    const uint8_t *octets = ASN1_STRING_get0_data(address);
    int len = ASN1_STRING_length(address);
    size_t used = 0;
    into[0] = '\0';
    if (len == 4)
        snprintf(into, NAME_SHOWN_MAX, "%u.%u.%u.%u", octets[0], octets[1], octets[2], octets[3]);
    for (int i = 0; len == 16 && i < 16; i += 2)
        used += (size_t)snprintf(into + used, NAME_SHOWN_MAX - used, "%s%x", i > 0 ? ":" : "",
                                 (unsigned)(octets[i] << 8 | octets[i + 1]));
}

/* False if it is neither a DNS name nor an address. */
static bool show_name(const GENERAL_NAME *name, char into[NAME_SHOWN_MAX])
{
    if (name->type == GEN_DNS)
        snprintf(into, NAME_SHOWN_MAX, "%.*s", ASN1_STRING_length(name->d.dNSName),
                 (const char *)ASN1_STRING_get0_data(name->d.dNSName));
    else if (name->type == GEN_IPADD)
        show_address(name->d.iPAddress, into);
    return name->type == GEN_DNS || name->type == GEN_IPADD;
}

/* Writes the first names; returns how many there are. */
static size_t show_names(X509 *leaf, char *into, size_t cap)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    size_t count = 0;
    size_t used = 0;
    char name[NAME_SHOWN_MAX];
    for (size_t i = 0; all != NULL && i < sk_GENERAL_NAME_num(all); i++)
        if (show_name(sk_GENERAL_NAME_value(all, i), name) && count++ < NAMES_SHOWN && used < cap)
            used += (size_t)snprintf(into + used, cap - used, "%s%s", used > 0 ? ", " : "", name);
    if (count > NAMES_SHOWN && used < cap)
        snprintf(into + used, cap - used, " and %zu more", count - NAMES_SHOWN);
    GENERAL_NAMES_free(all);
    ERR_clear_error();
    return count;
}

static void explain_name(X509 *leaf, const char *name, struct tls_verdict *verdict)
{
    char names[NAMES_SHOWN * NAME_SHOWN_MAX + 40];
    verdict->alert = SSL_AD_BAD_CERTIFICATE;
    if (show_names(leaf, names, sizeof names) > 0)
        snprintf(verdict->reason, sizeof verdict->reason, "the server's certificate is for %s, not for %.*s",
                 names, NAME_SHOWN_MAX, name);
    else
        snprintf(verdict->reason, sizeof verdict->reason,
                 "the server's certificate has no name (subjectAltName); expected %.*s", NAME_SHOWN_MAX,
                 name);
}

/* ---- the chain ---- */

static void explain_issuer(const struct tls_trust *trust, X509 *certificate, struct tls_verdict *verdict)
{
    char issuer[NAME_SHOWN_MAX];
    X509_NAME_oneline(X509_get_issuer_name(certificate), issuer, sizeof issuer);
    snprintf(
        verdict->reason, sizeof verdict->reason,
        "issuer unknown: the server's certificate was issued by %s, which is not in %.*s, and the server "
        "has sent no certificate that leads to one in it",
        issuer, NAME_SHOWN_MAX, trust->ca);
}

static void explain_date(X509 *certificate, int depth, const char *problem, struct tls_verdict *verdict)
{
    char subject[NAME_SHOWN_MAX];
    X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof subject);
    if (depth == 0)
        snprintf(verdict->reason, sizeof verdict->reason, "the server's certificate %s", problem);
    else
        snprintf(verdict->reason, sizeof verdict->reason, "the certificate of the server's issuer %s %s",
                 subject, problem);
}

static void explain(const struct tls_trust *trust, X509_STORE_CTX *check, struct tls_verdict *verdict)
{
    int error = X509_STORE_CTX_get_error(check);
    int depth = X509_STORE_CTX_get_error_depth(check);
    X509 *certificate = X509_STORE_CTX_get_current_cert(check);
    verdict->alert = (uint8_t)SSL_alert_from_verify_result(error);
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        explain_date(certificate, depth, "has expired", verdict);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        explain_date(certificate, depth, "is not valid yet", verdict);
        return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        snprintf(verdict->reason, sizeof verdict->reason,
                 "the server's certificate is self-signed, and not in %.*s", 2 * NAME_SHOWN_MAX, trust->ca);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        explain_issuer(trust, certificate, verdict);
        return;
    case X509_V_ERR_INVALID_PURPOSE:
        snprintf(verdict->reason, sizeof verdict->reason,
                 "the server's certificate is not meant for servers (its key usage)");
        return;
    default:
        snprintf(verdict->reason, sizeof verdict->reason, "the server's certificate is not valid: %s",
                 X509_verify_cert_error_string(error));
    }
}

static int64_t first_expiry(X509_STORE_CTX *check)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(check);
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < sk_X509_num(chain); i++) {
        int64_t expiry = tls_seconds_of(X509_get0_notAfter(sk_X509_value(chain, i)));
        first = expiry < first ? expiry : first;
    }
    return first;
}

/* Any certificate in the file is trusted: also an intermediate one, or the server's own. */
static bool verify(const struct tls_trust *trust, X509 *leaf, STACK_OF(X509) * others,
                   struct tls_verdict *verdict)
{
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    bool ok = check != NULL && X509_STORE_CTX_init(check, trust->store, leaf, others) &&
              X509_STORE_CTX_set_default(check, "ssl_server") &&
              X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(check), X509_V_FLAG_PARTIAL_CHAIN);
    if (!ok) {
        X509_STORE_CTX_free(check);
        return false;
    }
    ok = X509_verify_cert(check) == 1;
    if (ok)
        verdict->valid_until = first_expiry(check);
    else
        explain(trust, check, verdict);
    X509_STORE_CTX_free(check);
    ERR_clear_error();
    return ok;
}

/* NULL if one can't be read. */
static STACK_OF(X509) * parse(const STACK_OF(CRYPTO_BUFFER) * chain)
{
    STACK_OF(X509) *certificates = sk_X509_new_null();
    for (size_t i = 0; certificates != NULL && i < sk_CRYPTO_BUFFER_num(chain); i++) {
        X509 *certificate = X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, i));
        if (certificate != NULL && sk_X509_push(certificates, certificate))
            continue;
        X509_free(certificate);
        sk_X509_pop_free(certificates, X509_free);
        certificates = NULL;
    }
    ERR_clear_error();
    return certificates;
}

bool tls_trust_verify(const struct tls_trust *trust, const STACK_OF(CRYPTO_BUFFER) * chain, const char *name,
                      struct tls_verdict *verdict)
{
    *verdict = (struct tls_verdict){.alert = SSL_AD_BAD_CERTIFICATE,
                                    .reason = "the server's certificate can't be read"};
    STACK_OF(X509) *certificates = parse(chain);
    if (certificates == NULL)
        return false;
    X509 *leaf = sk_X509_value(certificates, 0);
    bool ok = leaf != NULL && verify(trust, leaf, certificates, verdict);
    if (ok && !has_name(leaf, name)) {
        explain_name(leaf, name, verdict);
        ok = false;
    }
    sk_X509_pop_free(certificates, X509_free);
    ERR_clear_error();
    return ok;
}
