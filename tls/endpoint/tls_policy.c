/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_policy.h"

#include "base/array.h"

#include "tls/certificates/tls_hello.h"
#include "tls/tls_report.h"
#include "tls/tls_version.h"

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/nid.h>

#include <stdio.h>
#include <string.h>

/* RFC 9325 section 4.2 less DHE, which BoringSSL does not have, and with ChaCha20 (RFC 7905). */
#define CIPHERS_RFC9325                                                                                      \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                             \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                             \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
/* The suites of TLS 1.0 and 1.1, for operators that allow these versions. */
#define CIPHERS_OLD ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"
/*
 * RFC 9325 section 4.2 requires P-256 and recommends X25519. P-384 is for clients that are set to use no
 * other.
 */
#define GROUPS_RFC9325 "X25519:P-256:P-384"

/* Octets for a list of names of suites. */
enum { NAMES_MAX = 2048 };

/* All that the library can sign with, except SHA-1 (RFC 9155). */
static const uint16_t signatures[] = {
    SSL_SIGN_ED25519,          SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA256,
    SSL_SIGN_RSA_PKCS1_SHA256, SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA384,
    SSL_SIGN_RSA_PKCS1_SHA384, SSL_SIGN_ECDSA_SECP521R1_SHA512, SSL_SIGN_RSA_PSS_RSAE_SHA512,
    SSL_SIGN_RSA_PKCS1_SHA512,
};

static bool set_versions(SSL_CTX *ctx, uint16_t min, uint16_t max, const struct tls_report *report)
{
    if (SSL_CTX_set_min_proto_version(ctx, min) && SSL_CTX_set_max_proto_version(ctx, max) && min <= max)
        return true;
    tls_report_add(report, TLS_NO_SOURCE, true, "no TLS version is left between min_version and max_version");
    return false;
}

/* ---- the list of suites ---- */

static const char *why_forbidden(const SSL_CIPHER *suite)
{
    if (SSL_CIPHER_get_bits(suite, NULL) < 128 || SSL_CIPHER_get_cipher_nid(suite) == NID_des_ede3_cbc)
        return "it has less than 128 bits";
    if (SSL_CIPHER_get_kx_nid(suite) == NID_kx_rsa)
        return "it has no forward secrecy: whoever gets the key can decrypt recorded connections";
    return NULL;
}

static bool check_forbidden(const STACK_OF(SSL_CIPHER) * suites, const struct tls_report *report)
{
    bool ok = true;
    for (size_t i = 0; i < sk_SSL_CIPHER_num(suites); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(suites, i);
        const char *why = why_forbidden(suite);
        if (why != NULL)
            tls_report_add(report, TLS_SOURCE_CIPHERS, true,
                           "the suite %s in \"ciphers\" can't be used: %s (RFC 9325)",
                           SSL_CIPHER_get_name(suite), why);
        ok = ok && why == NULL;
    }
    return ok;
}

/* Pre-shared key suites are not counted: they are never chosen, as there are no such keys. */
static bool is_old(const SSL_CIPHER *suite)
{
    return !SSL_CIPHER_is_aead(suite) && why_forbidden(suite) == NULL &&
           SSL_CIPHER_get_auth_nid(suite) != NID_auth_psk;
}

/* TLS 1.0 and 1.1 have no other suites: then nothing is warned about. */
static void warn_of_old(const STACK_OF(SSL_CIPHER) * suites, const struct tls_settings *settings,
                        const struct tls_report *report)
{
    for (size_t i = 0; settings->min_version >= TLS_1_2 && i < sk_SSL_CIPHER_num(suites); i++)
        if (is_old(sk_SSL_CIPHER_value(suites, i)))
            tls_report_add(
                report, TLS_SOURCE_CIPHERS, false,
                "the suite %s in \"ciphers\" is an old one (CBC), which TLS 1.2 does not need (RFC 9325)",
                SSL_CIPHER_get_name(sk_SSL_CIPHER_value(suites, i)));
}

/* ---- what is wrong with a list ---- */

#define CIPHERS_HINT                                                                                         \
    "expected OpenSSL's names separated by colons, as in "                                                   \
    "\"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384\""

enum { ELEMENT_MAX = 64 };

