/* SPDX-License-Identifier: BSD-2-Clause */
/* Allows deprecated functions, see of_rsa. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "keys/key_file.h"

#include "base/bytes.h"
#include "base/file_form.h"
#include "keys/key_encrypted.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <string.h>

#define RSA_BITS_MIN 1024
#define RSA_BITS_MAX 8192
/* Octets: RSA with that many bits. */
enum { SIGNATURE_MAX = RSA_BITS_MAX / 8 };
/* Octets of what is wrong with a file. */
enum { FAULT_MAX = 480 };

struct asked {
    struct slice passphrase;
    bool was;
};

static int give_passphrase(char *into, int size, int writing, void *arg)
{
    struct asked *asked = arg;
    (void)writing;
    asked->was = true;
    if (asked->passphrase.len == 0 || asked->passphrase.len > (size_t)size)
        return -1;
    memcpy(into, asked->passphrase.data, asked->passphrase.len);
    return (int)asked->passphrase.len;
}

#ifdef OPENSSL_IS_BORINGSSL
/* BoringSSL's general decoder is as fast. */
static EVP_PKEY *parse_plain(BIO *pem)
{
    (void)pem;
    return NULL;
}
#else
/*
 * Keys that are not encrypted, as nearly all are, are decoded by the functions for their kind. These are
 * deprecated since OpenSSL 3.0, but their replacement, PEM_read_bio_PrivateKey, takes ten times as long, and
 * there may be ten thousand keys.
 */
static EVP_PKEY *of_rsa(RSA *rsa)
{
    EVP_PKEY *key = rsa != NULL ? EVP_PKEY_new() : NULL;
    if (key != NULL && EVP_PKEY_assign_RSA(key, rsa))
        return key;
    EVP_PKEY_free(key);
    RSA_free(rsa);
    return NULL;
}

static EVP_PKEY *of_ec(EC_KEY *ec)
{
    EVP_PKEY *key = ec != NULL ? EVP_PKEY_new() : NULL;
    if (key != NULL && EVP_PKEY_assign_EC_KEY(key, ec))
        return key;
    EVP_PKEY_free(key);
    EC_KEY_free(ec);
    return NULL;
}

/* Only named curves: nobody uses any other. */
static EVP_PKEY *decode_ec(const X509_ALGOR *algorithm, const uint8_t *der, long len)
{
    int type = V_ASN1_UNDEF;
    const void *curve = NULL;
    X509_ALGOR_get0(NULL, &type, &curve, algorithm);
    EC_KEY *ec = type == V_ASN1_OBJECT ? EC_KEY_new_by_curve_name(OBJ_obj2nid(curve)) : NULL;
    if (ec != NULL && d2i_ECPrivateKey(&ec, &der, len) == NULL) {
        EC_KEY_free(ec);
        ec = NULL;
    }
    return of_ec(ec);
}

static EVP_PKEY *decode_pkcs8(const uint8_t *der, long len)
{
    const ASN1_OBJECT *kind = NULL;
    const X509_ALGOR *algorithm = NULL;
    const uint8_t *inner = NULL;
    int inner_len = 0;
    EVP_PKEY *key = NULL;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &der, len);
    if (info != NULL && PKCS8_pkey_get0(&kind, &inner, &inner_len, &algorithm, info)) {
        int type = OBJ_obj2nid(kind);
        if (type == EVP_PKEY_RSA)
            key = of_rsa(d2i_RSAPrivateKey(NULL, &inner, inner_len));
        else if (type == EVP_PKEY_EC)
            key = decode_ec(algorithm, inner, inner_len);
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    return key;
}

static EVP_PKEY *decode(const char *name, const char *header, const uint8_t *der, long len)
{
    if (header[0] != '\0') /* encrypted */
        return NULL;
    if (strcmp(name, "RSA PRIVATE KEY") == 0)
        return of_rsa(d2i_RSAPrivateKey(NULL, &der, len));
    if (strcmp(name, "EC PRIVATE KEY") == 0)
        return of_ec(d2i_ECPrivateKey(NULL, &der, len));
    return strcmp(name, "PRIVATE KEY") == 0 ? decode_pkcs8(der, len) : NULL;
}

