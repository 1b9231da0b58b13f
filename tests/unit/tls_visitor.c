/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls_visitor.h"

#include "tls/endpoint/tls_endpoint.h"

#include <check.h>
#include <string.h>

enum { FLIGHT_MAX = 16 * 1024 };

static enum ssl_verify_result_t accept_any(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION **kept = SSL_get_app_data(ssl);
    SSL_SESSION_free(*kept);
    *kept = session;
    return 1; /* ours from here on */
}

static SSL_CTX *client_ctx(uint16_t version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_with_buffers_method());
    ck_assert_ptr_nonnull(ctx);
    SSL_CTX_set_custom_verify(ctx, SSL_VERIFY_PEER, accept_any);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    ck_assert(SSL_CTX_set_min_proto_version(ctx, version));
    ck_assert(SSL_CTX_set_max_proto_version(ctx, version));
    return ctx;
}

static void bring(SSL *client, struct tls_io *io)
{
    struct slice answer = tls_io_output(io);
    ck_assert_int_eq(BIO_write(SSL_get_rbio(client), answer.data, (int)answer.len), (int)answer.len);
    tls_io_reset(io);
}

/* Delivers all that the client has sent, and the answers. True if there was something. */
static bool exchange(SSL *client, struct tls_endpoint *server, struct tls_io *io)
{
    static _Thread_local uint8_t flight[FLIGHT_MAX];
    static _Thread_local uint8_t plain[FLIGHT_MAX + TLS_PLAIN_SLACK];
    int len = BIO_read(SSL_get_wbio(client), flight, sizeof flight);
    if (len <= 0)
        return false;
    tls_endpoint_receive(server, (struct slice){flight, (size_t)len}, plain);
    bring(client, io);
    return true;
}

static void converse(SSL *client, struct tls_endpoint *server, struct tls_io *io)
{
    uint8_t octet;
    do
        SSL_read(client, &octet, 1); /* shakes hands, and takes tickets */
    while (exchange(client, server, io));
    ck_assert(!SSL_in_init(client));
    ck_assert_int_eq(tls_endpoint_state(server), TLS_OPEN);
    /* A ticket of TLS 1.3 is sent with the first octets of the server. */
    struct slice greeting = slice_of("+");
    ck_assert(tls_endpoint_seal(server, &greeting, 1));
    bring(client, io);
    ck_assert_int_eq(SSL_read(client, &octet, 1), 1);
    ck_assert_int_eq(octet, '+');
    ck_assert_int_eq(SSL_session_reused(client), tls_endpoint_info(server).resumed);
}

static void take_ticket(struct tls_visit *visit)
{
    const uint8_t *ticket;
    size_t len;
    if (visit->session == NULL)
        return;
    SSL_SESSION_get0_ticket(visit->session, &ticket, &len);
    if (len < sizeof visit->key_name) {
        SSL_SESSION_free(visit->session);
        visit->session = NULL;
        return;
    }
    memcpy(visit->key_name, ticket, sizeof visit->key_name);
    /* In TLS 1.3 it is no hint, and the client keeps to it. */
    visit->lifetime = SSL_SESSION_get_protocol_version(visit->session) == TLS_1_3
                          ? SSL_SESSION_get_timeout(visit->session)
                          : SSL_SESSION_get_ticket_lifetime_hint(visit->session);
}

struct tls_visit tls_visit(struct tls_context *server, uint16_t version, const char *name,
                           SSL_SESSION *session)
{
    struct tls_visit visit = {0};
    struct tls_io *io = tls_io_new(FLIGHT_MAX);
    struct tls_endpoint *endpoint = tls_endpoint_new_server(server, io, NULL);
    SSL_CTX *ctx = client_ctx(version);
    SSL *client = SSL_new(ctx);
    ck_assert(endpoint != NULL && client != NULL);
    SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client);
    SSL_set_app_data(client, &visit.session);
    ck_assert(name == NULL || SSL_set_tlsext_host_name(client, name));
    ck_assert(session == NULL || SSL_set_session(client, session));
    converse(client, endpoint, io);
    visit.resumed = SSL_session_reused(client) != 0;
    take_ticket(&visit);
    SSL_free(client);
    SSL_CTX_free(ctx);
    tls_endpoint_free(&endpoint);
    tls_io_free(&io);
    return visit;
}

bool tls_visit_resumes(struct tls_context *server, uint16_t version, const char *name, SSL_SESSION *session)
{
    struct tls_visit visit = tls_visit(server, version, name, session);
    SSL_SESSION_free(visit.session);
    return visit.resumed;
}
