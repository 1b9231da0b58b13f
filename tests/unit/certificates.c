/* SPDX-License-Identifier: BSD-2-Clause */
#include "certificates.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR 3600L
#define DAY  (24 * HOUR)
#define NEED(what)                                                                                           \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            give_up(#what);                                                                                  \
    } while (0)

enum { FILES_MAX = 256 };

static char folder[64];
static char *paths[FILES_MAX];
static size_t path_count;
static EVP_PKEY *authority_key;
static X509 *authority;
static X509 *expired_authority;

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
    NEED(RSA_generate_key_ex(rsa, 2048, exponent, NULL) && EVP_PKEY_assign_RSA(key, rsa));
    BN_free(exponent);
    return key;
}

/* Keys of a kind are made once: RSA takes its time, above all under a sanitizer. */
static EVP_PKEY *shared_key(enum certificate_key kind, bool foreign)
{
    static EVP_PKEY *keys[2][2];
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

static void add_names(X509 *certificate, const char *const names[])
{
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    NEED(all != NULL);
    for (size_t i = 0; names[i] != NULL; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        NEED(name != NULL && text != NULL && ASN1_STRING_set(text, names[i], -1));
        GENERAL_NAME_set0_value(name, GEN_DNS, text);
        NEED(sk_GENERAL_NAME_push(all, name));
    }
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

static void sign(X509 *certificate)
{
    NEED(X509_sign(certificate, authority_key, EVP_sha256()) > 0);
}

static X509 *new_authority(long begins, long ends)
{
    static const char name[] = "deepproxy test authority";
    X509 *certificate = new_certificate(name, name, authority_key, begins, ends);
    make_authority_of(certificate);
    sign(certificate);
    return certificate;
}

static X509 *new_leaf(const struct certificate_wish *wish)
{
    bool dated = wish->begins != 0 || wish->ends != 0;
    X509 *leaf = new_certificate(wish->names[0] != NULL ? wish->names[0] : "nameless",
                                 "deepproxy test authority", shared_key(wish->key, false),
                                 dated ? wish->begins : -HOUR, dated ? wish->ends : 30 * DAY);
    if (wish->names[0] != NULL)
        add_names(leaf, wish->names);
    sign(leaf);
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
    for (unsigned i = 0; !wish->issuer_first && !wish->without_issuer && i < wish->issuer_times + 1; i++)
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

struct tls_certificate_files certificate_make(const struct certificate_wish *wish)
{
    struct tls_certificate_files files = {new_path("pem"), new_path("key")};
    X509 *leaf = new_leaf(wish);
    write_chain(files.chain, leaf, wish);
    write_key(files.key, wish);
    X509_free(leaf);
    return files;
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

/* Children of the test program write here too: what there is counts, not what this process made. */
static void empty_folder(void)
{
    DIR *listing = opendir(folder);
    NEED(listing != NULL);
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing))
        if (entry->d_name[0] != '.')
            NEED(unlinkat(dirfd(listing), entry->d_name, 0) == 0);
    closedir(listing);
}

void certificates_close(void)
{
    empty_folder();
    while (path_count > 0)
        free(paths[--path_count]);
    NEED(rmdir(folder) == 0);
    folder[0] = '\0';
    X509_free(authority);
    X509_free(expired_authority);
    EVP_PKEY_free(authority_key);
    authority = expired_authority = NULL;
    authority_key = NULL;
}
