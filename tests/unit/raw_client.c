/* SPDX-License-Identifier: BSD-2-Clause */
#include "raw_client.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pool.h>

#include <check.h>

enum { CHUNK = 16 * 1024, CHAIN_MAX = 10 };

static struct raw_client *of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int on_asked(SSL *ssl, void *arg)
{
    (void)arg;
    struct raw_client *client = of(ssl);
    const STACK_OF(CRYPTO_BUFFER) *names = SSL_get0_server_requested_CAs(ssl);
    client->was_asked = true;
    client->asked_names = names != NULL ? sk_CRYPTO_BUFFER_num(names) : 0;
    return 1;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct raw_client *client = of(ssl);
    SSL_SESSION_free(client->session);
    client->session = session;
    return 1;
}

static void on_info(const SSL *ssl, int type, int value)
{
    if (type == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
        of(ssl)->alert = value & 0xff;
}

static enum ssl_verify_result_t accept_any(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

static CRYPTO_BUFFER *der_of(const struct identity *identity)
{
    uint8_t *der = NULL;
    int len = i2d_X509(identity->certificate, &der);
    ck_assert_int_gt(len, 0);
    CRYPTO_BUFFER *buffer = CRYPTO_BUFFER_new(der, (size_t)len, NULL);
    OPENSSL_free(der);
    return buffer;
}

/*
 * The library looks whether the key is the certificate's: a thief signs with another one by a method of his
 * own.
 */
static enum ssl_private_key_result_t sign_by_thief(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out,
                                                   uint16_t algorithm, const uint8_t *in, size_t in_len)
{
    EVP_MD_CTX context;
    EVP_PKEY *key = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 1);
    (void)algorithm;
    EVP_MD_CTX_init(&context);
    *out_len = max_out;
    ck_assert(EVP_DigestSignInit(&context, NULL, EVP_sha256(), NULL, key));
    ck_assert(EVP_DigestSign(&context, out, out_len, in, in_len));
    EVP_MD_CTX_cleanup(&context);
    return ssl_private_key_success;
}

static enum ssl_private_key_result_t no_more(SSL *ssl, uint8_t *out, size_t *out_len, size_t max_out)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)max_out;
    return ssl_private_key_failure;
}

static void set_identity(SSL_CTX *ctx, const struct raw_client_settings *settings)
{
    static const SSL_PRIVATE_KEY_METHOD thief = {.sign = sign_by_thief, .complete = no_more};
    CRYPTO_BUFFER *chain[CHAIN_MAX] = {der_of(settings->identity)};
    size_t count = 1;
    for (size_t i = 0; i < 9 && settings->chain[i] != NULL; i++)
        chain[count++] = der_of(settings->chain[i]);
    bool stolen = settings->key_of != NULL;
    ck_assert(SSL_CTX_set_chain_and_key(ctx, chain, count, stolen ? NULL : settings->identity->key,
                                        stolen ? &thief : NULL));
    if (stolen)
        ck_assert(SSL_CTX_set_ex_data(ctx, 1, settings->key_of->key));
    while (count > 0)
        CRYPTO_BUFFER_free(chain[--count]);
}

static void open_client(struct raw_client *client, const struct raw_client_settings *settings)
{
    *client = (struct raw_client){.ctx = SSL_CTX_new(TLS_with_buffers_method())};
    ck_assert_ptr_nonnull(client->ctx);
    SSL_CTX_set_app_data(client->ctx, client);
    ck_assert(SSL_CTX_set_min_proto_version(client->ctx, settings->version) &&
              SSL_CTX_set_max_proto_version(client->ctx, settings->version));
    SSL_CTX_set_custom_verify(client->ctx, SSL_VERIFY_PEER, accept_any);
    SSL_CTX_set_cert_cb(client->ctx, on_asked, NULL);
    SSL_CTX_set_info_callback(client->ctx, on_info);
    SSL_CTX_set_session_cache_mode(client->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client->ctx, on_session);
    if (settings->identity != NULL)
        set_identity(client->ctx, settings);
    client->ssl = SSL_new(client->ctx);
    SSL_set_bio(client->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(client->ssl), -1);
    SSL_set_connect_state(client->ssl);
    if (settings->session != NULL)
        ck_assert(SSL_set_session(client->ssl, settings->session));
    if (settings->server_name != NULL)
        ck_assert(SSL_set_tlsext_host_name(client->ssl, settings->server_name));
}

static bool take_from_client(struct raw_client *client, struct tls_endpoint *server)
{
    static uint8_t plain[CHUNK + TLS_PLAIN_SLACK];
    uint8_t sealed[CHUNK];
    int len = BIO_read(SSL_get_wbio(client->ssl), sealed, sizeof sealed);
    if (len <= 0)
        return false;
    tls_endpoint_receive(server, (struct slice){sealed, (size_t)len}, plain);
    return true;
}

static bool take_from_server(struct raw_client *client, struct tls_io *io)
{
    struct slice sealed = tls_io_output(io);
    if (sealed.len == 0)
        return false;
    ck_assert_int_eq(BIO_write(SSL_get_rbio(client->ssl), sealed.data, (int)sealed.len), (int)sealed.len);
    tls_io_reset(io);
    return true;
}

static void step(struct raw_client *client)
{
    uint8_t octets[64];
    if (!client->open)
        client->open = SSL_do_handshake(client->ssl) == 1;
    if (client->open)
        SSL_read(client->ssl, octets, sizeof octets);
    ERR_clear_error();
}

void raw_client_run(struct raw_client *client, const struct raw_client_settings *settings,
                    struct tls_endpoint *server, struct tls_io *io)
{
    bool moved = true;
    open_client(client, settings);
    while (moved) {
        step(client);
        moved = take_from_client(client, server);
        moved = take_from_server(client, io) || moved;
    }
    /*
     * In TLS 1.3 a server rejects the client after the client's handshake, and sends tickets after its first
     * data.
     */
    if (tls_endpoint_state(server) != TLS_OPEN)
        return;
    struct slice hello = {(const uint8_t *)"+OK\r\n", 5};
    ck_assert(tls_endpoint_seal(server, &hello, 1));
    take_from_server(client, io);
    step(client);
}

void raw_client_close(struct raw_client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
    SSL_SESSION_free(client->session);
}
