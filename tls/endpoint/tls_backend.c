/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_backend.h"

#include "base/array.h"

#include "tls/certificates/tls_certificate.h"
#include "tls/endpoint/tls_context_private.h"
#include "tls/endpoint/tls_peer.h"
#include "tls/tls_report.h"
#include "tls/trust/tls_trust.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdlib.h>
#include <string.h>

/* RFC 9325 section 4.2 less DHE, which BoringSSL does not have; the server chooses. */
#define CIPHERS_RFC9325                                                                                      \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                             \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                                             \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"

/*
 * What servers of TLS 1.0 and 1.1 have; the oldest know no elliptic curves, and some nothing but 3DES. Only
 * for pools whose operator allows these versions.
 */
#define CIPHERS_OLD                                                                                          \
    ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:"              \
    "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA:DES-CBC3-SHA"

struct tls_resumption_slot {
    struct kept_session {
        SSL_SESSION *session;
        int64_t valid_until;
    } kept[TLS_RESUMPTION_KEPT]; /* the newest first */
    uint64_t owner;              /* the server's */
    bool paused;
    int64_t paused_until; /* seconds since 1970; 0: the pause begins with the next session */
};

struct tls_resumption {
    struct tls_context *context; /* owns the memory of the certificates in the sessions */
    size_t count;
    struct tls_resumption_slot slots[];
};

/* ---- the peer ---- */

struct tls_peer *tls_peer_new(const char *name, struct tls_resumption_slot *slot, uint64_t owner)
{
    struct tls_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return NULL;
    peer->name = name;
    peer->slot = slot;
    peer->owner = owner;
    peer->valid_until = INT64_MAX; /* as long as nothing is verified */
    return peer;
}

void tls_peer_free(struct tls_peer **peer)
{
    if (*peer == NULL)
        return;
    free((*peer)->failure);
    free(*peer);
    *peer = NULL;
}

#define NO_VERSION                                                                                           \
    "the server has no TLS version in common; min_version of the pool may be lower, for one that can't be "  \
    "updated"

/* The failures that an operator sees if a server, or the path to it, is set up differently. */
static const struct peer_failure {
    int reason;
    const char *text;
} peer_failures[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "the server does not speak TLS on this port, or expects STARTTLS first"},
    {SSL_R_UNSUPPORTED_PROTOCOL, NO_VERSION},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, NO_VERSION},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
     "the server has no cipher suite in common, or wants a client certificate"},
    {SSL_R_TLSV1_ALERT_CERTIFICATE_REQUIRED, "the server wants a client certificate"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the server does not know the issuer of the proxy's client certificate"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the server does not accept the proxy's client certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the server does not accept the proxy's client certificate"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "the server does not accept the proxy's client certificate"},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, "the server does not accept the proxy's client certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the server finds the proxy's client certificate expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "the server finds the proxy's client certificate revoked"},
    {SSL_R_TLSV1_ALERT_UNRECOGNIZED_NAME, "the server does not know the name that it is asked for (SNI)"},
    {SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, "the server speaks another protocol on this port (ALPN)"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record was damaged or forged on its way"},
    {SSL_R_PRIVATE_KEY_OPERATION_FAILED, TLS_NO_SIGNATURE},
};

const char *tls_peer_failure(int reason)
{
    for (size_t i = 0; i < ARRAY_LEN(peer_failures); i++)
        if (peer_failures[i].reason == reason)
            return peer_failures[i].text;
    return NULL;
}

bool tls_endpoint_server_is_untrusted(const struct tls_endpoint *endpoint)
{
    const struct tls_peer *peer = tls_endpoint_peer_of(endpoint);
    return peer != NULL && peer->untrusted;
}

/* ---- the context ---- */

static enum ssl_verify_result_t verify(SSL *ssl, uint8_t *alert)
{
    struct tls_peer *peer = tls_endpoint_peer(ssl);
    struct tls_verdict verdict;
    if (peer == NULL)
        return ssl_verify_invalid;
    peer->sent_certificate = true;
    if (tls_trust_verify(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)), SSL_get0_peer_certificates(ssl),
                         peer->name, &verdict)) {
        peer->valid_until = verdict.valid_until;
        return ssl_verify_ok;
    }
    *alert = verdict.alert;
    peer->untrusted = true;
    peer->failure = strdup(verdict.reason);
    tls_endpoint_set_failure(ssl,
                             peer->failure != NULL ? peer->failure : "the server's certificate is not valid");
    return ssl_verify_invalid;
}

