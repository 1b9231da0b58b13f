/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/certificates/tls_trial.h"

#include "base/array.h"
#include "base/bytes.h"
#include "tls/tls_report.h"
#include "tls/tls_version.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Octets. The hello has some 250; an RSA signature with 8192 bits 1024. */
enum { HELLO_MAX = 2048, SIGNATURE_MAX = 2048 };

/* What all trials share; it never changes after it is made. */
struct scratch {
    SSL_CTX *server;
    size_t hello_len;
    uint8_t hello[HELLO_MAX];
};

/* A client that takes all that a server of ours could sign with: only what no client takes is to fail. */
static const uint16_t algorithms[] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA256,    SSL_SIGN_RSA_PKCS1_SHA256,
    SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA384,    SSL_SIGN_RSA_PKCS1_SHA384,
    SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_ECDSA_SECP521R1_SHA512, SSL_SIGN_RSA_PKCS1_SHA512,
};
static const char groups[] = "X25519:P-256:P-384:P-521";

/* ---- what trials share ---- */

static SSL_CTX *new_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_with_buffers_method());
    if (context != NULL && SSL_CTX_set_min_proto_version(context, TLS_1_2) &&
        SSL_CTX_set_max_proto_version(context, TLS_1_3) && SSL_CTX_set1_curves_list(context, groups))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static enum ssl_verify_result_t accept_any(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

/* Zero if memory is short. */
static size_t write_hello(SSL *client, uint8_t into[HELLO_MAX])
{
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    if (in == NULL || out == NULL) {
        BIO_free(in);
        BIO_free(out);
        return 0;
    }
    SSL_set_bio(client, in, out);
    SSL_set_connect_state(client);
    SSL_do_handshake(client);
    int len = BIO_read(out, into, HELLO_MAX);
    return len > 0 ? (size_t)len : 0;
}

static size_t make_hello(uint8_t into[HELLO_MAX])
{
    size_t len = 0;
    SSL *client = NULL;
    SSL_CTX *context = new_context();
    if (context != NULL && SSL_CTX_set_verify_algorithm_prefs(context, algorithms, ARRAY_LEN(algorithms))) {
        SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER, accept_any);
        client = SSL_new(context);
    }
    if (client != NULL)
        len = write_hello(client, into);
    SSL_free(client);
    SSL_CTX_free(context);
    return len;
}

static void free_scratch(struct scratch *scratch)
{
    if (scratch != NULL)
        SSL_CTX_free(scratch->server);
    free(scratch);
}

/* NULL if memory is short. */
static const struct scratch *get_scratch(void)
{
    static _Atomic(struct scratch *) shared;
    struct scratch *found = atomic_load(&shared);
    if (found != NULL)
        return found;
    struct scratch *fresh = calloc(1, sizeof *fresh);
    if (fresh != NULL) {
        fresh->server = new_context();
        fresh->hello_len = make_hello(fresh->hello);
    }
    if (fresh == NULL || fresh->server == NULL || fresh->hello_len == 0) {
        free_scratch(fresh);
        return NULL;
    }
    if (atomic_compare_exchange_strong(&shared, &found, fresh))
        return fresh;
    free_scratch(fresh);
    return found;
}

/* ---- the handshake ---- */

/* What the server in memory asks to have signed. */
struct question {
    uint16_t algorithm; /* SignatureScheme */
};

static enum ssl_private_key_result_t note_question(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                   uint16_t algorithm, const uint8_t *in, size_t in_len)
{
    struct question *question = SSL_get_app_data(ssl);
    (void)out;
    (void)out_len;
    (void)max_out;
    (void)in;
    (void)in_len;
    question->algorithm = algorithm;
    return ssl_private_key_retry;
}

static enum ssl_private_key_result_t wait_forever(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)max_out;
    return ssl_private_key_retry;
}

static enum ssl_private_key_result_t decrypt_nothing(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                     const uint8_t *in, size_t in_len)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)max_out;
    (void)in;
    (void)in_len;
    return ssl_private_key_failure;
}

static const SSL_PRIVATE_KEY_METHOD method = {
    .sign = note_question, .decrypt = decrypt_nothing, .complete = wait_forever};

static bool connect_buffers(SSL *ssl, const struct scratch *scratch)
{
    BIO *in = BIO_new_mem_buf(scratch->hello, (int)scratch->hello_len);
    BIO *out = BIO_new(BIO_s_mem());
    if (in != NULL && out != NULL) {
        SSL_set_bio(ssl, in, out);
        return true;
    }
    BIO_free(in);
    BIO_free(out);
    return false;
}

/*
 * Whether a server of this version comes as far as to ask for a signature. If not, the queue has the
 * error.
 */
static bool asks_for_signature(const struct scratch *scratch, const struct tls_certificate *certificate,
                               uint16_t version, struct question *question)
{
    SSL *ssl = SSL_new(scratch->server);
    bool ok = ssl != NULL && SSL_set_max_proto_version(ssl, version) && SSL_set_app_data(ssl, question) &&
              SSL_set_chain_and_key(ssl, certificate->chain, certificate->chain_len, NULL, &method) &&
              connect_buffers(ssl, scratch);
    if (ok) {
        SSL_set_accept_state(ssl);
        int result = SSL_do_handshake(ssl);
        ok = SSL_get_error(ssl, result) == SSL_ERROR_WANT_PRIVATE_KEY_OPERATION;
    }
    SSL_free(ssl);
    return ok;
}

/* ---- the signature ---- */

static bool set_padding(EVP_PKEY_CTX *context, uint16_t algorithm)
{
    return !SSL_is_signature_algorithm_rsa_pss(algorithm) ||
           (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(context, -1));
}

static bool sign_and_verify(EVP_PKEY *private_key, X509 *leaf, uint16_t algorithm)
{
    static const uint8_t input[] = "what is signed to see whether the key can";
    uint8_t signature[SIGNATURE_MAX];
    size_t len = sizeof signature;
    const EVP_MD *digest = SSL_get_signature_algorithm_digest(algorithm);
    EVP_PKEY *public_key = X509_get_pubkey(leaf);
    EVP_PKEY_CTX *padding = NULL;
    EVP_MD_CTX signing;
    EVP_MD_CTX verifying;
    EVP_MD_CTX_init(&signing);
    EVP_MD_CTX_init(&verifying);
    bool ok =
        EVP_DigestSignInit(&signing, &padding, digest, NULL, private_key) &&
        set_padding(padding, algorithm) && EVP_DigestSign(&signing, signature, &len, input, sizeof input) &&
        EVP_DigestVerifyInit(&verifying, &padding, digest, NULL, public_key) &&
        set_padding(padding, algorithm) && EVP_DigestVerify(&verifying, signature, len, input, sizeof input);
    EVP_MD_CTX_cleanup(&signing);
    EVP_MD_CTX_cleanup(&verifying);
    EVP_PKEY_free(public_key);
    return ok;
}

const char *tls_trial_run(const struct tls_certificate *certificate, X509 *leaf)
{
    static const uint16_t versions[] = {TLS_1_2, TLS_1_3};
    const struct scratch *scratch = get_scratch();
    struct question question = {0};
    bool ok = scratch != NULL;
    ERR_clear_error();
    for (size_t i = 0; ok && i < ARRAY_LEN(versions); i++)
        ok = asks_for_signature(scratch, certificate, versions[i], &question);
    ok = ok && (certificate->keys != NULL || sign_and_verify(certificate->key, leaf, question.algorithm));
    const char *reason = ok ? NULL : scratch != NULL ? tls_library_error() : "out of memory";
    ERR_clear_error();
    return reason;
}
