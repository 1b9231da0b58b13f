/* SPDX-License-Identifier: BSD-2-Clause */
#include "certificates.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600L
#define DAY  (24 * HOUR)
#define NEED(what)                                                                                           \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            give_up(#what);                                                                                  \
    } while (0)

enum { FILES_MAX = 32768 };

static char folder[64];
static char *paths[FILES_MAX];
static size_t path_count;
static EVP_PKEY *authority_key;
static X509 *authority;
static X509 *expired_authority;
static X509 *last_leaf;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "test certificates: failed: %s\n", what);
    exit(EXIT_FAILURE);
}

/* ---- files ---- */

const char *certificates_path(const char *name)
{
    char path[256];
    NEED(folder[0] != '\0' && path_count < FILES_MAX);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    NEED((paths[path_count] = strdup(path)) != NULL);
    return paths[path_count++];
}

const char *certificates_write(const char *name, const char *content)
{
    const char *path = certificates_path(name);
    FILE *file = fopen(path, "w");
    NEED(file != NULL);
    NEED(fputs(content, file) >= 0);
    NEED(fclose(file) == 0);
    return path;
}

const char *certificates_folder(const char *name)
{
    const char *path = certificates_path(name);
    NEED(mkdir(path, 0700) == 0);
    return path;
}

const char *certificates_join(const char *name, const char *const parts[])
{
    char content[64 * 1024];
    size_t len = 0;
    for (size_t i = 0; parts[i] != NULL; i++) {
        FILE *part = fopen(parts[i], "r");
        NEED(part != NULL);
        len += fread(content + len, 1, sizeof content - 1 - len, part);
        fclose(part);
    }
    content[len] = '\0';
    return certificates_write(name, content);
}

static const char *new_path(const char *suffix)
{
    char name[32];
    snprintf(name, sizeof name, "%03zu.%s", path_count, suffix);
    return certificates_path(name);
}

/* ---- keys and certificates ---- */

static EVP_PKEY *new_key(enum certificate_key kind)
{
    EVP_PKEY *key = EVP_PKEY_new();
    NEED(key != NULL);
    if (kind == CERTIFICATE_P256) {
        EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
        NEED(ec != NULL && EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
        return key;
    }
    RSA *rsa = RSA_new();
    BIGNUM *exponent = BN_new();
    NEED(rsa != NULL && exponent != NULL && BN_set_word(exponent, RSA_F4));
    NEED(RSA_generate_key_ex(rsa, kind == CERTIFICATE_RSA ? 2048 : 1024, exponent, NULL) &&
         EVP_PKEY_assign_RSA(key, rsa));
    BN_free(exponent);
    return key;
}

/* Keys of a kind are made once: RSA takes its time, above all under a sanitizer. */
static EVP_PKEY *shared_key(enum certificate_key kind, bool foreign)
{
    static EVP_PKEY *keys[3][2];
    EVP_PKEY **key = &keys[kind][foreign];
    if (*key == NULL)
        *key = new_key(kind);
    return *key;
}

static void set_name(X509 *certificate, const char *name, bool (*set)(X509 *certificate, X509_NAME *name))
{
    X509_NAME *subject = X509_NAME_new();
    NEED(subject != NULL);
    NEED(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1, 0));
    NEED(set(certificate, subject));
    X509_NAME_free(subject);
}

static bool as_subject(X509 *certificate, X509_NAME *name)
{
    return X509_set_subject_name(certificate, name) == 1;
}

static bool as_issuer(X509 *certificate, X509_NAME *name)
{
    return X509_set_issuer_name(certificate, name) == 1;
}

static void add_name(GENERAL_NAMES *all, int type, ASN1_STRING *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    NEED(name != NULL && value != NULL);
    GENERAL_NAME_set0_value(name, type, value);
    NEED(sk_GENERAL_NAME_push(all, name));
}