static enum ssl_verify_result_t accept_any(SSL *ssl, uint8_t *alert)
{
    (void)alert;
    struct tls_peer *peer = tls_endpoint_peer(ssl);
    if (peer != NULL) {
        peer->sent_certificate = true;
        peer->valid_until = INT64_MAX;
    }
    return ssl_verify_ok;
}

/* `now` is the time of a session, as there is no other clock here. */
static bool is_paused(struct tls_resumption_slot *slot, int64_t now)
{
    if (slot->paused && slot->paused_until == 0)
        slot->paused_until = now + TLS_RESUMPTION_PAUSE;
    slot->paused = slot->paused && now < slot->paused_until;
    return slot->paused;
}

/* Returns 1 if it keeps the session, and 0 if the library is to free it. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_peer *peer = tls_endpoint_peer(ssl);
    if (peer == NULL || peer->slot == NULL || peer->slot->owner != peer->owner ||
        !SSL_SESSION_is_resumable(session))
        return 0;
    int64_t now = (int64_t)SSL_SESSION_get_time(session);
    int64_t left = peer->valid_until - now;
    if (left <= 0 || is_paused(peer->slot, now))
        return 0;
    if (left < SSL_SESSION_get_timeout(session))
        SSL_SESSION_set_timeout(session, (uint32_t)left);
    struct kept_session *kept = peer->slot->kept;
    SSL_SESSION_free(kept[TLS_RESUMPTION_KEPT - 1].session);
    memmove(kept + 1, kept, (TLS_RESUMPTION_KEPT - 1) * sizeof kept[0]);
    kept[0] = (struct kept_session){session, peer->valid_until};
    return 1;
}

static struct tls_trust *trust_of(const struct tls_context *context)
{
    return SSL_CTX_get_app_data(tls_context_ssl_ctx(context));
}

/* A reference; NULL after an error was reported. */
static struct tls_trust *get_trust(const struct tls_backend_settings *settings,
                                   const struct tls_report *report)
{
    const char *ca = settings->verify ? settings->ca : NULL;
    for (size_t i = 0; i < settings->other_count; i++)
        if (tls_trust_is_of(trust_of(settings->others[i]), ca))
            return tls_trust_ref(trust_of(settings->others[i]));
    return tls_trust_new(ca, report);
}

static bool is_same_own(const struct tls_certificate *certificate,
                        const struct tls_backend_settings *settings, int64_t now)
{
    return text_is_same(certificate->files.chain, settings->own.chain) &&
           text_is_same(certificate->files.key, settings->own.key) &&
           text_is_same(certificate->files.passphrase, settings->own.passphrase) &&
           certificate->keys == settings->keys && tls_certificate_is_fresh(certificate, NULL, now);
}

/*
 * False after an error was reported. `*own` becomes a reference, or NULL if the settings have no certificate.
 */
static bool get_own_certificate(const struct tls_backend_settings *settings, const struct tls_report *report,
                                struct tls_certificate **own)
{
    struct tls_key_use use = {settings->keys, TLS_KEY_OF_CLIENT};
    *own = NULL;
    if (settings->own.chain == NULL)
        return true;
    for (size_t i = 0; i < settings->other_count && *own == NULL; i++) {
        struct tls_certificate *other = tls_context_own(settings->others[i]);
        if (other != NULL && is_same_own(other, settings, report->now))
            *own = tls_certificate_ref(other);
    }
    if (*own == NULL)
        *own = tls_certificate_load(&settings->own, &use, TLS_BACKEND_OWN_CERTIFICATE, report);
    return *own != NULL;
}

static bool set_up(SSL_CTX *ctx, struct tls_trust *trust, const struct tls_backend_settings *settings,
                   const struct tls_report *report)
{
    SSL_CTX_set_app_data(ctx, trust);
    SSL_CTX_set0_buffer_pool(ctx, tls_trust_pool(trust));
    SSL_CTX_set_custom_verify(ctx, SSL_VERIFY_PEER, settings->verify ? verify : accept_any);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    bool old = settings->min_version < TLS_1_2;
    /* A library that has given a suite up leaves it out of a list that is not strict. */
    bool ok = SSL_CTX_set_min_proto_version(ctx, settings->min_version) &&
              SSL_CTX_set_max_proto_version(ctx, TLS_1_3) &&
              (old ? SSL_CTX_set_cipher_list(ctx, CIPHERS_RFC9325 CIPHERS_OLD)
                   : SSL_CTX_set_strict_cipher_list(ctx, CIPHERS_RFC9325));
    if (!ok)
        tls_report_add(report, TLS_NO_SOURCE, true, "TLS towards servers can't be set up: %s",
                       tls_library_error());
    return ok;
}

