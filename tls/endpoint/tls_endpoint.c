/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_endpoint.h"

#include "base/array.h"
#include "base/bytes.h"
#include "base/ensure.h"
#include "tls/trust/tls_client_check.h"
#include "tls/endpoint/tls_context_private.h"
#include "tls/endpoint/tls_explain.h"
#include "tls/endpoint/tls_peer.h"
#include "tls/endpoint/tls_signing.h"
#include "tls/endpoint/tls_usage.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A record: at most 2^14 octets of plaintext (RFC 8446 5.1); header, tag, padding and MAC of any suite below
 * this.
 */
#define RECORD_PLAIN    16384
#define RECORD_OVERHEAD 128
/* Alerts, tickets and KeyUpdate answers besides sealed data; the flights of a handshake with long chains. */
#define OUTPUT_SLACK (64 * 1024)

struct tls_io {
    BIO_METHOD *method;
    /* one for all endpoints of the thread: each holds a reference, and uses it only within a call */
    BIO *bio;
    struct slice given; /* the input of the call */
    struct slice input; /* what is left of it */
    size_t output_len;
    size_t output_cap;
    uint8_t stage[RECORD_PLAIN]; /* collects small slices for one record */
    uint8_t output[];
};

struct tls_endpoint {
    SSL *ssl;
    struct tls_io *io;
    struct tls_context *context;
    union {
        const struct tls_service_settings *service; /* of a server's endpoint */
        struct tls_peer *peer;                      /* of a client's; NULL: it accepts any server */
    };
    const char *failure;
    struct tls_signing *signing; /* while a signature is awaited; NULL otherwise */
    enum tls_state state;
    enum tls_failure failure_kind;
    uint32_t key; /* the number of the certificate's key, if that is somewhere else */
    bool sent_close;
    bool is_probe;
    union {
        struct tls_seen seen; /* in the handshake */
        char cipher_hex[7];   /* after it: for a suite that the library has no name for */
    };
};

/* ---- the BIO between the library and a thread's buffers ---- */

static int io_read(BIO *bio, char *into, int len)
{
    struct tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (io->input.len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    struct slice part = slice_first(io->input, (size_t)len);
    memcpy(into, part.data, part.len);
    io->input = slice_from(io->input, part.len);
    return (int)part.len;
}

static int io_write(BIO *bio, const char *from, int len)
{
    struct tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if ((size_t)len > io->output_cap - io->output_len)
        return -1;
    memcpy(io->output + io->output_len, from, (size_t)len);
    io->output_len += (size_t)len;
    return len;
}

static long io_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static bool make_bio(struct tls_io *io)
{
    io->method = BIO_meth_new(0, "deepproxy");
    if (io->method == NULL)
        return false;
    BIO_meth_set_read(io->method, io_read);
    BIO_meth_set_write(io->method, io_write);
    BIO_meth_set_ctrl(io->method, io_control);
    io->bio = BIO_new(io->method);
    if (io->bio == NULL)
        return false;
    BIO_set_data(io->bio, io);
    BIO_set_init(io->bio, 1);
    return true;
}

struct tls_io *tls_io_new(size_t sealed_cap)
{
    size_t cap = sealed_cap + OUTPUT_SLACK;
    struct tls_io *io = malloc(sizeof *io + cap);
    if (io == NULL)
        return NULL;
    memset(io, 0, sizeof *io);
    io->output_cap = cap;
    if (!make_bio(io))
        tls_io_free(&io);
    return io;
}

void tls_io_free(struct tls_io **io)
{
    if (*io == NULL)
        return;
    BIO_free((*io)->bio);
    BIO_meth_free((*io)->method);
    wipe((*io)->stage, sizeof(*io)->stage);
    free(*io);
    *io = NULL;
}

struct slice tls_io_output(const struct tls_io *io)
{
    return (struct slice){io->output, io->output_len};
}

void tls_io_reset(struct tls_io *io)
{
    io->output_len = 0;
}

size_t tls_sealed_bound(size_t octets, size_t slices)
{
    /* At worst each slice has records of its own, after the record that was begun before it. */
    size_t records = octets / RECORD_PLAIN + 2 * slices + 1;
    return octets + records * RECORD_OVERHEAD;
}

/* ---- life ---- */

static struct tls_endpoint *new_endpoint(struct tls_context *context, struct tls_io *io)
{
    struct tls_endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL)
        return NULL;
    endpoint->ssl = SSL_new(tls_context_ssl_ctx(context));
    if (endpoint->ssl == NULL) {
        ERR_clear_error();
        free(endpoint);
        return NULL;
    }
    endpoint->io = io;
    endpoint->context = tls_context_ref(context);
    BIO_up_ref(io->bio);
    SSL_set_bio(endpoint->ssl, io->bio, io->bio);
    SSL_set_shed_handshake_config(endpoint->ssl, 1);
    SSL_set_app_data(endpoint->ssl, endpoint);
    return endpoint;
}