static void add_names(X509 *certificate, const char *const names[8], const char *const addresses[2])
{
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    NEED(all != NULL);
    for (size_t i = 0; i < 8 && names[i] != NULL; i++) {
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        NEED(text != NULL && ASN1_STRING_set(text, names[i], -1));
        add_name(all, GEN_DNS, text);
    }
    for (size_t i = 0; i < 2 && addresses[i] != NULL; i++)
        add_name(all, GEN_IPADD, a2i_IPADDRESS(addresses[i]));
    NEED(X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, 0) == 1);
    GENERAL_NAMES_free(all);
}

static void make_authority_of(X509 *certificate)
{
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    NEED(constraints != NULL);
    constraints->ca = 0xff;
    NEED(X509_add1_ext_i2d(certificate, NID_basic_constraints, constraints, 1, 0) == 1);
    BASIC_CONSTRAINTS_free(constraints);
}

static void make_for_clients(X509 *certificate)
{
    EXTENDED_KEY_USAGE *usage = sk_ASN1_OBJECT_new_null();
    NEED(usage != NULL && sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_client_auth)));
    NEED(X509_add1_ext_i2d(certificate, NID_ext_key_usage, usage, 0, 0) == 1);
    sk_ASN1_OBJECT_pop_free(usage, ASN1_OBJECT_free);
}

static void add_extensions(X509 *certificate, const char *const extensions[4][2])
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, authority, certificate, NULL, NULL, 0);
    for (size_t i = 0; i < 4 && extensions[i][0] != NULL; i++) {
        X509_EXTENSION *extension = X509V3_EXT_nconf(NULL, &context, extensions[i][0], extensions[i][1]);
        NEED(extension != NULL && X509_add_ext(certificate, extension, -1));
        X509_EXTENSION_free(extension);
    }
}

static X509 *new_certificate(const char *subject, const char *issuer, EVP_PKEY *key, long begins, long ends)
{
    static long serial;
    X509 *certificate = X509_new();
    NEED(certificate != NULL && X509_set_version(certificate, X509_VERSION_3));
    NEED(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial));
    NEED(X509_gmtime_adj(X509_getm_notBefore(certificate), begins) != NULL);
    NEED(X509_gmtime_adj(X509_getm_notAfter(certificate), ends) != NULL);
    set_name(certificate, subject, as_subject);
    set_name(certificate, issuer, as_issuer);
    NEED(X509_set_pubkey(certificate, key));
    return certificate;
}

static void sign_with(X509 *certificate, EVP_PKEY *key, const EVP_MD *digest)
{
    NEED(X509_sign(certificate, key, digest) > 0);
}

static void sign(X509 *certificate, EVP_PKEY *key)
{
    sign_with(certificate, key, EVP_sha256());
}

static X509 *new_authority(long begins, long ends)
{
    static const char name[] = "deepproxy test authority";
    X509 *certificate = new_certificate(name, name, authority_key, begins, ends);
    make_authority_of(certificate);
    sign(certificate, authority_key);
    return certificate;
}

static X509 *new_leaf(const struct certificate_wish *wish)
{
    bool dated = wish->begins != 0 || wish->ends != 0;
    const char *subject = wish->common_name != NULL ? wish->common_name
                          : wish->names[0] != NULL  ? wish->names[0]
                                                    : "nameless";
    X509 *leaf = new_certificate(subject, wish->self_signed ? subject : "deepproxy test authority",
                                 shared_key(wish->key, false), dated ? wish->begins : -HOUR,
                                 dated ? wish->ends : 30 * DAY);
    if (wish->names[0] != NULL || wish->addresses[0] != NULL)
        add_names(leaf, wish->names, wish->addresses);
    if (wish->for_clients)
        make_for_clients(leaf);
    add_extensions(leaf, wish->extensions);
    const EVP_MD *digest = wish->sha1 ? EVP_sha1() : EVP_sha256();
    if (wish->self_signed)
        sign_with(leaf, shared_key(wish->key, false), digest);
    else
        sign_with(leaf, wish->unknown_issuer ? shared_key(CERTIFICATE_P256, true) : authority_key, digest);
    return leaf;
}

