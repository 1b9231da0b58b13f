/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/trust/tls_client_trust.h"

#include "base/array.h"
#include "base/disposal.h"
#include "base/refcount.h"
#include "base/slice.h"

#include "tls/tls_file.h"
#include "tls/trust/tls_client_trust_files.h"
#include "tls/trust/tls_client_trust_private.h"
#include "tls/tls_report.h"

#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pool.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

/*
 * Octets of the authorities' names: each handshake sends them, and some clients accept no more in one
 * message.
 */
#define NAMES_MAX 16000

struct tls_client_trust {
    struct refcount references;
    struct disposal disposal;
    X509_STORE *store;
    STACK_OF(CRYPTO_BUFFER) * names;
    long long (*now)(void);
    bool required;
    uint8_t id[TLS_CLIENT_TRUST_ID_MAX];
    /* What the store is made of, for warnings: a reuse has to tell what has expired since. */
    STACK_OF(X509) * authorities;
    STACK_OF(X509_CRL) * revoked; /* NULL: revocation is not checked */
    char *paths[2];               /* of the authorities and the lists */
    struct tls_file_mark marks[2];
};

/* ---- verification ---- */

/*
 * The problems that operators and their users see most; the library's own text is used for the others. The
 * alerts are the library's, except for a list that is missing or expired: its alert would blame the client's
 * certificate.
 */
static const struct problem {
    int error;
    bool is_of_list; /* the problem is one of our revocation list */
    const char *text;
} known[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, false, "client certificate, or an issuer's, has expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, false, "client certificate, or an issuer's, is not valid yet"},
    {X509_V_ERR_CERT_REVOKED, false, "client certificate, or an issuer's, is revoked"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, false,
     "client certificate is from an authority that is not trusted"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, false,
     "client certificate is from an authority that is not trusted, or was sent without its issuers"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, false,
     "client certificate is from an authority that is not trusted, or was sent without its issuers"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, false, "client certificate is self-signed"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, false,
     "client certificate is from an authority that is not trusted"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, false, "client certificate, or an issuer's, has a wrong signature"},
    {X509_V_ERR_INVALID_PURPOSE, false, "client certificate is not meant for TLS clients (extendedKeyUsage)"},
    {X509_V_ERR_INVALID_CA, false, "client certificate was issued by a certificate that is no authority"},
    {X509_V_ERR_UNABLE_TO_GET_CRL, true, "no revocation list (crl) covers the client certificate"},
    {X509_V_ERR_CRL_HAS_EXPIRED, true, "the revocation list (crl) for the client certificate has expired"},
    {X509_V_ERR_CRL_NOT_YET_VALID, true,
     "the revocation list (crl) for the client certificate is not valid yet"},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, true,
     "the revocation list (crl) for the client certificate has a wrong signature"},
};

static const char *explain(int error, uint8_t *alert)
{
    *alert = (uint8_t)SSL_alert_from_verify_result(error);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].error != error)
            continue;
        if (known[i].is_of_list)
            *alert = SSL_AD_CERTIFICATE_UNKNOWN;
        return known[i].text;
    }
    return X509_verify_cert_error_string(error);
}

/* The operator trusts the authority at the end of the chain: no list has to cover it. */
static int on_problem(int ok, X509_STORE_CTX *context)
{
    if (ok || X509_STORE_CTX_get_error(context) != X509_V_ERR_UNABLE_TO_GET_CRL)
        return ok;
    size_t depth = (size_t)X509_STORE_CTX_get_error_depth(context);
    return depth > 0 && depth + 1 == sk_X509_num(X509_STORE_CTX_get0_chain(context));
}

/* X509_V_OK, or the error. */
static int verify(const struct tls_client_trust *trust, X509 *leaf, STACK_OF(X509) * issuers)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int error = X509_V_ERR_OUT_OF_MEM;
    if (context == NULL || !X509_STORE_CTX_init(context, trust->store, leaf, issuers))
        goto done;
    X509_STORE_CTX_set_verify_cb(context, on_problem);
    if (trust->now != NULL)
        X509_STORE_CTX_set_time(context, 0, (time_t)trust->now());
    if (X509_verify_cert(context) == 1)
        error = X509_V_OK;
    else if (X509_STORE_CTX_get_error(context) != X509_V_OK)
        error = X509_STORE_CTX_get_error(context);
    else
        error = X509_V_ERR_UNSPECIFIED;
done:
    X509_STORE_CTX_free(context);
    return error;
}