struct tls_endpoint *tls_endpoint_new_server(struct tls_context *context, struct tls_io *io,
                                             const struct tls_service_settings *service)
{
    static const struct tls_service_settings none;
    struct tls_endpoint *endpoint = new_endpoint(context, io);
    if (endpoint == NULL)
        return NULL;
    endpoint->service = service != NULL ? service : &none;
    SSL_set_accept_state(endpoint->ssl);
    struct tls_client_trust *clients = endpoint->service->clients;
    if (clients != NULL && !tls_client_check_begin(endpoint->ssl, clients))
        tls_endpoint_free(&endpoint);
    return endpoint;
}

static bool set_offers(SSL *ssl, const char *name, const char *protocols)
{
    if (name != NULL && !SSL_set_tlsext_host_name(ssl, name))
        return false;
    /* This one function of the library returns 0 on success. */
    return protocols == NULL ||
           SSL_set_alpn_protos(ssl, (const uint8_t *)protocols, (unsigned)strlen(protocols)) == 0;
}

struct tls_endpoint *tls_endpoint_new_client(struct tls_context *context, struct tls_io *io, const char *name,
                                             const char *protocols)
{
    struct tls_endpoint *endpoint = new_endpoint(context, io);
    if (endpoint == NULL)
        return NULL;
    SSL_set_connect_state(endpoint->ssl);
    const struct tls_certificate *own = tls_context_own(context);
    if (!set_offers(endpoint->ssl, name, protocols) ||
        (own != NULL && !tls_signing_set_certificate(endpoint->ssl, own)))
        tls_endpoint_free(&endpoint);
    return endpoint;
}

void tls_endpoint_set_peer(struct tls_endpoint *endpoint, struct tls_peer *peer, SSL_SESSION *session)
{
    ENSURE(!SSL_is_server(endpoint->ssl) && endpoint->peer == NULL);
    endpoint->peer = peer;
    if (session != NULL)
        SSL_set_session(endpoint->ssl, session);
}

struct tls_peer *tls_endpoint_peer(const SSL *ssl)
{
    return tls_endpoint_peer_of(SSL_get_app_data(ssl));
}

struct tls_peer *tls_endpoint_peer_of(const struct tls_endpoint *endpoint)
{
    return SSL_is_server(endpoint->ssl) ? NULL : endpoint->peer;
}

/* Has a list of protocols this one? Both are in the form in which they are sent. */
static bool offers(struct slice list, struct slice protocol)
{
    while (list.len > 0) {
        size_t len = (size_t)list.data[0] + 1;
        if (slice_equals(slice_first(list, len), protocol))
            return true;
        list = slice_from(list, len);
    }
    return false;
}

