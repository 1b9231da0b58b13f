/* SPDX-License-Identifier: BSD-2-Clause */
#include "external_keys.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 100, KEYS_MAX = 32 };

static EVP_PKEY *keys[KEYS_MAX];
static enum tls_key_role roles[KEYS_MAX];
static size_t count;

static EVP_PKEY *read_key(const char *path)
{
    FILE *file = fopen(path, "r");
    EVP_PKEY *key = file != NULL ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    if (file != NULL)
        fclose(file);
    return key;
}

static bool load(void *arg, const char *path, const char *passphrase_path, enum tls_key_role role,
                 struct tls_external_key *into)
{
    uint8_t *der = NULL;
    (void)arg;
    ck_assert_ptr_null(passphrase_path);
    ck_assert_uint_lt(count, KEYS_MAX);
    EVP_PKEY *key = read_key(path);
    if (key == NULL) {
        snprintf(into->error, sizeof into->error, "is none of ours");
        return false;
    }
    into->spki_len = (size_t)i2d_PUBKEY(key, &der);
    ck_assert_uint_le(into->spki_len, sizeof into->spki);
    memcpy(into->spki, der, into->spki_len);
    OPENSSL_free(der);
    into->number = FIRST + (uint32_t)count;
    roles[count] = role;
    keys[count++] = key;
    return true;
}

static EVP_PKEY **find(uint32_t number)
{
    ck_assert_uint_ge(number, FIRST);
    ck_assert_uint_lt(number, FIRST + count);
    EVP_PKEY **key = &keys[number - FIRST];
    ck_assert_ptr_nonnull(*key);
    return key;
}

static void release(void *arg, uint32_t number)
{
    (void)arg;
    EVP_PKEY **key = find(number);
    EVP_PKEY_free(*key);
    *key = NULL;
}

/* The certificates of a file that has a key: what is before the key, as these tests write it. */
static bool read_chain(void *arg, const char *path, struct bytes *into, char *error)
{
    char text[16384];
    (void)arg;
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    const char *key = strstr(text, "-----BEGIN PRIVATE KEY-----");
    if (key == NULL) {
        snprintf(error, TLS_KEY_ERROR_MAX, "has no key at all");
        return false;
    }
    return bytes_append(into, (struct slice){(const uint8_t *)text, (size_t)(key - text)}, sizeof text);
}

const struct tls_key_source external_keys = {.load = load, .release = release, .read_chain = read_chain};

size_t external_keys_count(void)
{
    size_t there = 0;
    for (size_t i = 0; i < count; i++)
        there += keys[i] != NULL;
    return there;
}

void external_keys_reset(void)
{
    for (size_t i = 0; i < count; i++)
        EVP_PKEY_free(keys[i]);
    memset(keys, 0, sizeof keys);
    count = 0;
}

enum tls_key_role external_keys_role(uint32_t number)
{
    find(number);
    return roles[number - FIRST];
}

size_t external_keys_sign(const struct tls_sign_request *request, uint8_t *into)
{
    EVP_MD_CTX context;
    EVP_PKEY_CTX *padding = NULL;
    size_t len = 1024;
    EVP_MD_CTX_init(&context);
    ck_assert_int_eq(EVP_DigestSignInit(&context, &padding,
                                        SSL_get_signature_algorithm_digest(request->algorithm), NULL,
                                        *find(request->key)),
                     1);
    if (SSL_is_signature_algorithm_rsa_pss(request->algorithm)) {
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING), 1);
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, -1), 1);
    }
    ck_assert_int_eq(EVP_DigestSign(&context, into, &len, request->input.data, request->input.len), 1);
    EVP_MD_CTX_cleanup(&context);
    return len;
}
