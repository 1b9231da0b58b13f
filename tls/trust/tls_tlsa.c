/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/trust/tls_tlsa.h"

#include <openssl/bytestring.h>
#include <openssl/sha.h>

#include <string.h>

enum {
    USAGE_TA = 0,
    USAGE_DANE_TA = 2,
    USAGE_LAST = 3,
    SELECTS_KEY = 1,
    MATCHES_SHA256 = 1,
    MATCHES_SHA512 = 2
};

/* ---- reading ---- */

static bool read_number(struct slice *text, uint8_t max, uint8_t *into)
{
    struct slice word = slice_next_word(text, ' ');
    if (word.len != 1 || !ascii_is_digit(word.data[0]) || word.data[0] - '0' > max)
        return false;
    *into = (uint8_t)(word.data[0] - '0');
    return true;
}

static int digit_of(uint8_t c)
{
    return ascii_is_digit(c)                                ? c - '0'
           : ascii_upper(c) >= 'A' && ascii_upper(c) <= 'F' ? ascii_upper(c) - 'A' + 10
                                                            : -1;
}

static bool read_data(struct slice text, struct tls_tlsa *into)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == ' ')
            continue;
        int digit = digit_of(text.data[i]);
        if (digit < 0 || digits == (size_t)2 * TLS_TLSA_MAX)
            return false;
        uint8_t *octet = &into->data[digits++ / 2];
        *octet = (uint8_t)(*octet << 4 | digit);
    }
    into->len = digits / 2;
    return digits > 0 && digits % 2 == 0;
}

bool tls_tlsa_parse(struct slice text, struct tls_tlsa *into)
{
    *into = (struct tls_tlsa){0};
    if (!read_number(&text, USAGE_LAST, &into->usage) || !read_number(&text, SELECTS_KEY, &into->selector) ||
        !read_number(&text, MATCHES_SHA512, &into->matching) || !read_data(text, into))
        return false;
    size_t wanted = into->matching == MATCHES_SHA256   ? SHA256_DIGEST_LENGTH
                    : into->matching == MATCHES_SHA512 ? SHA512_DIGEST_LENGTH
                                                       : into->len;
    return into->len == wanted;
}

/* ---- matching ---- */

/*
 * SubjectPublicKeyInfo with its tag and length: the seventh part of a TBSCertificate with a version (RFC 5280
 * section 4.1).
 */
static bool find_key(CBS certificate, CBS *key)
{
    CBS outer;
    CBS body;
    return CBS_get_asn1(&certificate, &outer, CBS_ASN1_SEQUENCE) &&
           CBS_get_asn1(&outer, &body, CBS_ASN1_SEQUENCE) &&
           CBS_get_optional_asn1(&body, NULL, NULL, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0) &&
           CBS_get_asn1(&body, key, CBS_ASN1_INTEGER) && CBS_get_asn1(&body, key, CBS_ASN1_SEQUENCE) &&
           CBS_get_asn1(&body, key, CBS_ASN1_SEQUENCE) && CBS_get_asn1(&body, key, CBS_ASN1_SEQUENCE) &&
           CBS_get_asn1(&body, key, CBS_ASN1_SEQUENCE) && CBS_get_asn1_element(&body, key, CBS_ASN1_SEQUENCE);
}

static bool matches_one(const struct tls_tlsa *record, const CRYPTO_BUFFER *certificate)
{
    uint8_t digest[SHA512_DIGEST_LENGTH];
    CBS selected;
    CRYPTO_BUFFER_init_CBS(certificate, &selected);
    if (record->selector == SELECTS_KEY && !find_key(selected, &selected))
        return false;
    if (record->matching == MATCHES_SHA256)
        CBS_init(&selected, SHA256(CBS_data(&selected), CBS_len(&selected), digest), SHA256_DIGEST_LENGTH);
    else if (record->matching == MATCHES_SHA512)
        CBS_init(&selected, SHA512(CBS_data(&selected), CBS_len(&selected), digest), SHA512_DIGEST_LENGTH);
    return CBS_mem_equal(&selected, record->data, record->len);
}

bool tls_tlsa_matches(const struct tls_tlsa *record, CRYPTO_BUFFER *const chain[], size_t count)
{
    /* RFC 7671 section 5.2.2 requires that the anchor is sent: without it a record can't be matched. */
    bool anchor = record->usage == USAGE_TA || record->usage == USAGE_DANE_TA;
    for (size_t i = anchor ? 1 : 0; i < (anchor ? count : 1) && i < count; i++)
        if (matches_one(record, chain[i]))
            return true;
    return false;
}
