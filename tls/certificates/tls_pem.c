/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_pem.h"

#include "base/array.h"
#include "base/file_form.h"
#include "base/key_encryption.h"
#include "tls/certificates/tls_access.h"
#include "tls/tls_file.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/pkcs8.h>
#include <openssl/x509.h>

#include <errno.h>
#include <string.h>

/* RFC 7468 section 3, and two older labels that servers with OpenSSL read as well. */
static const struct {
    const char *begin;
    const char *end;
} boundaries[] = {
    {"-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"},
    {"-----BEGIN X509 CERTIFICATE-----", "-----END X509 CERTIFICATE-----"},
    {"-----BEGIN TRUSTED CERTIFICATE-----", "-----END TRUSTED CERTIFICATE-----"},
};
static const char private_key[] = "PRIVATE KEY-----";

static const uint8_t *find(struct slice in, const char *text)
{
    return in.len > 0 ? memmem(in.data, in.len, text, strlen(text)) : NULL;
}

static struct slice from_place(struct slice whole, const uint8_t *place)
{
    return slice_from(whole, (size_t)(place - whole.data));
}

static bool read_file(const char *path, const char *what, int source, const struct tls_report *report,
                      struct bytes *into)
{
    if (tls_file_read(path, into))
        return true;
    tls_report_add(report, source, true, "can't open the %s %s: %s", what, path, strerror(errno));
    return false;
}

/* ---- chains ---- */

/* What the trust in a "TRUSTED CERTIFICATE" is for is read, and not used. */
static X509 *decode_certificate(struct slice block)
{
    BIO *memory = BIO_new_mem_buf(block.data, (int)block.len);
    X509 *certificate = memory != NULL ? PEM_read_bio_X509_AUX(memory, NULL, NULL, NULL) : NULL;
    BIO_free(memory);
    return certificate;
}

/*
 * The first begin of a certificate's block; `*kind` becomes the index of its boundaries. NULL: there is
 * none.
 */
static const uint8_t *find_begin(struct slice in, size_t *kind)
{
    const uint8_t *first = NULL;
    for (size_t i = 0; i < ARRAY_LEN(boundaries); i++) {
        const uint8_t *begin = find(in, boundaries[i].begin);
        if (begin == NULL || (first != NULL && begin > first))
            continue;
        first = begin;
        *kind = i;
    }
    return first;
}

/*
 * Takes the next certificate's block, with its boundaries, off the front of `*rest`. Empty if there is none.
 */
static struct slice next_block(struct slice *rest)
{
    size_t kind = 0;
    const uint8_t *begin = find_begin(*rest, &kind);
    if (begin == NULL)
        return (struct slice){NULL, 0};
    struct slice block = from_place(*rest, begin);
    const uint8_t *end = find(block, boundaries[kind].end);
    if (end != NULL)
        block.len = (size_t)(end - block.data) + strlen(boundaries[kind].end);
    *rest = slice_sub(from_place(*rest, begin), block.len, rest->len);
    return block;
}

/*
 * False if a block is no certificate: `*count` were read before it. One certificate too many is counted, and
 * not decoded.
 */
static bool decode_chain(struct slice text, X509 *chain[TLS_CHAIN_MAX], size_t *count)
{
    struct slice block;
    while (*count <= TLS_CHAIN_MAX && (block = next_block(&text)).len > 0) {
        if (*count < TLS_CHAIN_MAX && (chain[*count] = decode_certificate(block)) == NULL)
            return false;
        ++*count;
    }
    return true;
}

static bool check_chain(size_t count, bool decoded, struct slice text, const char *path, int source,
                        const struct tls_report *report)
{
    const char *reason = tls_library_error();
    const char *form = count == 0 ? file_form_instead_of_chain(text) : NULL;
    if (!decoded && form == NULL)
        tls_report_add(
            report, source, true,
            "certificate %zu in %s can't be read (%s): it is damaged, or cut off; copy it here again",
            count + 1, path, reason);
    else if (count == 0)
        tls_report_add(report, source, true,
                       "%s has no certificate in PEM form (\"-----BEGIN CERTIFICATE-----\"): %s", path,
                       form != NULL ? form : "is it the right file?");
    else if (count > TLS_CHAIN_MAX)
        tls_report_add(report, source, true,
                       "%s has more than %d certificates; is it a bundle of authorities? A chain is the leaf "
                       "and its issuers",
                       path, TLS_CHAIN_MAX);
    return decoded && count > 0 && count <= TLS_CHAIN_MAX;
}

