/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_certificate_check.h"

#include "base/array.h"
#include "base/civil_time.h"
#include "base/slice.h"
#include "tls/certificates/tls_chain_check.h"
#include "tls/tls_time.h"

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/obj.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The fewest bits of RSA that programs of today take (RFC 9325 section 4.5). */
#define RSA_BITS_MIN 2048
/* Apple's mail programs reject a server's certificate that is valid for longer. */
#define DAYS_MAX 825
#define DAY      (24 * 3600)
/* Octets of a name in a message. */
enum { NAME_SHOWN_MAX = 160 };

/* What a check needs besides the certificate. */
struct checking {
    const struct tls_certificate_check *what;
    const struct tls_report *report;
    int source;
};

/* What will reject the certificate. */
static const char *peers(const struct checking *checking)
{
    return checking->what->role == TLS_KEY_OF_SERVER ? "clients" : "servers";
}

#define WARN(checking, ...) tls_report_add((checking)->report, (checking)->source, false, __VA_ARGS__)

/* ---- dates ---- */

static void print_day(int64_t seconds, char into[NAME_SHOWN_MAX])
{
    struct civil_time day = civil_time_of(seconds > 0 ? seconds : 0);
    snprintf(into, NAME_SHOWN_MAX, "%04lld-%02d-%02d", (long long)day.year, day.month, day.day);
}

static void check_date(const struct checking *checking, size_t index)
{
    const X509 *at = checking->what->chain[index];
    int64_t begins = tls_seconds_of(X509_get0_notBefore(at));
    int64_t ends = tls_seconds_of(X509_get0_notAfter(at));
    char day[NAME_SHOWN_MAX];
    char which[NAME_SHOWN_MAX] = "the certificate in ";
    const char *whose = index > 0 ? ", an issuer's," : "";
    if (index > 0)
        snprintf(which, sizeof which, "certificate %zu in ", index + 1);
    print_day(begins > checking->report->now ? begins : ends, day);
    if (begins > checking->report->now)
        WARN(checking,
             "%s%s%s is not valid yet: %s will reject it until %s; is the clock of this machine right?",
             which, checking->what->files->chain, whose, peers(checking), day);
    else if (ends < checking->report->now)
        WARN(checking, "%s%s%s has expired: %s will reject it since %s; %s", which,
             checking->what->files->chain, whose, peers(checking), day,
             index > 0 ? "put its issuer's present one in its place" : "renew it");
}

static void check_dates(const struct checking *checking)
{
    for (size_t i = 0; checking->report->now != 0 && i < checking->what->count; i++)
        check_date(checking, i);
    int64_t days = (tls_seconds_of(X509_get0_notAfter(checking->what->chain[0])) -
                    tls_seconds_of(X509_get0_notBefore(checking->what->chain[0]))) /
                   DAY;
    bool self_signed = tls_chain_is_self_signed(checking->what->chain[0]);
    if (checking->what->role == TLS_KEY_OF_SERVER && days > DAYS_MAX && !self_signed)
        WARN(checking,
             "the certificate in %s is valid for %lld days, and Apple's mail programs reject one that is "
             "valid "
             "for more than %d: have it issued for less",
             checking->what->files->chain, (long long)days, DAYS_MAX);
}

/* ---- algorithms ---- */

static bool is_weak_digest(const X509 *certificate)
{
    int digest = NID_undef;
    int key = NID_undef;
    if (!OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, &key))
        return false;
    return digest == NID_sha1 || digest == NID_md5 || digest == NID_md4;
}

static void check_algorithms(const struct checking *checking)
{
    for (size_t i = 0; i < checking->what->count; i++) {
        X509 *at = checking->what->chain[i];
        EVP_PKEY *key = X509_get_pubkey(at);
        /* Nobody verifies the signature of a root. */
        if (is_weak_digest(at) && (i == 0 || !tls_chain_is_self_signed(at)))
            WARN(checking,
                 "certificate %zu in %s is signed with SHA-1 or MD5: %s will reject it; have it issued "
                 "anew with SHA-256 (openssl: -sha256)",
                 i + 1, checking->what->files->chain, peers(checking));
        if (key != NULL && EVP_PKEY_id(key) == EVP_PKEY_RSA && EVP_PKEY_bits(key) < RSA_BITS_MIN)
            WARN(checking,
                 "certificate %zu in %s has an RSA key of %d bits, and %s of today take no less than %d: "
                 "make a new key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "
                 "NEW.key) and have it certified",
                 i + 1, checking->what->files->chain, EVP_PKEY_bits(key), peers(checking), RSA_BITS_MIN);
        EVP_PKEY_free(key);
    }
    ERR_clear_error();
}

