/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys/key_sign.h"

#include "base/array.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include <stdlib.h>

/*
 * Keys and algorithms in use at a time: two or three for most operators. Making one again takes some
 * microseconds.
 */
#define KEPT_MAX 64

struct kept {
    EVP_PKEY_CTX *context; /* NULL: free */
    const EVP_MD *digest;
    enum sign_role role;
    uint32_t key;
    uint16_t algorithm;
};

struct key_signer {
    struct kept kept[KEPT_MAX];
};

enum padding { PADDING_NONE, PADDING_PKCS1, PADDING_PSS };

struct algorithm {
    uint16_t id;
    int key_type;
    enum padding padding;
    bool before_1_3; /* TLS 1.3 signs nothing with it (RFC 8446 section 4.2.3) */
    const EVP_MD *(*digest)(void);
};

static const struct algorithm algorithms[] = {
    {0x0403, EVP_PKEY_EC, PADDING_NONE, false, EVP_sha256},
    {0x0503, EVP_PKEY_EC, PADDING_NONE, false, EVP_sha384},
    {0x0603, EVP_PKEY_EC, PADDING_NONE, false, EVP_sha512},
    {0x0203, EVP_PKEY_EC, PADDING_NONE, true, EVP_sha1},
    {0x0804, EVP_PKEY_RSA, PADDING_PSS, false, EVP_sha256},
    {0x0805, EVP_PKEY_RSA, PADDING_PSS, false, EVP_sha384},
    {0x0806, EVP_PKEY_RSA, PADDING_PSS, false, EVP_sha512},
    {0x0401, EVP_PKEY_RSA, PADDING_PKCS1, true, EVP_sha256},
    {0x0501, EVP_PKEY_RSA, PADDING_PKCS1, true, EVP_sha384},
    {0x0601, EVP_PKEY_RSA, PADDING_PKCS1, true, EVP_sha512},
    {0x0201, EVP_PKEY_RSA, PADDING_PKCS1, true, EVP_sha1},
    {KEYS_RSA_MD5_SHA1, EVP_PKEY_RSA, PADDING_PKCS1, true, EVP_md5_sha1},
};

#define ED25519 0x0807

struct key_signer *key_signer_new(void)
{
    return calloc(1, sizeof(struct key_signer));
}

static void free_kept(struct kept *kept)
{
    EVP_PKEY_CTX_free(kept->context);
    *kept = (struct kept){0};
}

void key_signer_free(struct key_signer **signer)
{
    if (*signer == NULL)
        return;
    for (size_t i = 0; i < KEPT_MAX; i++)
        free_kept(&(*signer)->kept[i]);
    free(*signer);
    *signer = NULL;
}

void key_signer_forget(struct key_signer *signer, uint32_t number)
{
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (signer->kept[i].context != NULL && signer->kept[i].key == number)
            free_kept(&signer->kept[i]);
}

static size_t place_of(uint32_t number, uint16_t algorithm)
{
    return (number * 5u + (algorithm >> 8) * 3u + algorithm) % KEPT_MAX;
}

static bool is_for(const struct kept *kept, uint32_t number, uint16_t algorithm)
{
    return kept->context != NULL && kept->key == number && kept->algorithm == algorithm;
}

bool key_signer_has(const struct key_signer *signer, uint32_t number, uint16_t algorithm)
{
    return is_for(&signer->kept[place_of(number, algorithm)], number, algorithm);
}

static const struct algorithm *find(uint16_t id)
{
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
        if (algorithms[i].id == id)
            return &algorithms[i];
    return NULL;
}

static bool set_padding(EVP_PKEY_CTX *context, enum padding padding)
{
    if (padding == PADDING_NONE)
        return true;
    if (padding == PADDING_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
    /* -1: as long as the hash (RFC 8446 section 4.2.3). */
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, -1) > 0;
}

/* NULL if the key can't sign with the algorithm. */
static EVP_PKEY_CTX *new_context(EVP_PKEY *key, const struct algorithm *algorithm)
{
    if (key == NULL || EVP_PKEY_id(key) != algorithm->key_type)
        return NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    if (context != NULL && EVP_PKEY_sign_init(context) > 0 && set_padding(context, algorithm->padding) &&
        EVP_PKEY_CTX_set_signature_md(context, algorithm->digest()) > 0)
        return context;
    EVP_PKEY_CTX_free(context);
    return NULL;
}

static const struct kept *keep(struct key_signer *signer, const struct known_key *key, uint32_t number,
                               const struct algorithm *algorithm)
{
    struct kept *kept = &signer->kept[place_of(number, algorithm->id)];
    if (is_for(kept, number, algorithm->id))
        return kept;
    EVP_PKEY_CTX *context = new_context(key->pkey, algorithm);
    if (context == NULL)
        return NULL;
    free_kept(kept);
    *kept = (struct kept){context, algorithm->digest(), key->role, number, algorithm->id};
    return kept;
}

static size_t sign_ed25519(const struct known_key *key, struct slice input, enum sign_input_kind kind,
                           uint8_t *signature)
{
    size_t len = KEYS_SIGNATURE_MAX;
    if (key->pkey == NULL || EVP_PKEY_id(key->pkey) != EVP_PKEY_ED25519 ||
        !sign_input_fits_role(kind, key->role))
        return 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) > 0 &&
              EVP_DigestSign(context, signature, &len, input.data, input.len) > 0;
    EVP_MD_CTX_free(context);
    return ok ? len : 0;
}

static size_t sign_hashed(struct key_signer *signer, const struct known_key *key,
                          const struct keys_request *request, const struct algorithm *algorithm,
                          enum sign_input_kind kind, uint8_t *signature)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned hash_len = 0;
    size_t len = KEYS_SIGNATURE_MAX;
    const struct kept *kept = keep(signer, key, request->key, algorithm);
    if (kept == NULL || !sign_input_fits_role(kind, kept->role) ||
        !EVP_Digest(request->input.data, request->input.len, hash, &hash_len, kept->digest, NULL))
        return 0;
    return EVP_PKEY_sign(kept->context, signature, &len, hash, hash_len) > 0 ? len : 0;
}

size_t key_signer_sign(struct key_signer *signer, const struct known_key *key,
                       const struct keys_request *request, uint8_t *signature)
{
    size_t len = 0;
    enum sign_input_kind kind = sign_input_kind_of(request->input);
    const struct algorithm *algorithm = find(request->algorithm);
    if (kind == SIGN_INPUT_UNKNOWN)
        return 0;
    if (request->algorithm == ED25519)
        len = sign_ed25519(key, request->input, kind, signature);
    else if (algorithm != NULL && !(algorithm->before_1_3 && sign_input_is_tls13(kind)))
        len = sign_hashed(signer, key, request, algorithm, kind, signature);
    ERR_clear_error();
    return len;
}

#define QUOTED(number)       QUOTED_AS_IS(number)
#define QUOTED_AS_IS(number) #number

const char *key_sign_library(void)
{
#ifdef OPENSSL_IS_BORINGSSL
    return "BoringSSL, API " QUOTED(BORINGSSL_API_VERSION);
#else
    return OpenSSL_version(OPENSSL_VERSION);
#endif
}
