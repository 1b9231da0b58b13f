/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_hello.h"

#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>

/* RFC 8446 section 4.2, RFC 8422 */
enum { EXTENSION_GROUPS = 10, EXTENSION_SIGNATURES = 13, EXTENSION_VERSIONS = 43 };
/* RSASSA-PSS with a key of the ordinary kind */
enum { PSS_SHA256 = 0x0804, PSS_SHA512 = 0x0806 };
/* The second octet of a signature algorithm of TLS 1.2 (RFC 5246 7.4.1.4.1) */
enum { SIGNS_RSA = 1, SIGNS_ECDSA = 3 };

/* The numbers of each kind of key: its signature in TLS 1.3, and its curve. */
static const struct {
    uint16_t signature;
    uint16_t group;
} ecdsa[] = {[TLS_KEY_P256] = {0x0403, 23}, [TLS_KEY_P384] = {0x0503, 24}, [TLS_KEY_P521] = {0x0603, 25}};

enum tls_key_kind tls_key_kind_of(const EVP_PKEY *public_key)
{
    if (EVP_PKEY_id(public_key) == EVP_PKEY_RSA)
        return TLS_KEY_RSA;
    const EC_KEY *ec = EVP_PKEY_id(public_key) == EVP_PKEY_EC ? EVP_PKEY_get0_EC_KEY(public_key) : NULL;
    switch (ec != NULL ? EC_GROUP_get_curve_name(EC_KEY_get0_group(ec)) : NID_undef) {
    case NID_X9_62_prime256v1:
        return TLS_KEY_P256;
    case NID_secp384r1:
        return TLS_KEY_P384;
    case NID_secp521r1:
        return TLS_KEY_P521;
    default:
        return TLS_KEY_OTHER;
    }
}

/*
 * An extension that is a list of 16-bit numbers, after its length in one octet or two. False if it is not
 * there.
 */
static bool get_list(const SSL_CLIENT_HELLO *hello, uint16_t type, bool short_length, CBS *list)
{
    const uint8_t *data;
    size_t len;
    CBS whole;
    if (!SSL_early_callback_ctx_extension_get(hello, type, &data, &len))
        return false;
    CBS_init(&whole, data, len);
    return short_length ? CBS_get_u8_length_prefixed(&whole, list)
                        : CBS_get_u16_length_prefixed(&whole, list);
}

static bool has(CBS list, uint16_t wanted)
{
    uint16_t number;
    while (CBS_get_u16(&list, &number))
        if (number == wanted)
            return true;
    return false;
}

bool tls_hello_is_tls13(const SSL_CLIENT_HELLO *hello)
{
    CBS versions;
    return get_list(hello, EXTENSION_VERSIONS, true, &versions) && has(versions, TLS1_3_VERSION) &&
           (SSL_get_options(hello->ssl) & SSL_OP_NO_TLSv1_3) == 0 &&
           SSL_get_max_proto_version(hello->ssl) >= TLS1_3_VERSION;
}

static bool signs_in_tls13(CBS signatures, enum tls_key_kind kind)
{
    if (kind != TLS_KEY_RSA)
        return has(signatures, ecdsa[kind].signature);
    for (uint16_t pss = PSS_SHA256; pss <= PSS_SHA512; pss++)
        if (has(signatures, pss))
            return true;
    return false;
}

static bool signs_in_tls12(CBS signatures, enum tls_key_kind kind)
{
    uint16_t number;
    while (CBS_get_u16(&signatures, &number)) {
        bool is_pss = number >= PSS_SHA256 && number <= PSS_SHA512;
        if (kind == TLS_KEY_RSA ? is_pss || (number & 0xff) == SIGNS_RSA
                                : number >> 8 < 8 && (number & 0xff) == SIGNS_ECDSA)
            return true;
    }
    return false;
}

/* Whether both ends have a suite that this kind of key signs for. */
static bool shares_suite(const SSL_CLIENT_HELLO *hello, enum tls_key_kind kind)
{
    int wanted = kind == TLS_KEY_RSA ? NID_auth_rsa : NID_auth_ecdsa;
    const STACK_OF(SSL_CIPHER) *own = SSL_get_ciphers(hello->ssl);
    CBS offered;
    CBS_init(&offered, hello->cipher_suites, hello->cipher_suites_len);
    for (size_t i = 0; i < sk_SSL_CIPHER_num(own); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(own, i);
        if (SSL_CIPHER_get_auth_nid(suite) == wanted && has(offered, SSL_CIPHER_get_protocol_id(suite)))
            return true;
    }
    return false;
}

bool tls_hello_allows(const SSL_CLIENT_HELLO *hello, enum tls_key_kind kind)
{
    CBS list;
    if (kind == TLS_KEY_OTHER)
        return false;
    bool signatures = get_list(hello, EXTENSION_SIGNATURES, false, &list);
    if (tls_hello_is_tls13(hello))
        return signatures && signs_in_tls13(list, kind);
    if (!shares_suite(hello, kind) || (signatures && !signs_in_tls12(list, kind)))
        return false;
    return kind == TLS_KEY_RSA || !get_list(hello, EXTENSION_GROUPS, false, &list) ||
           has(list, ecdsa[kind].group);
}