/* ---- names ---- */

/* The last common name of the subject; false if there is none that is text. */
static bool get_common_name(X509 *leaf, char into[NAME_SHOWN_MAX])
{
    const X509_NAME *subject = X509_get_subject_name(leaf);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    const X509_NAME_ENTRY *entry = index >= 0 ? X509_NAME_get_entry(subject, index) : NULL;
    uint8_t *text = NULL;
    int len = entry != NULL ? ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry)) : -1;
    bool ok = len > 0 && len < NAME_SHOWN_MAX && memchr(text, '\0', (size_t)len) == NULL;
    if (ok)
        snprintf(into, NAME_SHOWN_MAX, "%.*s", len, (const char *)text);
    OPENSSL_free(text);
    return ok;
}

/* Whether it can be a host's name, and not a person's or a product's. */
static bool is_host_name(const char *text)
{
    bool has_dot = false;
    for (const char *at = text; *at != '\0'; at++) {
        uint8_t octet = (uint8_t)*at;
        if (!ascii_is_alpha(octet) && !ascii_is_digit(octet) && strchr("-._*", octet) == NULL)
            return false;
        has_dot = has_dot || (octet == '.' && at[1] != '\0');
    }
    return has_dot;
}

static bool has_name(const GENERAL_NAMES *all, const char *name)
{
    const char *dot = strchr(name, '.');
    for (size_t i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *at = sk_GENERAL_NAME_value(all, i);
        if (at->type != GEN_DNS)
            continue;
        struct slice text = {ASN1_STRING_get0_data(at->d.dNSName), (size_t)ASN1_STRING_length(at->d.dNSName)};
        bool is_wildcard = slice_has_prefix(text, "*.") && dot != NULL;
        if (slice_is_word(text, name) || (is_wildcard && slice_is_word(slice_from(text, 1), dot)))
            return true;
    }
    return false;
}

static bool is_for_hosts(const GENERAL_NAMES *all)
{
    for (size_t i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        int type = sk_GENERAL_NAME_value(all, i)->type;
        if (type == GEN_DNS || type == GEN_IPADD)
            return true;
    }
    return false;
}

static void check_names(const struct checking *checking)
{
    X509 *leaf = checking->what->chain[0];
    const char *path = checking->what->files->chain;
    char name[NAME_SHOWN_MAX];
    GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool has_common = get_common_name(leaf, name) && is_host_name(name);
    if ((all == NULL || !is_for_hosts(all)) && has_common)
        WARN(checking,
             "the certificate in %s has no subjectAltName: its name %s is in the common name (CN) alone, at "
             "which clients don't look; they will reject it: have it issued anew with that name as "
             "subjectAltName (openssl: -addext subjectAltName=DNS:%s)",
             path, name, name);
    else if (all == NULL || !is_for_hosts(all))
        WARN(checking,
             "the certificate in %s has no subjectAltName, and so no name that clients could know: they will "
             "reject it; have it issued anew with the names of the host (openssl: -addext "
             "subjectAltName=DNS:NAME)",
             path);
    else if (has_common && !has_name(all, name))
        WARN(checking,
             "in the certificate in %s the name %s is in the common name (CN) alone, at which clients don't "
             "look: those that ask for %s will reject it; have it issued anew with subjectAltName=DNS:%s",
             path, name, name, name);
    GENERAL_NAMES_free(all);
    ERR_clear_error();
}

/* ---- extensions ---- */

static void check_purpose(const struct checking *checking)
{
    bool is_server = checking->what->role == TLS_KEY_OF_SERVER;
    uint32_t has = X509_get_extended_key_usage(checking->what->chain[0]);
    uint32_t wanted = is_server ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
    if (has == UINT32_MAX || (has & (wanted | XKU_ANYEKU)) != 0)
        return;
    WARN(checking,
         "the certificate in %s is not for %s: its extendedKeyUsage lacks %s, and %s will reject it; have it "
         "issued anew with that, or without extendedKeyUsage",
         checking->what->files->chain, is_server ? "servers" : "clients",
         is_server ? "serverAuth" : "clientAuth", is_server ? "clients" : "servers");
}

