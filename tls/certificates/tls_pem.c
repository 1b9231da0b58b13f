/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_pem.h"

#include "tls/certificates/tls_access.h"
#include "tls/tls_file.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <errno.h>
#include <string.h>

/* RFC 7468 section 3 */
static const char begin_certificate[] = "-----BEGIN CERTIFICATE-----";
static const char end_certificate[] = "-----END CERTIFICATE-----";
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

static X509 *decode_certificate(struct slice block)
{
    BIO *memory = BIO_new_mem_buf(block.data, (int)block.len);
    X509 *certificate = memory != NULL ? PEM_read_bio_X509(memory, NULL, NULL, NULL) : NULL;
    BIO_free(memory);
    return certificate;
}

/*
 * Takes the next certificate's block, with its boundaries, off the front of `*rest`. Empty if there is none.
 */
static struct slice next_block(struct slice *rest)
{
    const uint8_t *begin = find(*rest, begin_certificate);
    if (begin == NULL)
        return (struct slice){NULL, 0};
    struct slice block = from_place(*rest, begin);
    const uint8_t *end = find(block, end_certificate);
    if (end != NULL)
        block.len = (size_t)(end - block.data) + strlen(end_certificate);
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

static bool check_chain(size_t count, bool decoded, const char *path, int source,
                        const struct tls_report *report)
{
    const char *reason = tls_library_error();
    if (!decoded)
        tls_report_add(report, source, true, "certificate %zu in %s can't be read: %s", count + 1, path,
                       reason);
    else if (count == 0)
        tls_report_add(
            report, source, true,
            "%s has no certificate in PEM form (\"-----BEGIN CERTIFICATE-----\"); is it the key's file?",
            path);
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
    bytes_free(&text);
    if (check_chain(count, decoded, path, source, report))
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

static void explain_key(const char *path, const struct passphrase *passphrase, int source,
                        const struct tls_report *report)
{
    const char *reason = tls_library_error();
    if (passphrase->wanted && passphrase->text.len == 0)
        tls_report_add(
            report, source, true,
            "the private key %s is encrypted with a passphrase; name the file that has it (\"passphrase\"), "
            "or decrypt the key (openssl pkey -in ... -out ...) and keep it readable by its owner alone",
            path);
    else if (passphrase->wanted)
        tls_report_add(report, source, true, "the passphrase does not decrypt the private key %s: %s", path,
                       reason);
    else
        tls_report_add(report, source, true,
                       "%s has no private key in PEM form (\"-----BEGIN PRIVATE KEY-----\"): %s", path,
                       reason);
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
        BIO *memory = BIO_new_mem_buf(text.data, (int)text.len);
        key = memory != NULL ? PEM_read_bio_PrivateKey(memory, NULL, give_passphrase, &passphrase) : NULL;
        BIO_free(memory);
        if (key == NULL)
            explain_key(path, &passphrase, source, report);
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