/* The key source reads the file if it also has a key, or if this process may not read it. */
static bool read_chain(const char *path, const struct tls_key_source *keys, bool has_key, int source,
                       const struct tls_report *report, struct bytes *into)
{
    char error[TLS_KEY_ERROR_MAX] = "";
    if (keys != NULL && has_key ? keys->read_chain(keys->arg, path, into, error)
                                : tls_access_read_certificates(keys, path, into, error))
        return true;
    if (error[0] != '\0')
        tls_report_add(report, source, true, "the certificate chain %s %s", path, error);
    else
        tls_report_add(report, source, true, "can't open the certificate chain %s: %s", path,
                       strerror(errno));
    bytes_free(into);
    return false;
}

size_t tls_pem_read_chain(const char *path, const struct tls_key_source *keys, bool has_key, int source,
                          const struct tls_report *report, X509 *chain[TLS_CHAIN_MAX])
{
    struct bytes text = {0};
    size_t count = 0;
    if (!read_chain(path, keys, has_key, source, report, &text))
        return 0;
    bool decoded = decode_chain(bytes_view(&text), chain, &count);
    bool ok = check_chain(count, decoded, bytes_view(&text), path, source, report);
    bytes_free(&text);
    if (ok)
        return count;
    for (size_t i = 0; i < count && i < TLS_CHAIN_MAX; i++)
        X509_free(chain[i]);
    return 0;
}

/* ---- keys ---- */

struct passphrase {
    struct slice text; /* empty: there is none */
    bool wanted;       /* the key is encrypted */
};

/* Replaces the library's own, which would ask at the terminal. */
static int give_passphrase(char *into, int size, int writing, void *arg)
{
    struct passphrase *passphrase = arg;
    (void)writing;
    passphrase->wanted = true;
    if (passphrase->text.len == 0 || passphrase->text.len > (size_t)size)
        return 0;
    memcpy(into, passphrase->text.data, passphrase->text.len);
    return (int)passphrase->text.len;
}

/* Why the library could not read a key: the first error of its queue that tells. */
enum key_failure {
    KEY_UNREADABLE,
    KEY_NOT_OPENED,
    KEY_ENCRYPTION_UNKNOWN,
    KEY_CURVE_UNKNOWN,
    KEY_KIND_UNKNOWN
};

static enum key_failure failure_of(uint32_t code)
{
    int reason = ERR_GET_REASON(code);
    switch (ERR_GET_LIB(code)) {
    case ERR_LIB_CIPHER:
        return KEY_NOT_OPENED;
    case ERR_LIB_PKCS8:
        return reason == PKCS8_R_DECODE_ERROR || reason == PKCS8_R_INCORRECT_PASSWORD
                   ? KEY_NOT_OPENED
                   : KEY_ENCRYPTION_UNKNOWN;
    case ERR_LIB_PEM:
        return reason == PEM_R_UNSUPPORTED_ENCRYPTION || reason == PEM_R_UNSUPPORTED_CIPHER
                   ? KEY_ENCRYPTION_UNKNOWN
                   : KEY_UNREADABLE;
    case ERR_LIB_EC:
        return reason == EC_R_UNKNOWN_GROUP ? KEY_CURVE_UNKNOWN : KEY_UNREADABLE;
    case ERR_LIB_EVP:
        return reason == EVP_R_UNSUPPORTED_ALGORITHM ? KEY_KIND_UNKNOWN : KEY_UNREADABLE;
    default:
        return KEY_UNREADABLE;
    }
}

static enum key_failure take_failure(void)
{
    enum key_failure failure = KEY_UNREADABLE;
    uint32_t code;
    while ((code = ERR_get_error()) != 0)
        if (failure == KEY_UNREADABLE)
            failure = failure_of(code);
    return failure;
}