static EVP_PKEY *parse_plain(BIO *pem)
{
    char *name = NULL;
    char *header = NULL;
    uint8_t *der = NULL;
    long len = 0;
    EVP_PKEY *key = NULL;
    while (key == NULL && PEM_read_bio(pem, &name, &header, &der, &len)) {
        key = decode(name, header, der, len);
        OPENSSL_cleanse(der, (size_t)len);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    return key;
}
#endif

/*
 * Whether both halves belong together. A decoder takes the public half from the file without a check: with
 * the public half of another key in its file, a key would pass for that of the other's certificate. For RSA
 * this checks how the numbers relate, but not that they are prime: that takes long, and is up to the tool
 * that makes keys.
 */
static bool is_rsa_whole(const RSA *rsa)
{
    const BIGNUM *n;
    const BIGNUM *e;
    const BIGNUM *d;
    const BIGNUM *primes[2];
    BN_CTX *context = BN_CTX_new();
    BIGNUM *work = BN_new();
    BIGNUM *less = BN_new();
    RSA_get0_key(rsa, &n, &e, &d);
    RSA_get0_factors(rsa, &primes[0], &primes[1]);
    bool ok = context != NULL && work != NULL && less != NULL && d != NULL && primes[0] != NULL &&
              primes[1] != NULL && BN_mul(work, primes[0], primes[1], context) && BN_cmp(work, n) == 0;
    for (size_t i = 0; ok && i < 2; i++)
        ok = BN_sub(less, primes[i], BN_value_one()) && BN_mod_mul(work, e, d, less, context) &&
             BN_is_one(work);
    BN_clear_free(work);
    BN_clear_free(less);
    BN_CTX_free(context);
    return ok;
}

static bool is_whole(const EVP_PKEY *key)
{
    if (EVP_PKEY_id(key) == EVP_PKEY_RSA)
        return is_rsa_whole(EVP_PKEY_get0_RSA(key));
    if (EVP_PKEY_id(key) == EVP_PKEY_EC)
        return EC_KEY_check_key(EVP_PKEY_get0_EC_KEY(key)) == 1;
    return true; /* Ed25519: the decoder computes the public half */
}

/* The key's own encryption, or its kind, may be why it can't be read: its passphrase may be right. */
static void explain_encrypted(struct slice pem, struct slice passphrase, char into[FAULT_MAX])
{
    const char *encryption;
    switch (key_encrypted_try(pem, passphrase, &encryption)) {
    case KEY_WRONG_PASSPHRASE:
        snprintf(into, FAULT_MAX,
                 "can't be decrypted: the first line of the passphrase's file is not its passphrase");
        break;
    case KEY_NOT_SUPPORTED:
        snprintf(into, FAULT_MAX,
                 "is encrypted with %s, which can't be decrypted here, whatever the passphrase: openssl pkey "
                 "-aes256 -in FILE -out NEW.key -provider legacy -provider default",
                 encryption);
        break;
    case KEY_TAKES_MEMORY:
        snprintf(
            into, FAULT_MAX,
            "is encrypted with %s that takes more than %d MB of memory, which is not given to it, whatever "
            "the passphrase: have it encrypted with less (N x r of no more than 2^18), or with AES alone "
            "(openssl pkcs8 -topk8 -v2 aes-256-cbc), where it comes from",
            encryption, (int)KEY_SCRYPT_MB);
        break;
    case KEY_OPENED:
        snprintf(
            into, FAULT_MAX,
            "is opened by its passphrase, and what is in it can't be used: it is damaged, or of a kind that "
            "TLS servers don't use; make one for ECDSA on P-256, or RSA with 2048 bits");
    }
}

static const char *failure(struct slice pem, const struct asked *asked, struct slice passphrase)
{
    static char text[FAULT_MAX];
    if (!asked->was) {
        const char *form = file_form_instead_of_key(pem);
        snprintf(text, sizeof text, "has no private key in PEM form (\"-----BEGIN PRIVATE KEY-----\")%s%s",
                 form != NULL ? ": " : "", form != NULL ? form : "");
        return text;
    }
    if (passphrase.data == NULL)
        return "is encrypted with a passphrase: name the file that has it, or decrypt the key (openssl pkey "
               "-in ... -out ...) and keep it readable by its owner alone";
    if (asked->passphrase.len == 0 || asked->passphrase.len > KEY_PASSPHRASE_MAX)
        return "is encrypted, and the first line of the passphrase's file is empty or too long";
    explain_encrypted(pem, asked->passphrase, text);
    return text;
}

/* By its name: other curves are as long as those of TLS. */
static const char *unfit_curve(const EC_KEY *key)
{
    const EC_GROUP *curve = EC_KEY_get0_group(key);
    int name = EC_GROUP_get_curve_name(curve);
#ifndef OPENSSL_IS_BORINGSSL
    if (EC_KEY_decoded_from_explicit_params(key) == 1)
        return "has the numbers of its curve in place of its name: openssl ec -in FILE -param_enc "
               "named_curve -out "
               "NEW.key, and have that certified";
#endif
    if (name == NID_X9_62_prime256v1 || name == NID_secp384r1 || name == NID_secp521r1)
        return NULL;
    return "is on a curve that TLS doesn't use: make one on P-256 (openssl genpkey -algorithm EC -pkeyopt "
           "ec_paramgen_curve:P-256 -out NEW.key), and have it certified";
}

/* What is wrong with the key's kind; NULL if nothing is. */
static const char *unfit(const EVP_PKEY *key)
{
    int bits = EVP_PKEY_bits(key);
    switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_ED25519:
        return NULL;
    case EVP_PKEY_EC:
        return unfit_curve(EVP_PKEY_get0_EC_KEY(key));
    case EVP_PKEY_RSA:
        return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX
                   ? NULL
                   : "is of RSA with less than 1024 or more than 8192 bits: make one with 2048, or ECDSA on "
                     "P-256";
    default:
        return "is of a kind that TLS servers don't use: make one for ECDSA on P-256, or RSA with 2048 bits";
    }
}