static bool has_signature(X509 *leaf)
{
    return (X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) != 0;
}

static void check_usage(const struct checking *checking)
{
    if (!has_signature(checking->what->chain[0]))
        WARN(checking,
             "the certificate in %s may not sign: its keyUsage lacks digitalSignature, and %s that look "
             "at "
             "that (GnuTLS, NSS, BoringSSL) will reject it; have it issued anew with "
             "keyUsage=digitalSignature",
             checking->what->files->chain, peers(checking));
}

/* status_request (RFC 7633 section 6) */
static bool demands_staple(const X509 *leaf)
{
    ASN1_OBJECT *feature = OBJ_txt2obj("1.3.6.1.5.5.7.1.24", 1);
    int index = feature != NULL ? X509_get_ext_by_OBJ(leaf, feature, -1) : -1;
    ASN1_OBJECT_free(feature);
    if (index < 0)
        return false;
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(leaf, index));
    CBS octets;
    CBS list;
    uint64_t number = 0;
    CBS_init(&octets, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    if (!CBS_get_asn1(&octets, &list, CBS_ASN1_SEQUENCE))
        return false;
    while (CBS_get_asn1_uint64(&list, &number))
        if (number == 5)
            return true;
    return false;
}

static void check_staple(const struct checking *checking)
{
    if (demands_staple(checking->what->chain[0]) && !checking->what->has_ocsp)
        WARN(
            checking,
            "the certificate in %s demands a stapled OCSP response (must-staple), and there is none that can "
            "be used: clients will reject it; fetch one regularly into %s.ocsp (openssl ocsp -issuer ISSUER "
            "-cert LEAF -url URL -respout ...), or have the certificate issued without must-staple",
            checking->what->files->chain, checking->what->files->chain);
}

/* ---- the key's file ---- */

/* Whether users that are neither the owner nor of the group come as far as to the file. */
static bool is_within_reach(const char *path)
{
    char folder[PATH_MAX];
    struct stat status;
    if (realpath(path, folder) == NULL)
        return false;
    for (char *slash = strrchr(folder, '/'); slash != NULL && slash != folder; slash = strrchr(folder, '/')) {
        *slash = '\0';
        if (stat(folder, &status) != 0 || (status.st_mode & S_IXOTH) == 0)
            return false;
    }
    return true;
}

static void check_mode(const struct checking *checking)
{
    const char *path = checking->what->files->key;
    struct stat status;
    if (stat(path, &status) == 0 && (status.st_mode & S_IROTH) != 0 && is_within_reach(path))
        WARN(checking,
             "the private key %s can be read by every user of this machine: chmod o-rwx FILE, and if others "
             "may have "
             "read it make a new one",
             path);
}

static bool is_readable(X509 *certificate)
{
    return (X509_get_extension_flags(certificate) & EXFLAG_INVALID) == 0;
}

bool tls_certificate_may_sign(const struct tls_certificate_check *check, int source,
                              const struct tls_report *report)
{
    /* With RSA the library does not look, nor do all clients. */
    if (check->kind == TLS_KEY_RSA || !is_readable(check->chain[0]) || has_signature(check->chain[0]))
        return true;
    tls_report_add(report, source, true,
                   "the certificate in %s can't be used: its keyUsage lacks digitalSignature, so that no TLS "
                   "handshake could be signed with it; have it issued anew with keyUsage=digitalSignature",
                   check->files->chain);
    return false;
}

void tls_certificate_check(const struct tls_certificate_check *check, int source,
                           const struct tls_report *report)
{
    const struct checking checking = {check, report, source};
    check_mode(&checking);
    for (size_t i = 0; i < check->count; i++)
        if (!is_readable(check->chain[i])) {
            WARN(&checking,
                 "certificate %zu in %s has an extension that is damaged: %s will reject it; have it "
                 "issued anew",
                 i + 1, check->files->chain, peers(&checking));
            return;
        }
    tls_chain_check(check->chain, check->count, check->files->chain, peers(&checking),
                    check->role != TLS_KEY_OF_SERVER, source, report);
    check_dates(&checking);
    check_algorithms(&checking);
    check_usage(&checking);
    check_purpose(&checking);
    if (check->role == TLS_KEY_OF_SERVER) {
        check_names(&checking);
        check_staple(&checking);
    }
}
