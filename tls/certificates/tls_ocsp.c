/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_ocsp.h"

#include "tls/tls_time.h"

#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string.h>

#define CONTEXT(number)     (CBS_ASN1_CONTEXT_SPECIFIC | (number))
#define CONSTRUCTED(number) (CONTEXT(number) | CBS_ASN1_CONSTRUCTED)

/* Seconds by which the clocks of authorities and servers may differ. */
enum { CLOCK_SKEW_SECONDS = 300 };

/* The parts of a BasicOCSPResponse (RFC 6960 section 4.2.1). */
struct basic {
    CBS signed_part; /* tbsResponseData with its own tag and length */
    CBS responses;
    CBS algorithm; /* OBJECT IDENTIFIER */
    CBS signature;
    CBS certificates; /* empty if there are none */
};

struct single {
    CBS id;
    unsigned status;
    int64_t begins;
    int64_t ends; /* 0: no nextUpdate */
};

/* ---- reading ---- */

/* From an OCSPResponse to its BasicOCSPResponse. NULL, or what is wrong. */
static const char *open_response(struct slice response, CBS *basic)
{
    static const uint8_t basic_type[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01};
    CBS all;
    CBS outer;
    CBS status;
    CBS wrapped;
    CBS bytes;
    CBS type;
    CBS_init(&all, response.data, response.len);
    if (!CBS_get_asn1(&all, &outer, CBS_ASN1_SEQUENCE) || CBS_len(&all) != 0 ||
        !CBS_get_asn1(&outer, &status, CBS_ASN1_ENUMERATED) || CBS_len(&status) != 1)
        return "is no OCSP response in DER";
    if (CBS_data(&status)[0] != 0)
        return "is a responder's error, not an answer";
    if (!CBS_get_asn1(&outer, &wrapped, CONSTRUCTED(0)) ||
        !CBS_get_asn1(&wrapped, &bytes, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&bytes, &type, CBS_ASN1_OBJECT) ||
        !CBS_mem_equal(&type, basic_type, sizeof basic_type) ||
        !CBS_get_asn1(&bytes, &all, CBS_ASN1_OCTETSTRING) || !CBS_get_asn1(&all, basic, CBS_ASN1_SEQUENCE))
        return "is no basic OCSP response";
    return NULL;
}

static bool read_basic(CBS from, struct basic *into)
{
    CBS data;
    CBS algorithm;
    CBS wrapped;
    CBS skipped;
    unsigned responder_tag;
    CBS_init(&into->certificates, NULL, 0);
    if (!CBS_get_asn1_element(&from, &into->signed_part, CBS_ASN1_SEQUENCE))
        return false;
    CBS copy = into->signed_part;
    return CBS_get_asn1(&copy, &data, CBS_ASN1_SEQUENCE) &&
           CBS_get_optional_asn1(&data, NULL, NULL, CONSTRUCTED(0)) &&
           CBS_get_any_asn1(&data, &skipped, &responder_tag) &&
           CBS_get_asn1(&data, &skipped, CBS_ASN1_GENERALIZEDTIME) &&
           CBS_get_asn1(&data, &into->responses, CBS_ASN1_SEQUENCE) &&
           CBS_get_asn1(&from, &algorithm, CBS_ASN1_SEQUENCE) &&
           CBS_get_asn1(&algorithm, &into->algorithm, CBS_ASN1_OBJECT) &&
           CBS_get_asn1(&from, &into->signature, CBS_ASN1_BITSTRING) &&
           CBS_skip(&into->signature, 1) && /* unused bits: none in a signature */
           (CBS_len(&from) == 0 || (CBS_get_asn1(&from, &wrapped, CONSTRUCTED(0)) &&
                                    CBS_get_asn1(&wrapped, &into->certificates, CBS_ASN1_SEQUENCE)));
}

static bool read_time(CBS *from, int64_t *into)
{
    CBS text;
    char copy[16];
    if (!CBS_get_asn1(from, &text, CBS_ASN1_GENERALIZEDTIME) || CBS_len(&text) >= sizeof copy)
        return false;
    memcpy(copy, CBS_data(&text), CBS_len(&text));
    copy[CBS_len(&text)] = '\0';
    ASN1_GENERALIZEDTIME *time = ASN1_GENERALIZEDTIME_new();
    bool ok = time != NULL && ASN1_GENERALIZEDTIME_set_string(time, copy);
    *into = ok ? tls_seconds_of(time) : 0;
    ASN1_GENERALIZEDTIME_free(time);
    ERR_clear_error();
    return ok;
}

static bool read_single(CBS *from, struct single *into)
{
    CBS single;
    CBS next;
    CBS status;
    int has_next;
    *into = (struct single){0};
    return CBS_get_asn1(from, &single, CBS_ASN1_SEQUENCE) &&
           CBS_get_asn1(&single, &into->id, CBS_ASN1_SEQUENCE) &&
           CBS_get_any_asn1(&single, &status, &into->status) && read_time(&single, &into->begins) &&
           CBS_get_optional_asn1(&single, &next, &has_next, CONSTRUCTED(0)) &&
           (!has_next || read_time(&next, &into->ends));
}

/* ---- which certificate it is about ---- */

static const EVP_MD *digest_of(CBS object)
{
    int nid = OBJ_cbs2nid(&object);
    return nid != NID_undef ? EVP_get_digestbynid(nid) : NULL;
}

