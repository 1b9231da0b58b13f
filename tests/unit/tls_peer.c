/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls_peer.h"

#include <openssl/aead.h>
#include <openssl/bio.h>
#include <openssl/err.h>

#include <check.h>
#include <string.h>

enum { SEALED_CAP = 600 * 1024, HELD_MAX = 8 * 1024 * 1024, HEADER = 5, KEY = 16, SALT = 4, NONCE = 12 };

static uint8_t plain[HELD_MAX + TLS_PLAIN_SLACK];

static enum ssl_verify_result_t accept_any(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

static uint16_t or_default(uint16_t version, uint16_t otherwise)
{
    return version != 0 ? version : otherwise;
}

static void open_client(struct tls_peer *peer, const struct tls_pair_settings *settings)
{
    SSL_CTX *context = SSL_CTX_new(TLS_with_buffers_method());
    ck_assert_ptr_nonnull(context);
    SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER, accept_any);
    ck_assert(SSL_CTX_set_min_proto_version(context, or_default(settings->client_min, TLS_1_2)));
    ck_assert(SSL_CTX_set_max_proto_version(context, or_default(settings->client_max, TLS_1_3)));
    peer->client_context = context;
    peer->client = SSL_new(context);
    ck_assert_ptr_nonnull(peer->client);
    SSL_set_connect_state(peer->client);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    ck_assert(in != NULL && out != NULL);
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(peer->client, in, out);
}

void tls_peer_open(struct tls_peer *peer, const struct tls_pair_settings *settings)
{
    *peer = (struct tls_peer){0};
    peer->context = tls_pair_server_context(settings);
    peer->io = tls_io_new(SEALED_CAP);
    peer->service = (struct tls_service_settings){settings->server_protocols, settings->clients};
    peer->server = tls_endpoint_new_server(peer->context, peer->io, &peer->service);
    ck_assert(peer->io != NULL && peer->server != NULL);
    open_client(peer, settings);
}

void tls_peer_close(struct tls_peer *peer)
{
    SSL_free(peer->client);
    SSL_CTX_free(peer->client_context);
    tls_endpoint_free(&peer->server);
    tls_io_free(&peer->io);
    tls_context_unref(&peer->context);
    bytes_free(&peer->to_server);
    bytes_free(&peer->plain);
}

void tls_peer_collect(struct tls_peer *peer)
{
    const uint8_t *data;
    size_t len;
    BIO *out = SSL_get_wbio(peer->client);
    ck_assert(BIO_mem_contents(out, &data, &len));
    ck_assert(bytes_append(&peer->to_server, (struct slice){data, len}, HELD_MAX));
    BIO_reset(out);
}

void tls_peer_shake(struct tls_peer *peer)
{
    SSL_do_handshake(peer->client);
    ERR_clear_error();
    tls_peer_collect(peer);
}

void tls_peer_give(struct tls_peer *peer, struct slice octets)
{
    size_t got = tls_endpoint_receive(peer->server, octets, plain);
    ck_assert_uint_le(got, octets.len + TLS_PLAIN_SLACK);
    ck_assert(bytes_append(&peer->plain, (struct slice){plain, got}, HELD_MAX));
    struct slice answer = tls_io_output(peer->io);
    peer->answered += answer.len;
    if (answer.len > 0)
        ck_assert(BIO_write(SSL_get_rbio(peer->client), answer.data, (int)answer.len) == (int)answer.len);
    tls_io_reset(peer->io);
}

void tls_peer_deliver(struct tls_peer *peer, size_t count)
{
    tls_peer_give(peer, slice_first(bytes_view(&peer->to_server), count));
    bytes_drop(&peer->to_server, count);
}

void tls_peer_connect(struct tls_peer *peer)
{
    for (int flights = 0; flights < 4; flights++) {
        tls_peer_shake(peer);
        tls_peer_deliver(peer, peer->to_server.len);
    }
    ck_assert_int_eq(tls_endpoint_state(peer->server), TLS_OPEN);
    ck_assert(SSL_is_init_finished(peer->client));
}

/* RFC 5246 section 6.3 and RFC 5288 section 3. */
size_t tls_peer_forge(struct tls_peer *peer, uint8_t type, struct slice inner, uint64_t sequence,
                      uint8_t *into)
{
    uint8_t keys[2 * KEY + 2 * SALT];
    uint8_t nonce[NONCE];
    uint8_t data[13];
    size_t sealed;
    ck_assert_uint_eq(SSL_get_key_block_len(peer->client), sizeof keys);
    ck_assert(SSL_generate_key_block(peer->client, keys, sizeof keys));
    for (int i = 0; i < 8; i++)
        data[i] = (uint8_t)(sequence >> (56 - 8 * i));
    memcpy(nonce, keys + 2 * KEY, SALT);
    memcpy(nonce + SALT, data, 8);
    memcpy(data + 8, (uint8_t[]){type, 3, 3, (uint8_t)(inner.len >> 8), (uint8_t)inner.len}, HEADER);
    EVP_AEAD_CTX aead;
    ck_assert(EVP_AEAD_CTX_init(&aead, EVP_aead_aes_128_gcm(), keys, KEY, EVP_AEAD_DEFAULT_TAG_LENGTH, NULL));
    ck_assert(EVP_AEAD_CTX_seal(&aead, into + HEADER + 8, &sealed, 1024 - HEADER - 8, nonce, NONCE,
                                inner.data, inner.len, data, sizeof data));
    EVP_AEAD_CTX_cleanup(&aead);
    memcpy(into, (uint8_t[]){type, 3, 3, (uint8_t)((sealed + 8) >> 8), (uint8_t)(sealed + 8)}, HEADER);
    memcpy(into + HEADER, nonce + SALT, 8);
    return HEADER + 8 + sealed;
}
