/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_certificate.h"

#include "base/array.h"

#include "tls/certificates/tls_access.h"
#include "tls/certificates/tls_certificate_check.h"
#include "tls/certificates/tls_ocsp.h"
#include "tls/certificates/tls_pem.h"
#include "tls/certificates/tls_trial.h"
#include "tls/tls_time.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More names than any authority certifies in one certificate: a hundred is their limit. */
#define NAMES_MAX 10000

/* A certificate that is being loaded. */
struct loading {
    struct tls_certificate *certificate;
    X509 *chain[TLS_CHAIN_MAX];
    size_t count;
    int source;
    const struct tls_key_use *use;
    bool ocsp_is_named; /* the settings name the response: it must be there */
    const struct tls_report *report;
};

/* ---- the chain ---- */

/*
 * Thousands of chains have the same issuers. The pool is global, as a certificate outlives the context that
 * loads it.
 */
static CRYPTO_BUFFER_POOL *issuers(void)
{
    static _Atomic(CRYPTO_BUFFER_POOL *) pool;
    CRYPTO_BUFFER_POOL *found = atomic_load(&pool);
    if (found != NULL)
        return found;
    CRYPTO_BUFFER_POOL *fresh = CRYPTO_BUFFER_POOL_new();
    if (fresh == NULL || atomic_compare_exchange_strong(&pool, &found, fresh))
        return fresh;
    CRYPTO_BUFFER_POOL_free(fresh);
    return found;
}

static bool keep_chain(const struct loading *loading)
{
    struct tls_certificate *into = loading->certificate;
    into->chain = calloc(loading->count, sizeof into->chain[0]);
    if (into->chain == NULL)
        return false;
    for (size_t i = 0; i < loading->count; i++) {
        uint8_t *der = NULL;
        int len = i2d_X509(loading->chain[i], &der);
        if (len <= 0)
            return false;
        /* No other chain has the same leaf. */
        into->chain[i] = CRYPTO_BUFFER_new(der, (size_t)len, i > 0 ? issuers() : NULL);
        OPENSSL_free(der);
        if (into->chain[i] == NULL)
            return false;
        into->chain_len++;
    }
    return true;
}

/* ---- names ---- */

static bool keep_name(struct tls_certificate *into, const ASN1_STRING *name)
{
    size_t len = (size_t)ASN1_STRING_length(name);
    const uint8_t *text = ASN1_STRING_get0_data(name);
    /* A NUL would end the name for some readers and not for others. */
    if (memchr(text, '\0', len) != NULL)
        return true;
    into->names[into->name_count] = strndup((const char *)text, len);
    return into->names[into->name_count] != NULL && ++into->name_count > 0;
}

static bool keep_names(const struct loading *loading)
{
    struct tls_certificate *into = loading->certificate;
    GENERAL_NAMES *all = X509_get_ext_d2i(loading->chain[0], NID_subject_alt_name, NULL, NULL);
    size_t count = all != NULL ? sk_GENERAL_NAME_num(all) : 0;
    bool ok = count <= NAMES_MAX;
    into->names = ok && count > 0 ? calloc(count, sizeof into->names[0]) : NULL;
    ok = ok && (count == 0 || into->names != NULL);
    for (size_t i = 0; ok && i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        if (name->type == GEN_DNS)
            ok = keep_name(into, name->d.dNSName);
    }
    GENERAL_NAMES_free(all);
    ERR_clear_error();
    return ok;
}

/* ---- OCSP ---- */

static void keep_ocsp(const struct loading *loading)
{
    struct tls_certificate *into = loading->certificate;
    char error[TLS_KEY_ERROR_MAX];
    bool is_absent;
    if (!tls_access_read_ocsp(loading->use->source, into->files.ocsp, &into->ocsp, &is_absent, error)) {
        if (is_absent && !loading->ocsp_is_named)
            return;
        if (error[0] != '\0')
            tls_report_add(loading->report, loading->source, false, "the OCSP response %s %s",
                           into->files.ocsp, error);
        else
            tls_report_add(loading->report, loading->source, false, "can't open the OCSP response %s: %s",
                           into->files.ocsp, strerror(errno));
        return;
    }
    const char *problem = loading->count < 2
                              ? "can't be checked, as the chain has no issuer's certificate"
                              : tls_ocsp_check(bytes_view(&into->ocsp), loading->chain[0], loading->chain[1],
                                               loading->report->now, &into->ocsp_ends);
    if (problem == NULL)
        return;
    tls_report_add(loading->report, loading->source, false, "the OCSP response %s is not used: it %s",
                   into->files.ocsp, problem);
    bytes_free(&into->ocsp);
    into->ocsp_ends = 0;
}

/* ---- key ---- */