static bool is_hash_of(CBS hash, const EVP_MD *digest, struct slice text)
{
    uint8_t own[EVP_MAX_MD_SIZE];
    unsigned len;
    return EVP_Digest(text.data, text.len, own, &len, digest, NULL) && CBS_mem_equal(&hash, own, len);
}

static bool names_issuer(CBS name_hash, CBS key_hash, const EVP_MD *digest, X509 *issuer)
{
    uint8_t *name = NULL;
    int name_len = i2d_X509_NAME(X509_get_subject_name(issuer), &name);
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(issuer);
    bool is = name_len > 0 && key != NULL &&
              is_hash_of(name_hash, digest, (struct slice){name, (size_t)name_len}) &&
              is_hash_of(key_hash, digest,
                         (struct slice){ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key)});
    OPENSSL_free(name);
    return is;
}

static bool has_serial(CBS serial, X509 *leaf)
{
    uint8_t *own = NULL;
    int len = i2d_ASN1_INTEGER(X509_get_serialNumber(leaf), &own);
    bool is = len > 0 && CBS_mem_equal(&serial, own, (size_t)len);
    OPENSSL_free(own);
    return is;
}

/* CertID (RFC 6960 section 4.1.1) */
static bool is_about(CBS id, X509 *leaf, X509 *issuer)
{
    CBS algorithm;
    CBS object;
    CBS name_hash;
    CBS key_hash;
    CBS serial;
    if (!CBS_get_asn1(&id, &algorithm, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&algorithm, &object, CBS_ASN1_OBJECT) ||
        !CBS_get_asn1(&id, &name_hash, CBS_ASN1_OCTETSTRING) ||
        !CBS_get_asn1(&id, &key_hash, CBS_ASN1_OCTETSTRING) ||
        !CBS_get_asn1_element(&id, &serial, CBS_ASN1_INTEGER))
        return false;
    const EVP_MD *digest = digest_of(object);
    return digest != NULL && has_serial(serial, leaf) && names_issuer(name_hash, key_hash, digest, issuer);
}

/* ---- who signed it ---- */

static bool verifies(const struct basic *basic, X509 *signer)
{
    int digest_nid;
    int key_nid;
    EVP_PKEY *key = X509_get_pubkey(signer);
    EVP_MD_CTX context;
    EVP_MD_CTX_init(&context);
    bool ok = key != NULL && OBJ_find_sigid_algs(OBJ_cbs2nid(&basic->algorithm), &digest_nid, &key_nid) &&
              EVP_get_digestbynid(digest_nid) != NULL && EVP_PKEY_id(key) == key_nid &&
              EVP_DigestVerifyInit(&context, NULL, EVP_get_digestbynid(digest_nid), NULL, key) &&
              EVP_DigestVerify(&context, CBS_data(&basic->signature), CBS_len(&basic->signature),
                               CBS_data(&basic->signed_part), CBS_len(&basic->signed_part));
    EVP_MD_CTX_cleanup(&context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok;
}

/* Whether the issuer has certified this responder to sign in its place. */
static bool is_delegate(X509 *responder, X509 *issuer, int64_t now)
{
    time_t at = (time_t)now;
    EVP_PKEY *key = X509_get_pubkey(issuer);
    bool ok = key != NULL && X509_check_issued(issuer, responder) == X509_V_OK &&
              X509_verify(responder, key) == 1 &&
              (X509_get_extension_flags(responder) & EXFLAG_XKUSAGE) != 0 &&
              (X509_get_extended_key_usage(responder) & XKU_OCSP_SIGN) != 0 &&
              (now == 0 || (X509_cmp_time(X509_get0_notBefore(responder), &at) < 0 &&
                            X509_cmp_time(X509_get0_notAfter(responder), &at) > 0));
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok;
}

static bool is_signed(const struct basic *basic, X509 *issuer, int64_t now)
{
    CBS certificates = basic->certificates;
    CBS element;
    bool ok = verifies(basic, issuer);
    while (!ok && CBS_get_asn1_element(&certificates, &element, CBS_ASN1_SEQUENCE)) {
        const uint8_t *der = CBS_data(&element);
        X509 *responder = d2i_X509(NULL, &der, (long)CBS_len(&element));
        ok = responder != NULL && is_delegate(responder, issuer, now) && verifies(basic, responder);
        X509_free(responder);
    }
    ERR_clear_error();
    return ok;
}

/* ---- the whole ---- */

static const char *check_status(const struct single *single, int64_t now)
{
    if (single->status == CONSTRUCTED(1))
        return "reports that the certificate is revoked";
    if (single->status != CONTEXT(0))
        return "reports that the authority does not know the certificate";
    if (single->ends == 0)
        return "has no end of its validity (nextUpdate)";
    if (now != 0 && single->begins > now + CLOCK_SKEW_SECONDS)
        return "is not valid yet";
    if (now != 0 && single->ends <= now)
        return "has expired";
    return NULL;
}

const char *tls_ocsp_check(struct slice response, X509 *leaf, X509 *issuer, int64_t now, int64_t *expires)
{
    CBS from;
    struct basic basic;
    struct single single;
    const char *problem = open_response(response, &from);
    if (problem != NULL)
        return problem;
    if (!read_basic(from, &basic))
        return "is no basic OCSP response";
    while (read_single(&basic.responses, &single)) {
        if (!is_about(single.id, leaf, issuer))
            continue;
        *expires = single.ends;
        problem = check_status(&single, now);
        if (problem != NULL)
            return problem;
        return is_signed(&basic, issuer, now) ? NULL : "is not signed by the certificate's issuer";
    }
    return "is about another certificate";
}