/* ---- what a test asks for ---- */

static void write_chain(const char *path, X509 *leaf, const struct certificate_wish *wish)
{
    X509 *issuer = wish->issuer_expired ? expired_authority : authority;
    BIO *file = BIO_new_file(path, "w");
    NEED(file != NULL);
    if (wish->issuer_first)
        NEED(PEM_write_bio_X509(file, issuer));
    NEED(PEM_write_bio_X509(file, leaf));
    bool alone = wish->without_issuer || wish->self_signed || wish->unknown_issuer;
    for (unsigned i = 0; !wish->issuer_first && !alone && i < wish->issuer_times + 1; i++)
        NEED(PEM_write_bio_X509(file, issuer));
    BIO_free(file);
}

static void write_key(const char *path, const struct certificate_wish *wish)
{
    EVP_PKEY *key = shared_key(wish->key, wish->foreign_key);
    const char *passphrase = wish->passphrase;
    BIO *file = BIO_new_file(path, "w");
    NEED(file != NULL);
    NEED(PEM_write_bio_PKCS8PrivateKey(file, key, passphrase != NULL ? EVP_aes_128_cbc() : NULL,
                                       (char *)(uintptr_t)passphrase,
                                       passphrase != NULL ? (int)strlen(passphrase) : 0, NULL, NULL));
    BIO_free(file);
}

struct certificate_facts certificate_facts(struct slice der, char *names, size_t cap)
{
    const uint8_t *at = der.data;
    X509 *leaf = d2i_X509(NULL, &at, (long)der.len);
    NEED(leaf != NULL);
    EVP_PKEY *key = X509_get_pubkey(leaf);
    struct certificate_facts facts = {EVP_PKEY_id(key) == EVP_PKEY_RSA ? CERTIFICATE_RSA : CERTIFICATE_P256};
    GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    size_t len = 0;
    names[0] = '\0';
    for (size_t i = 0; all != NULL && i < sk_GENERAL_NAME_num(all); i++) {
        const ASN1_STRING *name = sk_GENERAL_NAME_value(all, i)->d.dNSName;
        len += (size_t)snprintf(names + len, cap - len, " %.*s", ASN1_STRING_length(name),
                                (const char *)ASN1_STRING_get0_data(name));
        NEED(len < cap);
    }
    GENERAL_NAMES_free(all);
    EVP_PKEY_free(key);
    X509_free(leaf);
    return facts;
}

static void make_files(const struct certificate_wish *wish, const struct tls_certificate_files *files)
{
    X509_free(last_leaf);
    last_leaf = new_leaf(wish);
    write_chain(files->chain, last_leaf, wish);
    if (files->key != NULL)
        write_key(files->key, wish);
}

struct tls_certificate_files certificate_make(const struct certificate_wish *wish)
{
    struct tls_certificate_files files = {.chain = new_path("pem"), .key = new_path("key")};
    make_files(wish, &files);
    return files;
}

struct tls_certificate_files certificate_make_at(const struct certificate_wish *wish, const char *chain,
                                                 const char *key)
{
    struct tls_certificate_files files = {.chain = certificates_path(chain),
                                          .key = key != NULL ? certificates_path(key) : NULL};
    make_files(wish, &files);
    return files;
}

/* ---- OCSP (RFC 6960 section 4.2.1) ---- */

static void add_digest(CBB *to, struct slice of)
{
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA1(of.data, of.len, digest);
    CBB octets;
    NEED(CBB_add_asn1(to, &octets, CBS_ASN1_OCTETSTRING) && CBB_add_bytes(&octets, digest, sizeof digest));
    NEED(CBB_flush(to));
}