/* Loads a key that is somewhere else: this process gets its public half alone. */
static EVP_PKEY *load_external_key(struct tls_certificate *certificate, const struct tls_key_use *use,
                                   int source, const struct tls_report *report)
{
    const struct tls_key_source *keys = use->source;
    struct tls_external_key external = {0};
    CBS spki;
    if (!keys->load(keys->arg, certificate->files.key, certificate->files.passphrase, use->role, &external)) {
        tls_report_add(report, source, true, "the private key %s %s", certificate->files.key, external.error);
        return NULL;
    }
    certificate->keys = keys;
    certificate->key_number = external.number;
    CBS_init(&spki, external.spki, external.spki_len);
    EVP_PKEY *key = EVP_parse_public_key(&spki);
    if (key == NULL)
        tls_report_add(report, source, true, "the public half of the private key %s can't be used: %s",
                       certificate->files.key, tls_library_error());
    return key;
}

/* The place in the file of the certificate that has the key; `count` if none has. */
static size_t find_owner(const struct loading *loading)
{
    size_t i = 0;
    while (i < loading->count && !X509_check_private_key(loading->chain[i], loading->certificate->key))
        i++;
    ERR_clear_error();
    return i;
}

static bool has_known_key(X509 *certificate)
{
    EVP_PKEY *key = X509_get_pubkey(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return key != NULL;
}

#define SUPPORTED                                                                                            \
    "expected RSA, or ECDSA with P-256, P-384 or P-521 (openssl genpkey -algorithm EC -pkeyopt "             \
    "ec_paramgen_curve:P-256 -out NEW.key)"

/* Whether the leaf has this key, whose private half need not be here. False after an error was reported. */
static bool check_key(struct loading *loading)
{
    struct tls_certificate *certificate = loading->certificate;
    const char *chain = certificate->files.chain;
    size_t owner = find_owner(loading);
    if (owner > 0 && owner < loading->count)
        tls_report_add(
            loading->report, loading->source, true,
            "the private key %s does not belong to the first certificate in %s (the leaf must come first), "
            "but to certificate %zu: put that first, then each issuer",
            certificate->files.key, chain, owner + 1);
    else if (owner > 0 && !has_known_key(loading->chain[0]))
        tls_report_add(
            loading->report, loading->source, true,
            "the key of the certificate in %s is of a kind, or on a curve, that is not supported; " SUPPORTED,
            chain);
    else if (owner > 0)
        tls_report_add(loading->report, loading->source, true,
                       "the private key %s does not belong to the first certificate in %s (the leaf must "
                       "come first): name the "
                       "key that its request was made with",
                       certificate->files.key, chain);
    if (owner > 0)
        return false;
    certificate->kind = tls_key_kind_of(certificate->key);
    if (certificate->kind == TLS_KEY_OTHER)
        tls_report_add(loading->report, loading->source, true,
                       "the key %s is of a kind that is not supported; " SUPPORTED, certificate->files.key);
    return certificate->kind != TLS_KEY_OTHER;
}

/* ---- the whole ---- */

static char *copy_of(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

/* If none is named it is beside the chain, as for HAProxy. */
static char *ocsp_path(const struct tls_certificate_files *files)
{
    if (files->ocsp != NULL)
        return strdup(files->ocsp);
    size_t len = strlen(files->chain) + sizeof ".ocsp";
    char *path = malloc(len);
    if (path != NULL)
        snprintf(path, len, "%s.ocsp", files->chain);
    return path;
}

static struct tls_certificate *new_certificate(const struct tls_certificate_files *files,
                                               const struct tls_key_source *keys)
{
    struct tls_certificate *certificate = calloc(1, sizeof *certificate);
    if (certificate == NULL)
        return NULL;
    atomic_init(&certificate->references, 1);
    certificate->files = (struct tls_certificate_files){copy_of(files->chain), copy_of(files->key),
                                                        copy_of(files->passphrase), ocsp_path(files)};
    if (certificate->files.chain == NULL || certificate->files.key == NULL ||
        certificate->files.ocsp == NULL ||
        (files->passphrase != NULL && certificate->files.passphrase == NULL)) {
        tls_certificate_unref(&certificate);
        return NULL;
    }
    /* Before they are read, so that a change in between is noticed later. */
    certificate->marks[0] = tls_access_mark(keys, certificate->files.chain);
    certificate->marks[1] = tls_access_mark(keys, certificate->files.key);
    certificate->marks[2] = tls_access_mark(keys, certificate->files.ocsp);
    return certificate;
}

/* False after an error was reported. */
static bool check(const struct loading *loading)
{
    const struct tls_certificate *certificate = loading->certificate;
    const struct tls_certificate_check what = {.chain = loading->chain,
                                               .count = loading->count,
                                               .files = &certificate->files,
                                               .role = loading->use->role,
                                               .kind = certificate->kind,
                                               .has_ocsp = certificate->ocsp.len > 0};
    if (!tls_certificate_may_sign(&what, loading->source, loading->report))
        return false;
    const char *reason = tls_trial_run(certificate, loading->chain[0]);
    if (reason != NULL)
        tls_report_add(loading->report, loading->source, true,
                       "the certificate in %s can't be used with its key %s: %s", certificate->files.chain,
                       certificate->files.key, reason);
    else
        tls_certificate_check(&what, loading->source, loading->report);
    return reason == NULL;
}

static bool keep(struct loading *loading)
{
    struct tls_certificate *certificate = loading->certificate;
    if (!check_key(loading))
        return false;
    certificate->begins = tls_seconds_of(X509_get0_notBefore(loading->chain[0]));
    certificate->ends = tls_seconds_of(X509_get0_notAfter(loading->chain[0]));
    certificate->self_signed = X509_check_issued(loading->chain[0], loading->chain[0]) == X509_V_OK;
    keep_ocsp(loading);
    if (keep_chain(loading) && keep_names(loading))
        return check(loading);
    tls_report_add(loading->report, loading->source, true, "no memory for the certificates in %s",
                   certificate->files.chain);
    return false;
}

struct tls_certificate *tls_certificate_load(const struct tls_certificate_files *files,
                                             const struct tls_key_use *use, int source,
                                             const struct tls_report *report)
{
    const struct tls_key_source *keys = use->source;
    struct loading loading = {.certificate = new_certificate(files, keys),
                              .use = use,
                              .ocsp_is_named = files->ocsp != NULL,
                              .source = source,
                              .report = report};
    struct tls_certificate *certificate = loading.certificate;
    if (certificate == NULL) {
        tls_report_add(report, source, true, "no memory for the certificates in %s", files->chain);
        return NULL;
    }
    certificate->key = keys != NULL ? load_external_key(certificate, use, source, report)
                                    : tls_pem_read_key(certificate->files.key, certificate->files.passphrase,
                                                       source, report);
    /* The source would report once more, in other words, that it found no key in the file. */
    if (keys != NULL && certificate->key == NULL &&
        strcmp(certificate->files.chain, certificate->files.key) == 0) {
        tls_certificate_unref(&certificate);
        return NULL;
    }
    bool in_one = strcmp(certificate->files.chain, certificate->files.key) == 0;
    loading.count = tls_pem_read_chain(certificate->files.chain, keys, in_one, source, report, loading.chain);
    if (keys != NULL && !in_one && loading.count > 0 && tls_pem_has_key(certificate->files.chain))
        tls_report_add(report, source, false,
                       "%s has a private key besides its certificates, and this process had to read it; "
                       "remove it from the file, as the key in %s is used",
                       certificate->files.chain, certificate->files.key);
    bool ok = certificate->key != NULL && loading.count > 0 && keep(&loading);
    for (size_t i = 0; i < loading.count; i++)
        X509_free(loading.chain[i]);
    if (!ok)
        tls_certificate_unref(&certificate);
    return certificate;
}

/* Whether the OCSP response is the one that is looked for if none is named. */
static bool has_ocsp_beside(const struct tls_certificate_files *files)
{
    size_t len = strlen(files->chain);
    return strncmp(files->ocsp, files->chain, len) == 0 && strcmp(files->ocsp + len, ".ocsp") == 0;
}

bool tls_certificate_is_fresh(const struct tls_certificate *certificate, const struct tls_seen_files *seen,
                              int64_t now)
{
    const char *const paths[] = {certificate->files.chain, certificate->files.key, certificate->files.ocsp};
    bool is_seen = seen != NULL && seen->is_seen && has_ocsp_beside(&certificate->files);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct tls_file_mark mark = is_seen ? seen->marks[i] : tls_access_mark(certificate->keys, paths[i]);
        if (!tls_file_mark_equals(&mark, &certificate->marks[i]))
            return false;
    }
    const struct tls_key_source *keys = certificate->keys;
    if (keys != NULL && keys->has != NULL && !keys->has(keys->arg, certificate->key_number))
        return false;
    return certificate->ocsp_ends == 0 || certificate->ocsp_ends > now;
}

struct tls_certificate *tls_certificate_ref(struct tls_certificate *certificate)
{
    atomic_fetch_add_explicit(&certificate->references, 1, memory_order_relaxed);
    return certificate;
}

static void destroy(struct tls_certificate *certificate)
{
    for (size_t i = 0; i < certificate->chain_len; i++)
        CRYPTO_BUFFER_free(certificate->chain[i]);
    for (size_t i = 0; i < certificate->name_count; i++)
        free(certificate->names[i]);
    free(certificate->chain);
    free(certificate->names);
    EVP_PKEY_free(certificate->key);
    if (certificate->keys != NULL)
        certificate->keys->release(certificate->keys->arg, certificate->key_number);
    bytes_free(&certificate->ocsp);
    free((char *)(uintptr_t)certificate->files.chain);
    free((char *)(uintptr_t)certificate->files.key);
    free((char *)(uintptr_t)certificate->files.passphrase);
    free((char *)(uintptr_t)certificate->files.ocsp);
    free(certificate);
}

void tls_certificate_unref(struct tls_certificate **certificate)
{
    if (*certificate != NULL &&
        atomic_fetch_sub_explicit(&(*certificate)->references, 1, memory_order_acq_rel) == 1)
        destroy(*certificate);
    *certificate = NULL;
}
