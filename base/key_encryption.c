/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/key_encryption.h"

#include "base/array.h"
#include "base/der.h"

#include <string.h>

static const char unknown[] = "an encryption that is not known here";

/* An object identifier's octets, and what it is. */
struct named {
    const char *oid;
    size_t len;
    const char *name;
};

#define NAMED(oid, name)                                                                                     \
    {                                                                                                        \
        oid, sizeof(oid) - 1, name                                                                           \
    }
#define PKCS5   "\x2A\x86\x48\x86\xF7\x0D\x01\x05"     /* 1.2.840.113549.1.5 */
#define PKCS12  "\x2A\x86\x48\x86\xF7\x0D\x01\x0C\x01" /* 1.2.840.113549.1.12.1 */
#define CIPHERS "\x2A\x86\x48\x86\xF7\x0D\x03"         /* 1.2.840.113549.3 */
#define AES     "\x60\x86\x48\x01\x65\x03\x04\x01"     /* 2.16.840.1.101.3.4.1 */

/* Those of one name for key derivation and cipher (RFC 8018 appendix A.3, RFC 7292 appendix C). */
static const struct named whole[] = {
    NAMED(PKCS5 "\x01", "MD2 and DES (PBES1)"),
    NAMED(PKCS5 "\x03", "MD5 and DES (PBES1)"),
    NAMED(PKCS5 "\x04", "MD2 and RC2 (PBES1)"),
    NAMED(PKCS5 "\x06", "MD5 and RC2 (PBES1)"),
    NAMED(PKCS5 "\x0A", "SHA-1 and DES (PBES1)"),
    NAMED(PKCS5 "\x0B", "SHA-1 and RC2 (PBES1)"),
    NAMED(PKCS12 "\x01", "RC4 with 128 bits (PKCS#12)"),
    NAMED(PKCS12 "\x02", "RC4 with 40 bits (PKCS#12)"),
    NAMED(PKCS12 "\x03", "Triple DES (PKCS#12)"),
    NAMED(PKCS12 "\x04", "Triple DES with two keys (PKCS#12)"),
    NAMED(PKCS12 "\x05", "RC2 with 128 bits (PKCS#12)"),
    NAMED(PKCS12 "\x06", "RC2 with 40 bits (PKCS#12)"),
};

static const struct named pbes2[] = {NAMED(PKCS5 "\x0D", "")};

/* 1.3.6.1.4.1.11591.4.11 */
static const struct named scrypt[] = {NAMED("\x2B\x06\x01\x04\x01\xDA\x47\x04\x0B", "scrypt")};

/* The ciphers of PBES2. */
static const struct named ciphers[] = {
    NAMED(CIPHERS "\x02", "RC2 (PBES2)"),        NAMED(CIPHERS "\x04", "RC4 (PBES2)"),
    NAMED(CIPHERS "\x07", "Triple DES (PBES2)"), NAMED("\x2B\x0E\x03\x02\x07", "DES (PBES2)"),
    NAMED(AES "\x02", "AES-128 (PBES2)"),        NAMED(AES "\x16", "AES-192 (PBES2)"),
    NAMED(AES "\x2A", "AES-256 (PBES2)"),
};

static const char *find(const struct named items[], size_t count, struct slice oid)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].len == oid.len && memcmp(items[i].oid, oid.data, oid.len) == 0)
            return items[i].name;
    return NULL;
}

/* Takes an AlgorithmIdentifier off the front; `*parameters` become what follows its OID. */
static bool take_algorithm(struct slice *rest, struct slice *oid, struct slice *parameters)
{
    return der_take_tag(rest, DER_SEQUENCE, parameters) && der_take_tag(parameters, DER_OID, oid);
}

/* The two algorithms of PBES2 (RFC 8018 appendix A.4). */
struct scheme {
    struct slice derivation;
    struct slice derivation_parameters;
    struct slice cipher;
};

static bool get_scheme(struct slice parameters, struct scheme *scheme)
{
    struct slice both;
    struct slice rest;
    return der_take_tag(&parameters, DER_SEQUENCE, &both) &&
           take_algorithm(&both, &scheme->derivation, &scheme->derivation_parameters) &&
           take_algorithm(&both, &scheme->cipher, &rest);
}

/* The algorithm of an EncryptedPrivateKeyInfo. */
static bool get_algorithm(struct slice der, struct slice *oid, struct slice *parameters)
{
    struct slice all;
    return der_take_tag(&der, DER_SEQUENCE, &all) && take_algorithm(&all, oid, parameters);
}

static bool get_scheme_of(struct slice der, struct scheme *scheme)
{
    struct slice oid;
    struct slice parameters;
    return get_algorithm(der, &oid, &parameters) && find(pbes2, ARRAY_LEN(pbes2), oid) != NULL &&
           get_scheme(parameters, scheme);
}

static bool is_scrypt(const struct scheme *scheme)
{
    return find(scrypt, ARRAY_LEN(scrypt), scheme->derivation) != NULL;
}

const char *key_encryption_name(struct slice der)
{
    struct slice oid;
    struct slice parameters;
    struct scheme scheme;
    const char *name = NULL;
    if (get_scheme_of(der, &scheme))
        name = is_scrypt(&scheme) ? "scrypt (PBES2)" : find(ciphers, ARRAY_LEN(ciphers), scheme.cipher);
    else if (get_algorithm(der, &oid, &parameters))
        name = find(whole, ARRAY_LEN(whole), oid);
    return name != NULL ? name : unknown;
}

const char *key_encryption_of_header(struct slice header)
{
    static const struct {
        const char *word;
        const char *name;
    } words[] = {
        {"DEK-Info: DES-CBC,", "DES"},
        {"DEK-Info: DES-EDE3-CBC,", "Triple DES"},
        {"DEK-Info: RC2", "RC2"},
        {"DEK-Info: IDEA", "IDEA"},
        {"DEK-Info: BF", "Blowfish"},
        {"DEK-Info: CAST5", "CAST5"},
        {"DEK-Info: SEED", "SEED"},
        {"DEK-Info: CAMELLIA", "Camellia"},
        {"DEK-Info: AES-", "AES"},
        {"DEK-Info: ARIA", "ARIA"},
        {"DEK-Info: DES-EDE-CBC,", "DES-EDE"},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (header.len > 0 && memmem(header.data, header.len, words[i].word, strlen(words[i].word)) != NULL)
            return words[i].name;
    return unknown;
}

bool key_encryption_takes_more(struct slice der, uint64_t octets)
{
    struct scheme scheme;
    struct slice numbers;
    struct slice salt;
    struct slice part;
    if (!get_scheme_of(der, &scheme) || !is_scrypt(&scheme) ||
        !der_take_tag(&scheme.derivation_parameters, DER_SEQUENCE, &numbers) ||
        !der_take_tag(&numbers, DER_OCTET_STRING, &salt))
        return false;
    int64_t cost = der_take_tag(&numbers, DER_INTEGER, &part) ? der_number(part) : -1;
    int64_t block = der_take_tag(&numbers, DER_INTEGER, &part) ? der_number(part) : -1;
    /* 128 N r octets (RFC 7914 section 6) */
    return cost < 0 || block < 0 || (block > 0 && (uint64_t)cost > octets / 128 / (uint64_t)block);
}