int tls_endpoint_choose_protocol(SSL *ssl, const uint8_t **chosen, uint8_t *chosen_len,
                                 const uint8_t *offered, unsigned offered_len, void *arg)
{
    (void)arg;
    struct tls_endpoint *endpoint = SSL_get_app_data(ssl);
    const char *protocols = endpoint->service->protocols;
    endpoint->is_probe = offers((struct slice){offered, offered_len}, slice_of(TLS_PROBE_PROTOCOL));
    if (protocols == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    uint8_t *found = NULL;
    int result = SSL_select_next_proto(&found, chosen_len, (const uint8_t *)protocols,
                                       (unsigned)strlen(protocols), offered, offered_len);
    *chosen = found;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void tls_endpoint_free(struct tls_endpoint **endpoint)
{
    if (*endpoint == NULL)
        return;
    if (!SSL_is_server((*endpoint)->ssl))
        tls_peer_free(&(*endpoint)->peer);
    SSL_free((*endpoint)->ssl);
    tls_signing_free(&(*endpoint)->signing);
    tls_context_unref(&(*endpoint)->context);
    free(*endpoint);
    *endpoint = NULL;
}

/* ---- failures ---- */

/* What the library has read of this call's input. */
static struct slice read_part(const struct tls_io *io)
{
    return slice_first(io->given, io->given.len - io->input.len);
}

void tls_endpoint_set_failure(SSL *ssl, const char *reason)
{
    struct tls_endpoint *endpoint = SSL_get_app_data(ssl);
    endpoint->failure = reason;
}

static struct tls_failure_words explain(const struct tls_endpoint *endpoint)
{
    bool is_server = SSL_is_server(endpoint->ssl);
    struct tls_failed_call call = {
        .seen = endpoint->state == TLS_HANDSHAKING ? &endpoint->seen : NULL,
        .given = endpoint->io->given,
        .read = read_part(endpoint->io),
        .by_client = is_server,
        .by_server = !is_server && endpoint->peer != NULL,
    };
    return tls_explain(&call);
}

static void set_failed(struct tls_endpoint *endpoint)
{
    struct tls_failure_words words = explain(endpoint);
    if (endpoint->failure == NULL) {
        endpoint->failure = tls_client_check_failure(endpoint->ssl);
        if (endpoint->failure != NULL)
            endpoint->failure_kind = TLS_FAILURE_CLIENT_CERTIFICATE;
    }
    /* What was known earlier tells more. */
    if (endpoint->state == TLS_OPEN || endpoint->failure == NULL) {
        endpoint->failure = words.text;
        endpoint->failure_kind = words.kind;
    }
    endpoint->state = TLS_FAILED;
}

/* ---- data ---- */

static void set_closed(struct tls_endpoint *endpoint)
{
    const struct tls_failure_words *words = tls_failure_find(SSL_R_SSLV3_ALERT_CLOSE_NOTIFY);
    endpoint->failure = words->text;
    endpoint->failure_kind = words->kind;
    set_failed(endpoint);
}

/* Sets the state after a library call that did not succeed. */
static void apply_error(struct tls_endpoint *endpoint, int result)
{
    switch (SSL_get_error(endpoint->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return;
    case SSL_ERROR_WANT_PRIVATE_KEY_OPERATION:
        endpoint->state = TLS_AWAITS_SIGNATURE;
        return;
    case SSL_ERROR_ZERO_RETURN:
        if (endpoint->state == TLS_OPEN) {
            endpoint->state = TLS_PEER_CLOSED;
            return;
        }
        /* In a handshake a close_notify is not authenticated, and there is no session that it could end. */
        set_closed(endpoint);
        return;
    default:
        set_failed(endpoint);
    }
}

static void shake_hands(struct tls_endpoint *endpoint)
{
    int result = SSL_do_handshake(endpoint->ssl);
    if (result != 1) {
        apply_error(endpoint, result);
        return;
    }
    if (!tls_client_check_finish(endpoint->ssl)) {
        set_failed(endpoint);
        return;
    }
    endpoint->state = TLS_OPEN;
    /*
     * A context may have thousands of certificates, and be replaced: an open connection does not keep it
     * alive. A client does, as its server's certificates are in memory that the context owns.
     */
    if (SSL_is_server(endpoint->ssl))
        tls_context_unref(&endpoint->context);
    snprintf(endpoint->cipher_hex, sizeof endpoint->cipher_hex, "0x%04X",
             SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(endpoint->ssl)));
}

static size_t open_records(struct tls_endpoint *endpoint, uint8_t *plain, size_t cap)
{
    size_t len = 0;
    for (;;) {
        ENSURE(len < cap);
        int got = SSL_read(endpoint->ssl, plain + len, (int)(cap - len));
        if (got <= 0) {
            apply_error(endpoint, got);
            return len;
        }
        len += (size_t)got;
        /* The library reads no further than the record that it decrypts: without input it has no more. */
        if (endpoint->io->input.len == 0 && SSL_pending(endpoint->ssl) == 0)
            return len;
    }
}

/* The library must not be called before it has its signature, so what the peer sends is buffered. */
static void hold(struct tls_endpoint *endpoint, struct slice ciphertext)
{
    struct bytes *held = &endpoint->signing->held;
    if (bytes_append(held, ciphertext, TLS_HELD_MAX))
        return;
    if (ciphertext.len <= TLS_HELD_MAX - held->len)
        endpoint->failure = "no memory for what the peer sent during the handshake";
    else
        endpoint->failure = SSL_is_server(endpoint->ssl)
                                ? "client sent too much before the end of the handshake"
                                : "server sent too much before the end of the handshake";
    endpoint->state = TLS_FAILED;
}

static size_t take_in(struct tls_endpoint *endpoint, struct slice ciphertext, uint8_t *plain)
{
    struct tls_io *io = endpoint->io;
    size_t len = 0;
    io->given = io->input = ciphertext;
    if (endpoint->state == TLS_HANDSHAKING)
        shake_hands(endpoint);
    if (endpoint->state == TLS_HANDSHAKING || endpoint->state == TLS_AWAITS_SIGNATURE)
        tls_seen_note(&endpoint->seen, read_part(io)); /* a failure may be explained by it */
    if (endpoint->state == TLS_OPEN)
        len = open_records(endpoint, plain, ciphertext.len + TLS_PLAIN_SLACK);
    if (endpoint->state == TLS_AWAITS_SIGNATURE)
        hold(endpoint, io->input);
    io->given = io->input = (struct slice){NULL, 0};
    return len;
}

size_t tls_endpoint_receive(struct tls_endpoint *endpoint, struct slice ciphertext, uint8_t *plain)
{
    if (endpoint->state == TLS_FAILED || endpoint->state == TLS_PEER_CLOSED)
        return 0;
    return take_in(endpoint, ciphertext, plain);
}

/* ---- signatures made somewhere else ---- */

struct tls_signing **tls_endpoint_signing(const SSL *ssl)
{
    struct tls_endpoint *endpoint = SSL_get_app_data(ssl);
    return &endpoint->signing;
}

void tls_endpoint_set_key_number(const SSL *ssl, uint32_t number)
{
    struct tls_endpoint *endpoint = SSL_get_app_data(ssl);
    endpoint->key = number;
}

struct tls_sign_request tls_endpoint_sign_request(const struct tls_endpoint *endpoint)
{
    const struct tls_signing *signing = endpoint->signing;
    ENSURE(endpoint->state == TLS_AWAITS_SIGNATURE);
    return (struct tls_sign_request){
        .key = endpoint->key, .algorithm = signing->algorithm, .input = {signing->input, signing->input_len}};
}

size_t tls_endpoint_signed(struct tls_endpoint *endpoint, struct slice signature, uint8_t *plain)
{
    struct tls_signing *signing = endpoint->signing;
    ENSURE(endpoint->state == TLS_AWAITS_SIGNATURE);
    struct bytes held = signing->held;
    signing->held = (struct bytes){0};
    signing->progress = signature.len > 0 ? TLS_SIGNING_DONE : TLS_SIGNING_REFUSED;
    signing->signature = signature;
    endpoint->state = TLS_HANDSHAKING;
    size_t len = take_in(endpoint, bytes_view(&held), plain);
    bytes_free(&held);
    tls_signing_free(&endpoint->signing);
    return len;
}

void tls_endpoint_start(struct tls_endpoint *endpoint)
{
    if (endpoint->state == TLS_HANDSHAKING && !SSL_is_server(endpoint->ssl))
        shake_hands(endpoint);
}

static bool write_out(struct tls_endpoint *endpoint, const uint8_t *data, size_t len)
{
    if (len == 0 || SSL_write(endpoint->ssl, data, (int)len) == (int)len)
        return true;
    set_failed(endpoint);
    return false;
}

bool tls_endpoint_seal(struct tls_endpoint *endpoint, const struct slice *slices, size_t count)
{
    struct tls_io *io = endpoint->io;
    ENSURE(endpoint->state == TLS_OPEN || endpoint->state == TLS_PEER_CLOSED);
    size_t staged = 0;
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        struct slice s = slices[i];
        if (staged + s.len > RECORD_PLAIN || (staged == 0 && i + 1 == count)) {
            ok = write_out(endpoint, io->stage, staged);
            staged = 0;
        }
        if (staged == 0 && (s.len >= RECORD_PLAIN || i + 1 == count)) {
            ok = ok && write_out(endpoint, s.data, s.len);
        } else {
            memcpy(io->stage + staged, s.data, s.len);
            staged += s.len;
        }
    }
    return ok && write_out(endpoint, io->stage, staged);
}

void tls_endpoint_close(struct tls_endpoint *endpoint)
{
    if (endpoint->sent_close || (endpoint->state != TLS_OPEN && endpoint->state != TLS_PEER_CLOSED))
        return;
    endpoint->sent_close = true;
    SSL_shutdown(endpoint->ssl);
    ERR_clear_error();
}

/* ---- information ---- */

enum tls_state tls_endpoint_state(const struct tls_endpoint *endpoint)
{
    return endpoint->state;
}

const char *tls_endpoint_failure(const struct tls_endpoint *endpoint)
{
    return endpoint->state == TLS_FAILED ? endpoint->failure : NULL;
}

enum tls_failure tls_endpoint_failure_kind(const struct tls_endpoint *endpoint)
{
    if (endpoint->state != TLS_FAILED)
        return TLS_FAILURE_NONE;
    return endpoint->failure_kind != TLS_FAILURE_NONE ? endpoint->failure_kind : TLS_FAILURE_OTHER;
}

struct tls_info tls_endpoint_info(const struct tls_endpoint *endpoint)
{
    const SSL *ssl = endpoint->ssl;
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    if (cipher == NULL)
        return (struct tls_info){.server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)};
    const char *name = SSL_CIPHER_standard_name(cipher);
    const uint8_t *protocol = NULL;
    unsigned protocol_len = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &protocol_len);
    return (struct tls_info){.version = SSL_get_version(ssl),
                             .cipher = name != NULL ? name : endpoint->cipher_hex,
                             .openssl_cipher = SSL_CIPHER_get_name(cipher),
                             .server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
                             .protocol = {protocol, protocol_len},
                             .resumed = SSL_session_reused(ssl) != 0,
                             .is_probe = endpoint->is_probe,
                             .client_certificate = tls_client_check_certificate(ssl)};
}

struct tls_usage tls_endpoint_usage(const struct tls_endpoint *endpoint)
{
    const SSL *ssl = endpoint->ssl;
    return tls_usage_of((uint16_t)SSL_version(ssl), SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl)),
                        SSL_get_curve_id(ssl));
}