/* Can the library make something of this one element? Its operators (+, -, !) don't matter here. */
static bool knows_suite(SSL_CTX *scratch, const char *element)
{
    char list[sizeof "ALL:" + ELEMENT_MAX];
    element += strspn(element, "+-!");
    snprintf(list, sizeof list, "ALL:%s", element);
    /* Suites of TLS 1.3 have names, but no place in a list. */
    bool knows = strncmp(element, "TLS_", 4) != 0 && SSL_CTX_set_strict_cipher_list(scratch, list);
    ERR_clear_error();
    return knows;
}

static bool knows_group(SSL_CTX *scratch, const char *element)
{
    bool knows = SSL_CTX_set1_curves_list(scratch, element);
    ERR_clear_error();
    return knows;
}

static void report_suite(const char *element, const struct tls_report *report)
{
    if (strncmp(element, "TLS_", 4) == 0)
        tls_report_add(report, TLS_SOURCE_CIPHERS, true,
                       "\"%s\" in \"ciphers\" is the name of a suite as TLS 1.3 has it, whose suites are not "
                       "chosen here: "
                       "leave it out, " CIPHERS_HINT,
                       element);
    else if (strncmp(element, "DHE-", 4) == 0 || strncmp(element, "EDH-", 4) == 0)
        tls_report_add(report, TLS_SOURCE_CIPHERS, true,
                       "\"%s\" in \"ciphers\" is a suite with DHE, which the TLS library does not have: "
                       "leave it out, the "
                       "clients that have it have ECDHE too",
                       element);
    else
        tls_report_add(report, TLS_SOURCE_CIPHERS, true,
                       "\"%s\" in \"ciphers\" is no suite that the TLS library knows, " CIPHERS_HINT
                       " (`openssl ciphers -v` lists them)",
                       element);
}

static void report_group(const char *element, const struct tls_report *report)
{
    tls_report_add(report, TLS_SOURCE_GROUPS, true,
                   "\"%s\" in \"groups\" is no group that the TLS library knows, expected some of "
                   "\"X25519\", \"P-256\", "
                   "\"P-384\" and \"P-521\", separated by colons",
                   element);
}

/*
 * Reports each element of the list that is not known; how many. One that is too long to be a name is shown in
 * part.
 */
static unsigned report_unknown(const char *list, bool (*knows)(SSL_CTX *scratch, const char *element),
                               void (*report_one)(const char *element, const struct tls_report *report),
                               const struct tls_report *report)
{
    unsigned count = 0;
    SSL_CTX *scratch = SSL_CTX_new(TLS_with_buffers_method());
    for (const char *c = list; scratch != NULL;) {
        char element[ELEMENT_MAX];
        size_t len = strcspn(c, ":");
        snprintf(element, sizeof element, "%.*s", (int)(len < ELEMENT_MAX ? len : ELEMENT_MAX), c);
        if (!knows(scratch, element)) {
            report_one(element, report);
            count++;
        }
        if (c[len] == '\0')
            break;
        c += len + 1;
    }
    SSL_CTX_free(scratch);
    return count;
}

/* TLS 1.3 has suites of its own, which are always enabled. */
static bool check_versions_have_suites(const STACK_OF(SSL_CIPHER) * suites,
                                       const struct tls_settings *settings, const struct tls_report *report)
{
    bool found = settings->max_version >= TLS_1_3;
    for (size_t i = 0; i < sk_SSL_CIPHER_num(suites); i++)
        found = found || SSL_CIPHER_get_min_version(sk_SSL_CIPHER_value(suites, i)) <= settings->max_version;
    if (!found)
        tls_report_add(
            report, TLS_SOURCE_CIPHERS, true,
            "no suite in \"ciphers\" belongs to a version up to max_version: add such suites, or raise "
            "max_version to \"TLSv1.3\", which has its own");
    return found;
}

static bool set_ciphers(SSL_CTX *ctx, const struct tls_settings *settings, const struct tls_report *report)
{
    const char *ciphers = settings->ciphers;
    if (ciphers == NULL)
        ciphers = settings->min_version < TLS_1_2 ? CIPHERS_RFC9325 CIPHERS_OLD : CIPHERS_RFC9325;
    if (!SSL_CTX_set_strict_cipher_list(ctx, ciphers)) {
        ERR_clear_error();
        if (report_unknown(ciphers, knows_suite, report_suite, report) == 0)
            tls_report_add(report, TLS_SOURCE_CIPHERS, true,
                           "\"ciphers\" = \"%s\" leaves no suite, " CIPHERS_HINT, ciphers);
        return false;
    }
    const STACK_OF(SSL_CIPHER) *suites = SSL_CTX_get_ciphers(ctx);
    warn_of_old(suites, settings, report);
    return check_forbidden(suites, report) && check_versions_have_suites(suites, settings, report);
}