struct tls_context *tls_context_new_backend(const struct tls_backend_settings *settings,
                                            const struct tls_report *report)
{
    struct tls_trust *trust = get_trust(settings, report);
    struct tls_context *context = NULL;
    if (trust != NULL) {
        context = tls_context_new_trusting(trust);
        if (context == NULL)
            tls_report_add(report, TLS_NO_SOURCE, true, "no memory for a TLS context");
    }
    bool ok = context != NULL && set_up(tls_context_ssl_ctx(context), trust, settings, report);
    /* Read even after an error, so that the problems of both files are reported at once. */
    struct tls_certificate *own;
    ok = get_own_certificate(settings, report, &own) && ok;
    if (context != NULL)
        tls_context_set_own(context, own);
    else
        tls_certificate_unref(&own);
    if (!ok)
        tls_context_unref(&context);
    return context;
}

bool tls_context_backend_is_fresh(const struct tls_context *context, int64_t now)
{
    const struct tls_certificate *own = tls_context_own(context);
    return tls_trust_is_fresh(trust_of(context)) && (own == NULL || tls_certificate_is_fresh(own, NULL, now));
}

/* ---- sessions ---- */

struct tls_resumption *tls_resumption_new(struct tls_context *context, size_t slots)
{
    struct tls_resumption *resumption = calloc(1, sizeof *resumption + slots * sizeof resumption->slots[0]);
    if (resumption == NULL)
        return NULL;
    resumption->context = tls_context_ref(context);
    resumption->count = slots;
    return resumption;
}

static void forget_sessions(struct tls_resumption_slot *slot)
{
    for (size_t i = 0; i < TLS_RESUMPTION_KEPT; i++) {
        SSL_SESSION_free(slot->kept[i].session);
        slot->kept[i] = (struct kept_session){0};
    }
}

void tls_resumption_free(struct tls_resumption **resumption)
{
    if (*resumption == NULL)
        return;
    for (size_t i = 0; i < (*resumption)->count; i++)
        forget_sessions(&(*resumption)->slots[i]);
    tls_context_unref(&(*resumption)->context);
    free(*resumption);
    *resumption = NULL;
}

/* The newest session, which the caller then owns; NULL in `session` if there is none. */
static struct kept_session take_session(struct tls_resumption_slot *slot)
{
    struct kept_session newest = {NULL, INT64_MAX};
    if (slot == NULL || slot->kept[0].session == NULL)
        return newest;
    newest = slot->kept[0];
    if (!SSL_SESSION_should_be_single_use(newest.session)) {
        SSL_SESSION_up_ref(newest.session);
        return newest;
    }
    memmove(slot->kept, slot->kept + 1, (TLS_RESUMPTION_KEPT - 1) * sizeof slot->kept[0]);
    slot->kept[TLS_RESUMPTION_KEPT - 1] = (struct kept_session){0};
    return newest;
}

static struct tls_resumption_slot *slot_of(const struct tls_backend_server *server)
{
    struct tls_resumption *resumption = server->resumption;
    if (resumption == NULL || server->slot >= resumption->count)
        return NULL;
    struct tls_resumption_slot *slot = &resumption->slots[server->slot];
    if (slot->owner != server->owner) {
        forget_sessions(slot);
        *slot = (struct tls_resumption_slot){.owner = server->owner};
    }
    return slot;
}

struct tls_endpoint *tls_endpoint_new_backend(struct tls_context *context, struct tls_io *io,
                                              const struct tls_backend_server *server)
{
    const char *sni = tls_trust_is_address(server->name) ? NULL : server->name; /* RFC 6066 section 3 */
    struct tls_endpoint *endpoint = tls_endpoint_new_client(context, io, sni, server->protocols);
    struct tls_peer *peer = tls_peer_new(server->name, slot_of(server), server->owner);
    if (endpoint == NULL || peer == NULL) {
        tls_peer_free(&peer);
        tls_endpoint_free(&endpoint);
        return NULL;
    }
    struct kept_session kept = take_session(peer->slot);
    peer->valid_until = kept.valid_until;
    peer->offered_session = kept.session != NULL;
    tls_endpoint_set_peer(endpoint, peer, kept.session);
    SSL_SESSION_free(kept.session);
    return endpoint;
}

bool tls_endpoint_give_up_resumption(struct tls_endpoint *endpoint)
{
    struct tls_peer *peer = tls_endpoint_peer_of(endpoint);
    if (peer == NULL || !peer->offered_session || peer->sent_certificate)
        return false;
    peer->offered_session = false;
    if (peer->slot->owner != peer->owner)
        return true;
    forget_sessions(peer->slot);
    peer->slot->paused = true;
    peer->slot->paused_until = 0;
    return true;
}