/* All certificates but the leaf; NULL if one can't be read. */
static STACK_OF(X509) * parse_issuers(const STACK_OF(CRYPTO_BUFFER) * chain)
{
    STACK_OF(X509) *issuers = sk_X509_new_null();
    for (size_t i = 1; issuers != NULL && i < sk_CRYPTO_BUFFER_num(chain); i++) {
        X509 *issuer = X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, i));
        if (issuer != NULL && sk_X509_push(issuers, issuer) > 0)
            continue;
        X509_free(issuer);
        sk_X509_pop_free(issuers, X509_free);
        return NULL;
    }
    return issuers;
}

const char *tls_client_trust_verify(const struct tls_client_trust *trust,
                                    const STACK_OF(CRYPTO_BUFFER) * chain, uint8_t *alert)
{
    *alert = SSL_AD_BAD_CERTIFICATE;
    if (sk_CRYPTO_BUFFER_num(chain) > TLS_CLIENT_CHAIN_MAX)
        return "client certificate was sent with too many issuers";
    X509 *leaf = X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, 0));
    STACK_OF(X509) *issuers = parse_issuers(chain);
    const char *reason = "client certificate, or an issuer's, can't be read";
    if (leaf != NULL && issuers != NULL) {
        int error = verify(trust, leaf, issuers);
        reason = error != X509_V_OK ? explain(error, alert) : NULL;
    }
    X509_free(leaf);
    sk_X509_pop_free(issuers, X509_free);
    ERR_clear_error();
    return reason;
}

bool tls_client_trust_is_required(const struct tls_client_trust *trust)
{
    return trust->required;
}

STACK_OF(CRYPTO_BUFFER) * tls_client_trust_names(const struct tls_client_trust *trust)
{
    STACK_OF(CRYPTO_BUFFER) *copy = sk_CRYPTO_BUFFER_dup(trust->names);
    for (size_t i = 0; copy != NULL && i < sk_CRYPTO_BUFFER_num(copy); i++)
        CRYPTO_BUFFER_up_ref(sk_CRYPTO_BUFFER_value(copy, i));
    return copy;
}

const uint8_t *tls_client_trust_id(const struct tls_client_trust *trust)
{
    return trust->id;
}

/* ---- loading ---- */

static bool add_name(struct tls_client_trust *trust, X509 *authority, size_t *octets)
{
    uint8_t *der = NULL;
    int len = i2d_X509_NAME(X509_get_subject_name(authority), &der);
    CRYPTO_BUFFER *name = len > 0 ? CRYPTO_BUFFER_new(der, (size_t)len, NULL) : NULL;
    OPENSSL_free(der);
    if (name == NULL)
        return false;
    *octets += (size_t)len + 2;
    if (sk_CRYPTO_BUFFER_push(trust->names, name) > 0)
        return true;
    CRYPTO_BUFFER_free(name);
    return false;
}

static bool hash_authority(SHA256_CTX *hash, X509 *authority)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    return X509_digest(authority, EVP_sha256(), digest, &len) && SHA256_Update(hash, digest, len);
}

/* `octets`: the length of their names in the message that has them. */
static bool add_authorities(struct tls_client_trust *trust, size_t *octets)
{
    const STACK_OF(X509) *authorities = trust->authorities;
    SHA256_CTX hash;
    const uint8_t required = trust->required;
    SHA256_Init(&hash);
    SHA256_Update(&hash, &required, sizeof required);
    for (size_t i = 0; i < sk_X509_num(authorities); i++) {
        X509 *authority = sk_X509_value(authorities, i);
        if (!X509_STORE_add_cert(trust->store, authority) || !add_name(trust, authority, octets) ||
            !hash_authority(&hash, authority))
            return false;
    }
    SHA256_Final(trust->id, &hash);
    return true;
}

static bool set_store(struct tls_client_trust *trust, bool checks_revoked)
{
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    if (checks_revoked)
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    return X509_STORE_set_flags(trust->store, flags) &&
           X509_STORE_set_purpose(trust->store, X509_PURPOSE_SSL_CLIENT) &&
           X509_STORE_set_trust(trust->store, X509_TRUST_SSL_CLIENT) &&
           X509_STORE_set_depth(trust->store, TLS_CLIENT_CHAIN_MAX);
}

static bool fill(struct tls_client_trust *trust, const struct tls_client_trust_settings *settings,
                 const struct tls_report *report)
{
    size_t octets = 0;
    bool ok = set_store(trust, settings->revoked != NULL) && add_authorities(trust, &octets);
    for (size_t i = 0; ok && trust->revoked != NULL && i < sk_X509_CRL_num(trust->revoked); i++)
        ok = X509_STORE_add_crl(trust->store, sk_X509_CRL_value(trust->revoked, i));
    if (!ok)
        tls_report_add(report, TLS_NO_SOURCE, true, "the authorities in %s can't be used: %s",
                       settings->authorities, tls_library_error());
    if (octets <= NAMES_MAX)
        return ok;
    tls_report_add(report, TLS_NO_SOURCE, true,
                   "the names of the authorities in %s have %zu octets; a handshake can send %d",
                   settings->authorities, octets, NAMES_MAX);
    return false;
}