/* The name of the encryption of the first encrypted key; static. */
static const char *name_encryption(struct slice text)
{
    const char *found = "an encryption that is not known here";
    BIO *memory = BIO_new_mem_buf(text.data, (int)text.len);
    char *name = NULL;
    char *header = NULL;
    uint8_t *der = NULL;
    long len = 0;
    bool is_found = false;
    while (memory != NULL && !is_found && PEM_read_bio(memory, &name, &header, &der, &len)) {
        bool is_older = strstr(header, "DEK-Info:") != NULL;
        is_found = is_older || strcmp(name, "ENCRYPTED PRIVATE KEY") == 0;
        if (is_found)
            found = is_older ? key_encryption_of_header(slice_of(header))
                             : key_encryption_name((struct slice){der, (size_t)len});
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    BIO_free(memory);
    ERR_clear_error();
    return found;
}

#define NEW_KEY                                                                                              \
    "make a new one (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out NEW.key), and "     \
    "have it "                                                                                               \
    "certified"

static void explain_unencrypted(const char *path, struct slice text, enum key_failure failure, int source,
                                const struct tls_report *report)
{
    const char *form = file_form_instead_of_key(text);
    if (failure == KEY_CURVE_UNKNOWN)
        tls_report_add(report, source, true,
                       "the private key %s is on a curve that TLS doesn't use: " NEW_KEY, path);
    else if (failure == KEY_KIND_UNKNOWN)
        tls_report_add(report, source, true,
                       "the private key %s is of a kind that TLS servers don't use: " NEW_KEY, path);
    else if (form != NULL || find(text, private_key) == NULL)
        tls_report_add(report, source, true,
                       "%s has no private key in PEM form (\"-----BEGIN PRIVATE KEY-----\"): %s", path,
                       form != NULL ? form : "is it the right file?");
    else
        tls_report_add(
            report, source, true,
            "%s has no private key in PEM form (\"-----BEGIN PRIVATE KEY-----\") that can be decoded: "
            "it is damaged, cut off, or on a curve that TLS doesn\'t use; copy it here again, or " NEW_KEY,
            path);
}

static void explain_key(const char *path, struct slice text, const struct passphrase *passphrase, int source,
                        const struct tls_report *report)
{
    enum key_failure failure = take_failure();
    if (passphrase->wanted && passphrase->text.len == 0)
        tls_report_add(
            report, source, true,
            "the private key %s is encrypted with a passphrase; name the file that has it (\"passphrase\"), "
            "or decrypt the key (openssl pkey -in ... -out ...) and keep it readable by its owner alone",
            path);
    else if (failure == KEY_ENCRYPTION_UNKNOWN)
        tls_report_add(
            report, source, true,
            "the private key %s is encrypted with %s, which can't be decrypted here, whatever the "
            "passphrase: openssl pkey -aes256 -in FILE -out NEW.key (for old encryptions also -provider "
            "legacy -provider default)",
            path, name_encryption(text));
    else if (passphrase->wanted && failure != KEY_CURVE_UNKNOWN && failure != KEY_KIND_UNKNOWN)
        tls_report_add(
            report, source, true,
            "the passphrase does not decrypt the private key %s: the first line of its file is not its "
            "passphrase",
            path);
    else
        explain_unencrypted(path, text, failure, source, report);
}

/* Some editors put it before the first line. */
static struct slice without_byte_order_mark(struct slice text)
{
    return slice_has_prefix(text, "\xEF\xBB\xBF") ? slice_from(text, 3) : text;
}

EVP_PKEY *tls_pem_read_key(const char *path, const char *passphrase_path, int source,
                           const struct tls_report *report)
{
    struct bytes text = {0};
    struct bytes secret = {0};
    EVP_PKEY *key = NULL;
    if (read_file(path, "private key", source, report, &text) &&
        (passphrase_path == NULL || read_file(passphrase_path, "passphrase", source, report, &secret))) {
        struct passphrase passphrase = {slice_first_line(bytes_view(&secret)), false};
        struct slice pem = without_byte_order_mark(bytes_view(&text));
        BIO *memory = BIO_new_mem_buf(pem.data, (int)pem.len);
        ERR_clear_error();
        key = memory != NULL ? PEM_read_bio_PrivateKey(memory, NULL, give_passphrase, &passphrase) : NULL;
        BIO_free(memory);
        if (key == NULL)
            explain_key(path, pem, &passphrase, source, report);
    }
    bytes_free(&text);
    bytes_free(&secret);
    ERR_clear_error();
    return key;
}

bool tls_pem_has_key(const char *path)
{
    struct bytes text;
    bool has = tls_file_read(path, &text) && find(bytes_view(&text), private_key) != NULL;
    bytes_free(&text);
    return has;
}