/*
 * Whether a signature of the key is one for its public half: the numbers of RSA may relate and not be
 * prime.
 */
static bool signs(EVP_PKEY *key)
{
    static const unsigned char input[] = "what is signed to see whether the key can";
    unsigned char signature[SIGNATURE_MAX];
    size_t len = sizeof signature;
    const EVP_MD *digest = EVP_PKEY_id(key) != EVP_PKEY_ED25519 ? EVP_sha256() : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestSignInit(context, NULL, digest, NULL, key) > 0 &&
              EVP_DigestSign(context, signature, &len, input, sizeof input) > 0;
    EVP_MD_CTX_free(context);
    context = ok ? EVP_MD_CTX_new() : NULL;
    ok = context != NULL && EVP_DigestVerifyInit(context, NULL, digest, NULL, key) > 0 &&
         EVP_DigestVerify(context, signature, len, input, sizeof input) > 0;
    EVP_MD_CTX_free(context);
    return ok;
}

/* What is wrong with a key that was decoded; NULL if nothing is. */
static const char *fault_of(EVP_PKEY *key)
{
    if (!is_whole(key))
        return "is damaged: its public half is not that of its private half";
    const char *why = unfit(key);
    if (why == NULL && !signs(key))
        why = "is damaged: what it signs does not verify with its public half; make a new one";
    return why;
}

/* Some editors put it before the first line. */
static struct slice without_byte_order_mark(struct slice text)
{
    return slice_has_prefix(text, "\xEF\xBB\xBF") ? slice_from(text, 3) : text;
}

EVP_PKEY *key_file_parse(struct slice pem, struct slice passphrase, const char **why)
{
    pem = without_byte_order_mark(pem);
    struct asked asked = {slice_first_line(passphrase), false};
    BIO *file = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key = NULL;
    *why = "can't be read: out of memory";
    if (file == NULL)
        return NULL;
    key = parse_plain(file);
    BIO_free(file);
    file = key == NULL ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    if (file != NULL)
        key = PEM_read_bio_PrivateKey(file, NULL, give_passphrase, &asked);
    BIO_free(file);
    ERR_clear_error();
    *why = key == NULL ? failure(pem, &asked, passphrase) : fault_of(key);
    ERR_clear_error();
    if (key != NULL && *why != NULL) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}
