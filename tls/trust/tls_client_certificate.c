/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/trust/tls_client_certificate.h"

#include "base/slice.h"
#include "tls/trust/tls_client_trust_private.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pool.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

/* The texts, before their lengths are known; empty if there is none. */
struct texts {
    char subject[TLS_CLIENT_SUBJECT_MAX];
    char common_name[TLS_CLIENT_NAME_MAX + 1];
    char email[TLS_CLIENT_NAME_MAX + 1];
};

static void put_hex(const uint8_t *octets, size_t len, char *into)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        *into++ = digits[octets[i] >> 4];
        *into++ = digits[octets[i] & 15];
    }
    *into = '\0';
}

/* What RFC 4514 escapes, and what is not ASCII, becomes "\XX". */
static bool read_subject(const X509 *certificate, char into[TLS_CLIENT_SUBJECT_MAX])
{
    static const char more[] = "...";
    const uint8_t *text;
    size_t len;
    BIO *out = BIO_new(BIO_s_mem());
    bool ok = out != NULL &&
              X509_NAME_print_ex(out, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0 &&
              BIO_mem_contents(out, &text, &len);
    if (ok) {
        size_t kept = len < TLS_CLIENT_SUBJECT_MAX ? len : TLS_CLIENT_SUBJECT_MAX - 1;
        if (kept > 0)
            memcpy(into, text, kept);
        into[kept] = '\0';
        if (kept < len)
            memcpy(into + TLS_CLIENT_SUBJECT_MAX - sizeof more, more, sizeof more);
    }
    BIO_free(out);
    return ok;
}

/* C0, DEL and C1, which is 0xC2 0x80 to 0xC2 0x9F in UTF-8. */
static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool c1 = c == 0xc2 && i + 1 < text.len && text.data[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || c1)
            return true;
    }
    return false;
}

static void read_common_name(const X509 *certificate, char into[TLS_CLIENT_NAME_MAX + 1])
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return;
    uint8_t *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (len > 0 && len <= TLS_CLIENT_NAME_MAX && !has_control((struct slice){text, (size_t)len}))
        memcpy(into, text, (size_t)len);
    OPENSSL_free(text);
}

static bool is_mailbox(struct slice text)
{
    size_t at = slice_find(text, '@');
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_graph(text.data[i]) || (i != at && text.data[i] == '@'))
            return false;
    return at > 0 && at + 1 < text.len;
}

static void read_email(const X509 *certificate, char into[TLS_CLIENT_NAME_MAX + 1])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    struct slice email = {NULL, 0};
    size_t count = 0;
    for (size_t i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_EMAIL)
            continue;
        count++;
        email = (struct slice){ASN1_STRING_get0_data(name->d.rfc822Name),
                               (size_t)ASN1_STRING_length(name->d.rfc822Name)};
    }
    if (count == 1 && email.len <= TLS_CLIENT_NAME_MAX && is_mailbox(email))
        memcpy(into, email.data, email.len);
    GENERAL_NAMES_free(names);
}

static void read_serial(const X509 *certificate, char into[TLS_CLIENT_SERIAL_MAX])
{
    uint8_t octets[TLS_CLIENT_SERIAL_MAX / 2];
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    size_t len = serial != NULL ? BN_num_bytes(serial) : 0;
    if (len > 0 && len <= sizeof octets) {
        BN_bn2bin(serial, octets);
        put_hex(octets, len, into);
    }
    BN_free(serial);
}

/* Copies a text to the free space of the one block that has them all. */
static const char *place(const char *text, char **free_space)
{
    size_t size = strlen(text) + 1;
    char *at = *free_space;
    memcpy(at, text, size);
    *free_space += size;
    return at;
}

static struct tls_client_certificate *compose(const X509 *certificate, const struct texts *texts)
{
    size_t len = strlen(texts->subject) + strlen(texts->common_name) + strlen(texts->email) + 3;
    struct tls_client_certificate *kept = calloc(1, sizeof *kept + len);
    if (kept == NULL)
        return NULL;
    char *free_space = kept->text;
    kept->subject = place(texts->subject, &free_space);
    if (texts->common_name[0] != '\0')
        kept->common_name = place(texts->common_name, &free_space);
    if (texts->email[0] != '\0')
        kept->email = place(texts->email, &free_space);
    read_serial(certificate, kept->serial);
    return kept;
}

struct tls_client_certificate *tls_client_certificate_read(CRYPTO_BUFFER *der)
{
    struct texts texts = {0};
    struct tls_client_certificate *kept = NULL;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    X509 *certificate = X509_parse_from_buffer(der);
    if (certificate != NULL && read_subject(certificate, texts.subject)) {
        read_common_name(certificate, texts.common_name);
        read_email(certificate, texts.email);
        kept = compose(certificate, &texts);
    }
    if (kept != NULL) {
        SHA256(CRYPTO_BUFFER_data(der), CRYPTO_BUFFER_len(der), digest);
        put_hex(digest, sizeof digest, kept->fingerprint);
    }
    X509_free(certificate);
    ERR_clear_error();
    return kept;
}

void tls_client_certificate_free(struct tls_client_certificate **certificate)
{
    free(*certificate);
    *certificate = NULL;
}
