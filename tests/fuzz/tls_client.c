/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls_client.h"

#include "fuzz_check.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string.h>

enum { HEARD_MAX = 512 * 1024, KEY_UPDATES_MAX = 32 };

struct tls_client {
    SSL_CTX *context;
    SSL *ssl;
    SSL_SESSION *ticket;
    size_t written;
    size_t heard;
    unsigned key_updates; /* since it wrote last */
    bool is_immoderate;
    bool fits;
    bool has_closed;
    bool heard_goodbye;
};

static const uint16_t versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

static uint8_t heard[HEARD_MAX];

static enum ssl_verify_result_t accept_any(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *client = SSL_get_app_data(ssl);
    SSL_SESSION_free(client->ticket);
    client->ticket = session;
    return 1;
}

static void connect_to_memory(struct tls_client *client)
{
    client->ssl = SSL_new(client->context);
    check(client->ssl != NULL, "memory for the fuzzer itself");
    BIO *in = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    SSL_set_app_data(client->ssl, client);
    SSL_set_bio(client->ssl, in, BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client->ssl);
    if (client->ticket != NULL)
        SSL_set_session(client->ssl, client->ticket);
}

static bool offer_protocols(struct tls_client *client, unsigned which, bool server_has_protocol)
{
    static const char *const offers[] = {NULL, "\x04imap", "\x02h2", "\x02h2\x04imap"};
    const char *offer = offers[which % 4];
    if (offer != NULL)
        SSL_CTX_set_alpn_protos(client->context, (const uint8_t *)offer, (unsigned)strlen(offer));
    return which % 4 != 2 || !server_has_protocol;
}

struct tls_client *tls_client_new(uint8_t traits, uint16_t server_min, uint16_t server_max,
                                  bool server_has_protocol)
{
    struct tls_client *client = calloc(1, sizeof *client);
    check(client != NULL, "memory for the fuzzer itself");
    client->context = SSL_CTX_new(TLS_with_buffers_method());
    uint16_t one = versions[traits % 4];
    uint16_t other = versions[traits / 4 % 4];
    uint16_t min = one < other ? one : other;
    uint16_t max = one < other ? other : one;
    SSL_CTX_set_min_proto_version(client->context, min);
    SSL_CTX_set_max_proto_version(client->context, max);
    SSL_CTX_set_custom_verify(client->context, SSL_VERIFY_PEER, accept_any);
    SSL_CTX_set_session_cache_mode(client->context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(client->context, keep_ticket);
    client->fits =
        offer_protocols(client, traits / 16u, server_has_protocol) && min <= server_max && max >= server_min;
    connect_to_memory(client);
    return client;
}

void tls_client_free(struct tls_client **client)
{
    SSL_free((*client)->ssl);
    SSL_SESSION_free((*client)->ticket);
    SSL_CTX_free((*client)->context);
    free(*client);
    *client = NULL;
}

void tls_client_restart(struct tls_client *client)
{
    SSL_free(client->ssl);
    client->written = client->heard = 0;
    client->key_updates = 0;
    client->is_immoderate = client->has_closed = client->heard_goodbye = false;
    connect_to_memory(client);
}

static void collect(struct tls_client *client, struct bytes *sent)
{
    const uint8_t *data;
    size_t len;
    ERR_clear_error();
    check(BIO_mem_contents(SSL_get_wbio(client->ssl), &data, &len), "what was sent");
    check(bytes_append(sent, (struct slice){data, len}, NO_LIMIT), "memory for the fuzzer itself");
    BIO_reset(SSL_get_wbio(client->ssl));
}

void tls_client_give(struct tls_client *client, struct slice octets)
{
    if (octets.len > 0)
        check(BIO_write(SSL_get_rbio(client->ssl), octets.data, (int)octets.len) == (int)octets.len,
              "memory");
}

struct slice tls_client_go_on(struct tls_client *client, struct bytes *sent)
{
    size_t len = 0;
    int got = SSL_do_handshake(client->ssl);
    while (got > 0 && len < sizeof heard) {
        got = SSL_read(client->ssl, heard + len, (int)(sizeof heard - len));
        if (got > 0)
            len += (size_t)got;
    }
    client->heard_goodbye = (SSL_get_shutdown(client->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    collect(client, sent);
    client->heard += len;
    return (struct slice){heard, len};
}

void tls_client_write(struct tls_client *client, struct slice plain, struct bytes *sent)
{
    if (!SSL_is_init_finished(client->ssl) || client->has_closed || plain.len == 0)
        return;
    /*
     * Not all of it where the connection has failed: then it counts as if it were, and nothing of it may
     * arrive.
     */
    SSL_write(client->ssl, plain.data, (int)plain.len);
    client->written += plain.len;
    client->key_updates = 0;
    collect(client, sent);
}

void tls_client_close(struct tls_client *client, struct bytes *sent)
{
    if (!SSL_is_init_finished(client->ssl))
        return;
    SSL_shutdown(client->ssl);
    client->has_closed = true;
    collect(client, sent);
}

void tls_client_update_key(struct tls_client *client)
{
    if (!SSL_is_init_finished(client->ssl) || client->has_closed)
        return;
    SSL_key_update(client->ssl, SSL_KEY_UPDATE_REQUESTED);
    ERR_clear_error();
    client->is_immoderate = client->is_immoderate || ++client->key_updates > KEY_UPDATES_MAX;
}

size_t tls_client_written(const struct tls_client *client)
{
    return client->written;
}

size_t tls_client_heard(const struct tls_client *client)
{
    return client->heard;
}

bool tls_client_has_closed(const struct tls_client *client)
{
    return client->has_closed;
}

bool tls_client_heard_goodbye(const struct tls_client *client)
{
    return client->heard_goodbye;
}

bool tls_client_fits(const struct tls_client *client)
{
    return client->fits;
}

bool tls_client_is_immoderate(const struct tls_client *client)
{
    return client->is_immoderate;
}

bool tls_client_agrees(const struct tls_client *client, const char *version, bool resumed,
                       struct slice protocol)
{
    const uint8_t *agreed = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(client->ssl, &agreed, &len);
    return strcmp(SSL_get_version(client->ssl), version) == 0 &&
           (SSL_session_reused(client->ssl) != 0) == resumed &&
           slice_equals(protocol, (struct slice){agreed, len});
}
