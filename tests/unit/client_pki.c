/* SPDX-License-Identifier: BSD-2-Clause */
#include "client_pki.h"

#include "certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(what)                                                                                           \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "test identities: failed: %s\n", #what);                                         \
            exit(EXIT_FAILURE);                                                                              \
        }                                                                                                    \
    } while (0)

static struct identity *identities;

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_PKEY_new();
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    NEED(key != NULL && ec != NULL && EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
    return key;
}

static void set_subject(X509 *certificate, const char *const names[4])
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    NEED(
        X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const uint8_t *)"Example, Inc.", -1, -1, 0));
    for (int i = 0; i < 4 && names[i] != NULL; i++)
        NEED(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)names[i], -1, -1, 0));
}

static void add_alternative(GENERAL_NAMES *all, int type, const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *octets = ASN1_IA5STRING_new();
    NEED(name != NULL && octets != NULL && ASN1_STRING_set(octets, text, (int)strlen(text)));
    GENERAL_NAME_set0_value(name, type, octets);
    NEED(sk_GENERAL_NAME_push(all, name));
}

static void add_alternatives(X509 *certificate, const struct identity_wish *wish)
{
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    NEED(all != NULL);
    for (int i = 0; i < 4 && wish->emails[i] != NULL; i++)
        add_alternative(all, GEN_EMAIL, wish->emails[i]);
    if (wish->other_name != NULL)
        add_alternative(all, GEN_DNS, wish->other_name);
    if (sk_GENERAL_NAME_num(all) > 0)
        NEED(X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, 0) == 1);
    GENERAL_NAMES_free(all);
}

static void add_usage(X509 *certificate, const struct identity_wish *wish)
{
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    NEED(constraints != NULL);
    constraints->ca = wish->is_authority ? 0xff : 0;
    NEED(X509_add1_ext_i2d(certificate, NID_basic_constraints, constraints, 1, 0) == 1);
    BASIC_CONSTRAINTS_free(constraints);
    if (wish->usage == 0)
        return;
    EXTENDED_KEY_USAGE *usage = sk_ASN1_OBJECT_new_null();
    NEED(usage != NULL && sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(wish->usage)));
    NEED(X509_add1_ext_i2d(certificate, NID_ext_key_usage, usage, 0, 0) == 1);
    sk_ASN1_OBJECT_pop_free(usage, ASN1_OBJECT_free);
}

static void set_dates(X509 *certificate, const struct identity_wish *wish)
{
    bool dated = wish->begins != 0 || wish->ends != 0;
    NEED(ASN1_TIME_set(X509_getm_notBefore(certificate), PKI_NOW + (dated ? wish->begins : -PKI_DAY)));
    NEED(ASN1_TIME_set(X509_getm_notAfter(certificate), PKI_NOW + (dated ? wish->ends : 30 * PKI_DAY)));
}

const struct identity *pki_make(const struct identity_wish *wish)
{
    static long serial = 0x1000;
    struct identity *made = calloc(1, sizeof *made);
    NEED(made != NULL);
    *made = (struct identity){X509_new(), new_key(), wish->issuer, identities};
    identities = made;
    const struct identity *issuer = wish->issuer != NULL ? wish->issuer : made;
    X509 *certificate = made->certificate;
    NEED(certificate != NULL && X509_set_version(certificate, X509_VERSION_3));
    NEED(ASN1_INTEGER_set(X509_get_serialNumber(certificate), wish->serial != 0 ? wish->serial : ++serial));
    set_subject(certificate, wish->names);
    NEED(X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)));
    set_dates(certificate, wish);
    NEED(X509_set_pubkey(certificate, made->key));
    add_alternatives(certificate, wish);
    add_usage(certificate, wish);
    NEED(X509_sign(certificate, issuer->key, EVP_sha256()) > 0);
    return made;
}

void pki_close(void)
{
    while (identities != NULL) {
        struct identity *next = identities->next;
        X509_free(identities->certificate);
        EVP_PKEY_free(identities->key);
        free(identities);
        identities = next;
    }
}

const char *pki_write(const char *name, const struct identity *const wanted[])
{
    const char *path = certificates_path(name);
    BIO *file = BIO_new_file(path, "w");
    NEED(file != NULL);
    for (int i = 0; i < 4 && wanted[i] != NULL; i++)
        NEED(PEM_write_bio_X509(file, wanted[i]->certificate));
    BIO_free(file);
    return path;
}

static void revoke(X509_CRL *list, const struct identity *revoked)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *when = ASN1_TIME_set(NULL, PKI_NOW - 60);
    NEED(entry != NULL && when != NULL);
    NEED(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->certificate)));
    NEED(X509_REVOKED_set_revocationDate(entry, when) && X509_CRL_add0_revoked(list, entry));
    ASN1_TIME_free(when);
}

static void write_list(BIO *file, const struct revocation_wish *wish)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *begins = ASN1_TIME_set(NULL, PKI_NOW - 2 * PKI_DAY);
    ASN1_TIME *ends = ASN1_TIME_set(NULL, PKI_NOW + (wish->ends != 0 ? wish->ends : PKI_DAY));
    NEED(list != NULL && begins != NULL && ends != NULL && X509_CRL_set_version(list, X509_CRL_VERSION_2));
    NEED(X509_CRL_set_issuer_name(list, X509_get_subject_name(wish->issuer->certificate)));
    NEED(X509_CRL_set1_lastUpdate(list, begins) && X509_CRL_set1_nextUpdate(list, ends));
    for (int i = 0; i < 4 && wish->revoked[i] != NULL; i++)
        revoke(list, wish->revoked[i]);
    EVP_PKEY *key = wish->foreign_key ? new_key() : wish->issuer->key;
    NEED(X509_CRL_sort(list) && X509_CRL_sign(list, key, EVP_sha256()) > 0);
    NEED(PEM_write_bio_X509_CRL(file, list));
    if (wish->foreign_key)
        EVP_PKEY_free(key);
    ASN1_TIME_free(begins);
    ASN1_TIME_free(ends);
    X509_CRL_free(list);
}

const char *pki_write_revoked(const char *name, const struct revocation_wish *wishes, size_t count)
{
    const char *path = certificates_path(name);
    BIO *file = BIO_new_file(path, "w");
    NEED(file != NULL);
    for (size_t i = 0; i < count; i++)
        write_list(file, &wishes[i]);
    BIO_free(file);
    return path;
}