static void add_time(CBB *to, long from_now)
{
    CBB text;
    ASN1_GENERALIZEDTIME *time_then = ASN1_GENERALIZEDTIME_set(NULL, time(NULL) + from_now);
    NEED(time_then != NULL && CBB_add_asn1(to, &text, CBS_ASN1_GENERALIZEDTIME));
    NEED(CBB_add_bytes(&text, ASN1_STRING_get0_data(time_then), (size_t)ASN1_STRING_length(time_then)));
    ASN1_GENERALIZEDTIME_free(time_then);
    NEED(CBB_flush(to));
}

static void add_algorithm(CBB *to, int nid)
{
    CBB sequence;
    NEED(CBB_add_asn1(to, &sequence, CBS_ASN1_SEQUENCE) && OBJ_nid2cbb(&sequence, nid) && CBB_flush(to));
}

static void add_id(CBB *single, const struct ocsp_wish *wish)
{
    CBB id;
    uint8_t *der = NULL;
    ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(authority);
    int len = i2d_X509_NAME(X509_get_subject_name(authority), &der);
    NEED(len > 0 && CBB_add_asn1(single, &id, CBS_ASN1_SEQUENCE));
    add_algorithm(&id, NID_sha1);
    add_digest(&id, (struct slice){der, (size_t)len});
    add_digest(&id, (struct slice){ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key)});
    OPENSSL_free(der);
    der = NULL;
    len = i2d_ASN1_INTEGER(X509_get_serialNumber(wish->other_certificate ? authority : last_leaf), &der);
    NEED(len > 0 && CBB_add_bytes(&id, der, (size_t)len) && CBB_flush(single));
    OPENSSL_free(der);
}

static void add_response_data(CBB *to, const struct ocsp_wish *wish)
{
    CBB data;
    CBB responder;
    CBB responses;
    CBB single;
    CBB part;
    bool dated = wish->begins != 0 || wish->ends != 0;
    NEED(CBB_add_asn1(to, &data, CBS_ASN1_SEQUENCE));
    NEED(CBB_add_asn1(&data, &responder, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 2));
    add_digest(&responder, slice_of("whoever"));
    NEED(CBB_flush(&data));
    add_time(&data, 0);
    NEED(CBB_add_asn1(&data, &responses, CBS_ASN1_SEQUENCE));
    NEED(CBB_add_asn1(&responses, &single, CBS_ASN1_SEQUENCE));
    add_id(&single, wish);
    if (wish->revoked) {
        NEED(CBB_add_asn1(&single, &part, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 1));
        add_time(&part, -HOUR);
    } else {
        NEED(CBB_add_asn1(&single, &part, CBS_ASN1_CONTEXT_SPECIFIC | 0));
    }
    NEED(CBB_flush(&single));
    add_time(&single, dated ? wish->begins : -HOUR);
    if (!wish->endless) {
        NEED(CBB_add_asn1(&single, &part, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0));
        add_time(&part, dated ? wish->ends : DAY);
    }
    NEED(CBB_flush(to));
}

static X509 *new_responder(const struct ocsp_wish *wish, EVP_PKEY *key)
{
    X509 *responder = new_certificate("responder", "deepproxy test authority", key, -HOUR, DAY);
    EXTENDED_KEY_USAGE *usage = sk_ASN1_OBJECT_new_null();
    NEED(usage != NULL);
    NEED(sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(wish->not_for_ocsp ? NID_server_auth : NID_OCSP_sign)));
    NEED(X509_add1_ext_i2d(responder, NID_ext_key_usage, usage, 0, 0) == 1);
    sk_ASN1_OBJECT_pop_free(usage, ASN1_OBJECT_free);
    sign(responder, authority_key);
    return responder;
}