static bool set_groups(SSL_CTX *ctx, const struct tls_settings *settings, const struct tls_report *report)
{
    const char *groups = settings->groups != NULL ? settings->groups : GROUPS_RFC9325;
    if (SSL_CTX_set1_curves_list(ctx, groups))
        return true;
    ERR_clear_error();
    if (report_unknown(groups, knows_group, report_group, report) == 0)
        tls_report_add(report, TLS_SOURCE_GROUPS, true,
                       "\"groups\" = \"%s\" can't be used as a whole, expected some of \"X25519\", "
                       "\"P-256\", \"P-384\" and "
                       "\"P-521\", each once, separated by colons",
                       groups);
    return false;
}

bool tls_policy_apply(SSL_CTX *ctx, const struct tls_settings *settings, const struct tls_report *report)
{
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Early data can be replayed: a mail would be sent twice, a login repeated (RFC 8446 section 8). */
    SSL_CTX_set_early_data_enabled(ctx, 0);
    bool ok = SSL_CTX_set_signing_algorithm_prefs(ctx, signatures, ARRAY_LEN(signatures));
    ok = set_versions(ctx, settings->min_version, settings->max_version, report) && ok;
    ok = set_ciphers(ctx, settings, report) && ok;
    return set_groups(ctx, settings, report) && ok;
}

bool tls_policy_accept_signatures(SSL_CTX *ctx)
{
    return SSL_CTX_set_verify_algorithm_prefs(ctx, signatures, ARRAY_LEN(signatures)) == 1;
}

/* ---- the order for one client ---- */

enum preference { PREFERS_NOTHING, PREFERS_AES, PREFERS_CHACHA20 };

static enum preference preference_of(uint16_t suite)
{
    switch (suite) {
    case 0x1303: /* suites of TLS 1.3 show the client's preference too */
    case 0xcca8:
    case 0xcca9:
        return PREFERS_CHACHA20;
    case 0x1301:
    case 0x1302:
    case 0xc02b:
    case 0xc02c:
    case 0xc02f:
    case 0xc030:
        return PREFERS_AES;
    default:
        return PREFERS_NOTHING; /* others, and GREASE (RFC 8701) */
    }
}

static bool prefers_chacha20(const SSL_CLIENT_HELLO *hello)
{
    CBS suites;
    uint16_t suite;
    enum preference preference = PREFERS_NOTHING;
    CBS_init(&suites, hello->cipher_suites, hello->cipher_suites_len);
    while (preference == PREFERS_NOTHING && CBS_get_u16(&suites, &suite))
        preference = preference_of(suite);
    return preference == PREFERS_CHACHA20;
}

/* Appends the names of the suites that are ChaCha20, or of those that are not. False if there is no room. */
static bool append_names(const STACK_OF(SSL_CIPHER) * suites, bool chacha20, char names[NAMES_MAX])
{
    for (size_t i = 0; i < sk_SSL_CIPHER_num(suites); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(suites, i);
        if ((SSL_CIPHER_get_cipher_nid(suite) == NID_chacha20_poly1305) != chacha20)
            continue;
        size_t len = strlen(names);
        int added =
            snprintf(names + len, NAMES_MAX - len, "%s%s", len > 0 ? ":" : "", SSL_CIPHER_get_name(suite));
        if (added < 0 || (size_t)added >= NAMES_MAX - len)
            return false;
    }
    return true;
}

bool tls_policy_adapt(const SSL_CLIENT_HELLO *hello)
{
    char names[NAMES_MAX] = "";
    const STACK_OF(SSL_CIPHER) *suites = SSL_get_ciphers(hello->ssl);
    if (tls_hello_is_tls13(hello) || !prefers_chacha20(hello))
        return true;
    /* If the list is too long the server's own order stays. */
    if (!append_names(suites, true, names) || names[0] == '\0' || !append_names(suites, false, names))
        return true;
    return SSL_set_strict_cipher_list(hello->ssl, names);
}
