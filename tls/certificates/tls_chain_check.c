/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_chain_check.h"

#include "base/slice.h"
#include "tls/certificates/tls_pem.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

/* Octets of a subject, or of an address, in a message. */
enum { SHOWN_MAX = 200 };

/* The way from the leaf to its last issuer, as indexes into the file. */
struct way {
    size_t steps[TLS_CHAIN_MAX];
    size_t count;
    bool is_on[TLS_CHAIN_MAX]; /* by index into the file */
};

static void print_name(const X509_NAME *name, char into[SHOWN_MAX])
{
    X509_NAME_oneline(name, into, SHOWN_MAX);
    if (into[0] == '/')
        memmove(into, into + 1, strlen(into));
}

/*
 * A signature by an algorithm that the library does not know is taken for a right one: clients may know
 * it.
 */
static bool is_signed_by(X509 *certificate, X509 *issuer)
{
    EVP_PKEY *key = X509_get_pubkey(issuer);
    ERR_clear_error();
    bool is_wrong = key != NULL && X509_verify(certificate, key) != 1 &&
                    ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_EVP_LIB;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return !is_wrong;
}

static bool is_issued_by(X509 *certificate, X509 *issuer)
{
    return X509_check_issued(issuer, certificate) == X509_V_OK && is_signed_by(certificate, issuer);
}

bool tls_chain_is_self_signed(X509 *certificate)
{
    return X509_check_issued(certificate, certificate) == X509_V_OK;
}

/* The place of the issuer, of those in the file that are not on the way: the next one if it is that. */
static size_t find_issuer(X509 *const chain[], size_t count, const struct way *way, size_t index)
{
    for (size_t i = 1; i < count; i++) {
        size_t candidate = (index + i) % count;
        if (!way->is_on[candidate] && is_issued_by(chain[index], chain[candidate]))
            return candidate;
    }
    return count;
}

static struct way walk(X509 *const chain[], size_t count)
{
    struct way way = {.steps = {0}, .count = 1, .is_on = {true}};
    size_t at = 0;
    while (!tls_chain_is_self_signed(chain[at]) && (at = find_issuer(chain, count, &way, at)) < count) {
        way.is_on[at] = true;
        way.steps[way.count++] = at;
    }
    return way;
}

/* Whether the certificate is on the way twice. */
static bool is_repeated(X509 *const chain[], size_t count, const struct way *way, size_t index)
{
    for (size_t i = 0; i < count; i++)
        if (i != index && way->is_on[i] && X509_cmp(chain[i], chain[index]) == 0)
            return true;
    return false;
}

static void check_order(const struct way *way, const char *path, const char *peers, int source,
                        const struct tls_report *report)
{
    char order[TLS_CHAIN_MAX * 4] = "";
    bool is_right = true;
    for (size_t i = 0; i < way->count; i++) {
        size_t len = strlen(order);
        snprintf(order + len, sizeof order - len, "%s%zu", i > 0 ? ", " : "", way->steps[i] + 1);
        is_right = is_right && (i == 0 || way->steps[i] > way->steps[i - 1]);
    }
    if (!is_right)
        tls_report_add(report, source, false,
                       "the certificates in %s are in the wrong order, and some %s will reject them: a chain "
                       "must have the leaf first, then each issuer; put them in the order %s",
                       path, peers, order);
}

/*
 * Whether it can stand in a command: a certificate may come from somebody who hopes that its words are
 * run.
 */
static bool is_harmless(const ASN1_STRING *address)
{
    const uint8_t *text = ASN1_STRING_get0_data(address);
    int len = ASN1_STRING_length(address);
    struct slice whole = {text, len > 0 ? (size_t)len : 0};
    for (size_t i = 0; i < whole.len; i++)
        if (!ascii_is_alpha(text[i]) && !ascii_is_digit(text[i]) &&
            (text[i] == '\0' || strchr("-._/:%", text[i]) == NULL))
            return false;
    return slice_has_prefix(whole, "http://") && whole.len < SHOWN_MAX;
}

/* The address from which the issuer's certificate can be fetched (RFC 5280 section 4.2.2.1); or empty. */
static void find_address(const X509 *certificate, char into[SHOWN_MAX])
{
    AUTHORITY_INFO_ACCESS *all = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
    into[0] = '\0';
    for (size_t i = 0; all != NULL && i < sk_ACCESS_DESCRIPTION_num(all); i++) {
        const ACCESS_DESCRIPTION *at = sk_ACCESS_DESCRIPTION_value(all, i);
        if (OBJ_obj2nid(at->method) != NID_ad_ca_issuers || at->location->type != GEN_URI)
            continue;
        const ASN1_STRING *address = at->location->d.uniformResourceIdentifier;
        if (is_harmless(address))
            snprintf(into, SHOWN_MAX, "%.*s", ASN1_STRING_length(address),
                     (const char *)ASN1_STRING_get0_data(address));
    }
    AUTHORITY_INFO_ACCESS_free(all);
    ERR_clear_error();
}

/* An operator's own authority certifies by its root, and names no address. */
static void report_missing(X509 *leaf, const char *path, const char *peers, bool may_be_private, int source,
                           const struct tls_report *report)
{
    char issuer[SHOWN_MAX];
    char address[SHOWN_MAX];
    print_name(X509_get_issuer_name(leaf), issuer);
    find_address(leaf, address);
    if (may_be_private && address[0] == '\0')
        return;
    tls_report_add(
        report, source, false,
        "the chain in %s has the leaf alone, without the certificate of its issuer %s: %s that do "
        "not have that one will reject it; append it to the file (certificate tools name the whole "
        "chain fullchain%s%s%s)",
        path, issuer, peers, address[0] != '\0' ? "; curl " : "", address,
        address[0] != '\0' ? " | openssl x509 -inform DER >> FILE" : "");
}

static void report_foreign(X509 *const chain[], const struct way *way, size_t index, const char *path,
                           const char *peers, int source, const struct tls_report *report)
{
    char subject[SHOWN_MAX];
    char issuer[SHOWN_MAX];
    X509 *last = chain[way->steps[way->count - 1]];
    bool is_whole = way->count > 1 || tls_chain_is_self_signed(last);
    print_name(X509_get_subject_name(chain[index]), subject);
    print_name(X509_get_issuer_name(last), issuer);
    tls_report_add(
        report, source, false,
        "certificate %zu in %s, of %s, has issued none of the others, and %s may reject the chain: "
        "it must have the leaf first, then each issuer; remove it from the file%s%s",
        index + 1, path, subject, peers, is_whole ? "" : ", and append that of the leaf's issuer ",
        is_whole ? "" : issuer);
}

void tls_chain_check(X509 *const chain[], size_t count, const char *path, const char *peers,
                     bool may_be_private, int source, const struct tls_report *report)
{
    struct way way = walk(chain, count);
    bool has_foreign = false;
    for (size_t i = 0; i < count; i++)
        if (!way.is_on[i] && !is_repeated(chain, count, &way, i)) {
            report_foreign(chain, &way, i, path, peers, source, report);
            has_foreign = true;
        }
    check_order(&way, path, peers, source, report);
    if (way.count == 1 && !has_foreign && !tls_chain_is_self_signed(chain[0]))
        report_missing(chain[0], path, peers, may_be_private, source, report);
    ERR_clear_error();
}
