/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_suites_check.h"

#include "base/array.h"
#include "tls/tls_version.h"

#include <openssl/nid.h>

/* As many as are looked at in a handshake. */
enum { CANDIDATES_MAX = 16 };

static const struct kind {
    int authentication; /* of its suites */
    const char *name;
    const char *example;
    const char *old_example; /* for TLS 1.0 and 1.1 */
    const char *other;
} kinds[] = {
    {NID_auth_rsa, "an RSA key", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "an ECDSA key"},
    {NID_auth_ecdsa, "an ECDSA key", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "an RSA key"},
};

struct checking {
    const struct tls_store *store;
    uint16_t version; /* the newest one that has a choice of suites */
    bool has_suite[ARRAY_LEN(kinds)];
};

static size_t kind_of(const struct tls_certificate *certificate)
{
    return certificate->kind == TLS_KEY_RSA ? 0 : 1;
}

static bool has_suite_for(const SSL_CTX *ctx, int authentication, uint16_t version)
{
    const STACK_OF(SSL_CIPHER) *suites = SSL_CTX_get_ciphers(ctx);
    for (size_t i = 0; i < sk_SSL_CIPHER_num(suites); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(suites, i);
        if (SSL_CIPHER_get_auth_nid(suite) == authentication && SSL_CIPHER_get_min_version(suite) <= version)
            return true;
    }
    return false;
}

/* `name`: NULL if the client asks for none. */
static bool is_served(const struct checking *checking, const char *name)
{
    size_t found[CANDIDATES_MAX];
    size_t count = tls_store_find(checking->store, name, found, CANDIDATES_MAX);
    for (size_t i = 0; i < count; i++)
        if (checking->has_suite[kind_of(checking->store->certificates[found[i]])])
            return true;
    return false;
}

/* A name of the certificate that no other one serves; NULL if there is none. */
static const char *find_unserved(const struct checking *checking, size_t index)
{
    const struct tls_store *store = checking->store;
    const struct tls_certificate *certificate = store->certificates[index];
    for (size_t i = 0; i < certificate->name_count; i++)
        if (!is_served(checking, certificate->names[i]))
            return certificate->names[i];
    return index == store->first && !store->strict && !is_served(checking, NULL) ? "no name" : NULL;
}

static void report_unserved(const struct checking *checking, const struct tls_certificate *certificate,
                            const char *name, bool is_error, const struct tls_report *report)
{
    const struct kind *kind = &kinds[kind_of(certificate)];
    tls_report_add(
        report, TLS_SOURCE_CIPHERS, is_error,
        "\"ciphers\" has no suite for %s, as that of the certificate in %s: %s that ask for %s are "
        "refused; add such a suite (\"%s\"), or use a certificate with %s%s",
        kind->name, certificate->files.chain, is_error ? "all clients" : "clients without TLS 1.3", name,
        checking->version < TLS_1_2 ? kind->old_example : kind->example, kind->other,
        is_error ? ", or set max_version = \"TLSv1.3\", whose suites take every key" : "");
}

bool tls_suites_check(const SSL_CTX *ctx, const struct tls_store *store, const struct tls_report *report)
{
    uint16_t newest = SSL_CTX_get_max_proto_version(ctx);
    struct checking checking = {store, newest < TLS_1_2 ? newest : TLS_1_2, {false}};
    bool reported[ARRAY_LEN(kinds)] = {false};
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        checking.has_suite[i] = SSL_CTX_get_min_proto_version(ctx) >= TLS_1_3 ||
                                has_suite_for(ctx, kinds[i].authentication, checking.version);
    for (size_t i = 0; i < store->count; i++) {
        const struct tls_certificate *certificate = store->certificates[i];
        size_t kind = kind_of(certificate);
        const char *name = checking.has_suite[kind] || reported[kind] ? NULL : find_unserved(&checking, i);
        if (name == NULL)
            continue;
        report_unserved(&checking, certificate, name, newest < TLS_1_3, report);
        reported[kind] = true;
        ok = newest >= TLS_1_3;
    }
    return ok;
}