static void add_basic(CBB *to, const struct ocsp_wish *wish)
{
    CBB basic;
    CBB bits;
    CBB wrapped;
    CBB list;
    EVP_MD_CTX context;
    uint8_t signature[256];
    size_t len = sizeof signature;
    EVP_PKEY *key =
        wish->delegated || wish->other_signer ? shared_key(CERTIFICATE_P256, true) : authority_key;
    NEED(CBB_add_asn1(to, &basic, CBS_ASN1_SEQUENCE));
    add_response_data(&basic, wish);
    EVP_MD_CTX_init(&context);
    NEED(EVP_DigestSignInit(&context, NULL, EVP_sha256(), NULL, key));
    NEED(EVP_DigestSign(&context, signature, &len, CBB_data(&basic), CBB_len(&basic)));
    EVP_MD_CTX_cleanup(&context);
    add_algorithm(&basic, NID_ecdsa_with_SHA256);
    NEED(CBB_add_asn1(&basic, &bits, CBS_ASN1_BITSTRING) && CBB_add_u8(&bits, 0) &&
         CBB_add_bytes(&bits, signature, len));
    if (wish->delegated) {
        X509 *responder = new_responder(wish, key);
        uint8_t *der = NULL;
        int der_len = i2d_X509(responder, &der);
        NEED(CBB_add_asn1(&basic, &wrapped, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0));
        NEED(CBB_add_asn1(&wrapped, &list, CBS_ASN1_SEQUENCE));
        NEED(der_len > 0 && CBB_add_bytes(&list, der, (size_t)der_len));
        OPENSSL_free(der);
        X509_free(responder);
    }
    NEED(CBB_flush(to));
}

void certificates_write_ocsp(const char *path, const struct ocsp_wish *wish)
{
    CBB all;
    CBB response;
    CBB part;
    CBB bytes;
    CBB octets;
    uint8_t *der;
    size_t len;
    NEED(CBB_init(&all, 1024) && CBB_add_asn1(&all, &response, CBS_ASN1_SEQUENCE));
    NEED(CBB_add_asn1(&response, &part, CBS_ASN1_ENUMERATED) && CBB_add_u8(&part, wish->refused ? 6 : 0));
    if (!wish->refused) {
        NEED(CBB_add_asn1(&response, &part, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0));
        NEED(CBB_add_asn1(&part, &bytes, CBS_ASN1_SEQUENCE) && OBJ_nid2cbb(&bytes, NID_id_pkix_OCSP_basic));
        NEED(CBB_add_asn1(&bytes, &octets, CBS_ASN1_OCTETSTRING));
        add_basic(&octets, wish);
    }
    NEED(CBB_finish(&all, &der, &len));
    FILE *file = fopen(path, "w");
    NEED(file != NULL && fwrite(der, 1, len, file) == len && fclose(file) == 0);
    OPENSSL_free(der);
}

/* ---- the folder ---- */

const char *certificates_authority(bool expired)
{
    const char *path = new_path("ca");
    BIO *file = BIO_new_file(path, "w");
    NEED(file != NULL && PEM_write_bio_X509(file, expired ? expired_authority : authority));
    BIO_free(file);
    return path;
}

void certificates_open(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/deepproxy-XXXXXX", base != NULL ? base : "/tmp");
    NEED(mkdtemp(folder) != NULL);
    authority_key = new_key(CERTIFICATE_P256);
    authority = new_authority(-DAY, 300 * DAY);
    expired_authority = new_authority(-300 * DAY, -DAY);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    return place->level > 0 ? remove(path) : 0;
}

/* Children of the test program write here too: what there is counters, not what this process made. */
static void empty_folder(void)
{
    NEED(nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

void certificates_close(void)
{
    empty_folder();
    while (path_count > 0)
        free(paths[--path_count]);
    NEED(rmdir(folder) == 0);
    folder[0] = '\0';
    X509_free(last_leaf);
    X509_free(authority);
    X509_free(expired_authority);
    EVP_PKEY_free(authority_key);
    authority = expired_authority = last_leaf = NULL;
    authority_key = NULL;
}