/* What is no reason to stop, and changes with the time. */
static void warn(const struct tls_client_trust *trust, const struct tls_report *report)
{
    tls_client_trust_check_expiry(trust->authorities, trust->paths[0], report);
    if (trust->revoked != NULL && sk_X509_CRL_num(trust->revoked) > 0)
        tls_client_trust_check_cover(trust->authorities, trust->revoked, trust->paths[1], report);
}

/* False if an error was reported. */
static bool load(struct tls_client_trust *trust, const struct tls_client_trust_settings *settings,
                 const struct tls_report *report)
{
    trust->authorities = tls_client_trust_read_authorities(settings->authorities, report);
    bool ok = trust->authorities != NULL && sk_X509_num(trust->authorities) > 0;
    if (settings->revoked != NULL) {
        trust->revoked = tls_client_trust_read_revoked(settings->revoked, report);
        ok = trust->revoked != NULL && sk_X509_CRL_num(trust->revoked) > 0 && ok;
    }
    warn(trust, report);
    return ok && fill(trust, settings, report);
}

/* Before they are read, so that a change in between is noticed later. False if memory is short. */
static bool note_files(struct tls_client_trust *trust, const struct tls_client_trust_settings *settings)
{
    const char *const paths[] = {settings->authorities, settings->revoked};
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        trust->marks[i] = tls_file_mark(paths[i]);
        trust->paths[i] = paths[i] != NULL ? strdup(paths[i]) : NULL;
        ok = ok && (paths[i] == NULL || trust->paths[i] != NULL);
    }
    return ok;
}

struct tls_client_trust *tls_client_trust_new(const struct tls_client_trust_settings *settings,
                                              const struct tls_report *report)
{
    struct tls_client_trust *trust = calloc(1, sizeof *trust);
    bool ok = trust != NULL;
    if (ok) {
        refcount_init(&trust->references);
        ok = note_files(trust, settings);
        trust->required = settings->required;
        trust->now = settings->now;
        trust->store = X509_STORE_new();
        trust->names = sk_CRYPTO_BUFFER_new_null();
    }
    if (!ok || trust->store == NULL || trust->names == NULL)
        tls_report_add(report, TLS_NO_SOURCE, true, "no memory for the authorities of clients");
    else if (load(trust, settings, report))
        return trust;
    tls_client_trust_unref(&trust);
    return NULL;
}

static bool is_of(const struct tls_client_trust *trust, const struct tls_client_trust_settings *settings)
{
    struct tls_file_mark authorities = tls_file_mark(settings->authorities);
    struct tls_file_mark revoked = tls_file_mark(settings->revoked);
    return text_is_same(trust->paths[0], settings->authorities) &&
           text_is_same(trust->paths[1], settings->revoked) && trust->required == settings->required &&
           trust->now == settings->now && tls_file_mark_equals(&authorities, &trust->marks[0]) &&
           tls_file_mark_equals(&revoked, &trust->marks[1]);
}

struct tls_client_trust *tls_client_trust_reuse(struct tls_client_trust *other,
                                                const struct tls_client_trust_settings *settings,
                                                const struct tls_report *report)
{
    if (!is_of(other, settings))
        return NULL;
    warn(other, report);
    return tls_client_trust_ref(other);
}

struct tls_client_trust *tls_client_trust_ref(struct tls_client_trust *trust)
{
    refcount_take(&trust->references);
    return trust;
}

static void destroy(struct disposal *disposal)
{
    struct tls_client_trust *trust = DISPOSAL_OWNER(disposal, struct tls_client_trust, disposal);
    X509_STORE_free(trust->store);
    sk_CRYPTO_BUFFER_pop_free(trust->names, CRYPTO_BUFFER_free);
    sk_X509_pop_free(trust->authorities, X509_free);
    sk_X509_CRL_pop_free(trust->revoked, X509_CRL_free);
    free(trust->paths[0]);
    free(trust->paths[1]);
    free(trust);
}

void tls_client_trust_unref(struct tls_client_trust **trust)
{
    struct tls_client_trust *dropped = *trust;
    *trust = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        disposal_begin(&dropped->disposal, destroy);
}
