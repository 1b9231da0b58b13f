/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/key_encrypted.h"

#include "base/key_encryption.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#ifdef OPENSSL_IS_BORINGSSL
#include <openssl/pkcs8.h>
#else
#include <openssl/pkcs12.h>
#endif
#include <openssl/x509.h>

#include <stdbool.h>
#include <string.h>

/* A block of a PEM file, which the library has allocated. */
struct block {
    char *name;
    char *header;
    uint8_t *der;
    long len;
};

static void free_block(struct block *block)
{
    OPENSSL_cleanse(block->der, block->der != NULL ? (size_t)block->len : 0);
    OPENSSL_free(block->name);
    OPENSSL_free(block->header);
    OPENSSL_free(block->der);
    *block = (struct block){0};
}

static bool is_encrypted_pkcs8(const struct block *block)
{
    return strcmp(block->name, "ENCRYPTED PRIVATE KEY") == 0;
}

static bool take_encrypted(BIO *pem, struct block *block)
{
    while (PEM_read_bio(pem, &block->name, &block->header, &block->der, &block->len)) {
        if (is_encrypted_pkcs8(block) || strstr(block->header, "DEK-Info:") != NULL)
            return true;
        free_block(block);
    }
    return false;
}

/* Whether the library has failed before it came to the passphrase. Empties its queue. */
static bool is_not_supported(void)
{
    bool found = false;
    uint32_t code; /* OpenSSL returns an unsigned long, of which it uses 32 bits */
    while ((code = (uint32_t)ERR_get_error()) != 0) {
        int reason = ERR_GET_REASON(code);
#ifdef OPENSSL_IS_BORINGSSL
        found = found || (ERR_GET_LIB(code) == ERR_LIB_PKCS8 && reason != PKCS8_R_DECODE_ERROR) ||
                (ERR_GET_LIB(code) == ERR_LIB_PEM && reason == PEM_R_UNSUPPORTED_ENCRYPTION);
#else
        found = found || reason == ERR_R_UNSUPPORTED ||
                (ERR_GET_LIB(code) == ERR_LIB_EVP &&
                 (reason == EVP_R_UNKNOWN_PBE_ALGORITHM || reason == EVP_R_UNSUPPORTED_CIPHER ||
                  reason == EVP_R_UNSUPPORTED_PRF || reason == EVP_R_UNSUPPORTED_ALGORITHM ||
                  reason == EVP_R_UNSUPPORTED_KEY_DERIVATION_FUNCTION ||
                  reason == EVP_R_MEMORY_LIMIT_EXCEEDED || reason == EVP_R_ILLEGAL_SCRYPT_PARAMETERS)) ||
                (ERR_GET_LIB(code) == ERR_LIB_PEM && reason == PEM_R_UNSUPPORTED_ENCRYPTION);
#endif
    }
    return found;
}

static bool opens_pkcs8(const struct block *block, struct slice passphrase)
{
    const uint8_t *at = block->der;
    X509_SIG *encrypted = d2i_X509_SIG(NULL, &at, block->len);
    PKCS8_PRIV_KEY_INFO *key =
        encrypted != NULL ? PKCS8_decrypt(encrypted, (const char *)passphrase.data, (int)passphrase.len)
                          : NULL;
    bool ok = key != NULL;
    PKCS8_PRIV_KEY_INFO_free(key);
    X509_SIG_free(encrypted);
    return ok;
}

static int give(char *into, int size, int writing, void *arg)
{
    const struct slice *passphrase = arg;
    (void)writing;
    if (passphrase->len > (size_t)size)
        return -1;
    memcpy(into, passphrase->data, passphrase->len);
    return (int)passphrase->len;
}

/* The padding fits one in 256 wrong passphrases: what comes out must at least begin as a key does. */
static bool opens_older(struct block *block, struct slice passphrase)
{
    EVP_CIPHER_INFO cipher;
    return PEM_get_EVP_CIPHER_INFO(block->header, &cipher) &&
           PEM_do_header(&cipher, block->der, &block->len, give, &passphrase) && block->len > 4 &&
           block->der[0] == 0x30;
}

static enum key_opening try_block(struct block *block, struct slice passphrase)
{
    bool is_pkcs8 = is_encrypted_pkcs8(block);
    struct slice der = {block->der, (size_t)block->len};
    if (is_pkcs8 && key_encryption_takes_more(der, (uint64_t)KEY_SCRYPT_MB << 20))
        return KEY_TAKES_MEMORY;
    ERR_clear_error();
    if (is_pkcs8 ? opens_pkcs8(block, passphrase) : opens_older(block, passphrase))
        return KEY_OPENED;
    return is_not_supported() ? KEY_NOT_SUPPORTED : KEY_WRONG_PASSPHRASE;
}

enum key_opening key_encrypted_try(struct slice pem, struct slice passphrase, const char **encryption)
{
    enum key_opening opening = KEY_WRONG_PASSPHRASE;
    struct block block = {0};
    BIO *file = BIO_new_mem_buf(pem.data, (int)pem.len);
    *encryption = "";
    if (file != NULL && take_encrypted(file, &block)) {
        *encryption = is_encrypted_pkcs8(&block)
                          ? key_encryption_name((struct slice){block.der, (size_t)block.len})
                          : key_encryption_of_header(slice_of(block.header));
        opening = try_block(&block, passphrase);
        free_block(&block);
    }
    BIO_free(file);
    ERR_clear_error();
    return opening;
}
