/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/endpoint/tls_context.h"

#include "base/disposal.h"
#include "base/refcount.h"
#include "tls/endpoint/tls_backend.h"
#include "tls/endpoint/tls_context_private.h"
#include "tls/endpoint/tls_policy.h"
#include "tls/endpoint/tls_session_scope.h"
#include "tls/endpoint/tls_signing.h"
#include "tls/endpoint/tls_suites_check.h"
#include "tls/certificates/tls_store.h"
#include "tls/trust/tls_tlsa.h"
#include "tls/tickets/tls_ticket_cipher.h"
#include "tls/trust/tls_trust.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdlib.h>

struct tls_context {
    struct refcount references;
    struct disposal disposal; /* thousands of certificates take milliseconds to free */
    SSL_CTX *ssl_ctx;         /* has no certificate: each handshake gets the one that its name asks for */
    struct tls_store store;
    struct tls_ticket_keys *ticket_keys; /* NULL: the library's own */
    /* towards backends; NULL: this is a server's context, or verifies nothing */
    struct tls_trust *trust;
    struct tls_certificate *own; /* sent to servers that ask for one; NULL: none */
};

SSL_CTX *tls_context_ssl_ctx(const struct tls_context *context)
{
    return context->ssl_ctx;
}

static enum ssl_select_cert_result_t choose_certificate(const SSL_CLIENT_HELLO *hello)
{
    const struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(hello->ssl));
    if (!tls_policy_adapt(hello))
        return ssl_select_cert_error;
    const struct tls_certificate *chosen = tls_store_choose(&context->store, hello);
    /* With strict_sni acknowledge_name rejects the client, with the right alert. */
    return chosen == NULL || tls_signing_set_certificate(hello->ssl, chosen) ? ssl_select_cert_success
                                                                             : ssl_select_cert_error;
}

/*
 * RFC 6066 section 3: the server tells the client that it used the name, or that it does not know it. A
 * session is resumed only under its own name.
 */
static int acknowledge_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_context *context = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (tls_store_rejects(&context->store, name)) {
        OPENSSL_PUT_ERROR(SSL, SSL_R_TLSV1_UNRECOGNIZED_NAME);
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (!tls_session_scope_set(ssl, name)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return name != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int use_ticket_key(SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher, HMAC_CTX *mac,
                          int sealing)
{
    const struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    return tls_ticket_cipher_set(context->ticket_keys, name, iv, cipher, mac, sealing != 0);
}

static void set_tickets(struct tls_context *context, const struct tls_settings *settings)
{
    SSL_CTX *ctx = context->ssl_ctx;
    /*
     * One ticket for each handshake: a client that returns gets its next one then (RFC 8446 section 4.6.1).
     */
    SSL_CTX_set_num_tickets(ctx, 1);
    /* Tickets and no cache, so that a session takes no memory after its end. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, TLS_TICKET_LIFETIME);
    SSL_CTX_set_session_psk_dhe_timeout(ctx, TLS_TICKET_LIFETIME);
    if (!settings->session_tickets)
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    if (settings->ticket_keys == NULL)
        return;
    context->ticket_keys = tls_ticket_keys_ref(settings->ticket_keys);
    SSL_CTX_set_tlsext_ticket_key_cb(ctx, use_ticket_key);
}

static bool set_server(SSL_CTX *ctx, const struct tls_settings *settings, const struct tls_report *report)
{
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    return tls_policy_apply(ctx, settings, report);
}

static SSL_CTX *new_ssl_ctx(void)
{
    /* Certificates are DER buffers: X.509 is parsed when a file is loaded, never in a handshake. */
    SSL_CTX *ctx = SSL_CTX_new(TLS_with_buffers_method());
    if (ctx != NULL)
        SSL_CTX_set_alpn_select_cb(ctx, tls_endpoint_choose_protocol, NULL);
    return ctx;
}

static struct tls_context *new_context(void)
{
    struct tls_context *context = calloc(1, sizeof *context);
    if (context == NULL)
        return NULL;
    refcount_init(&context->references);
    context->ssl_ctx = new_ssl_ctx();
    if (context->ssl_ctx == NULL)
        tls_context_unref(&context);
    return context;
}

struct tls_context *tls_context_new_server(const struct tls_settings *settings,
                                           const struct tls_report *report)
{
    struct tls_context *context = new_context();
    if (context == NULL) {
        tls_report_add(report, TLS_NO_SOURCE, true, "no memory for a TLS context");
        return NULL;
    }
    set_tickets(context, settings);
    bool ok = set_server(context->ssl_ctx, settings, report);
    const struct tls_store *previous = settings->previous != NULL ? &settings->previous->store : NULL;
    ok = tls_store_load(&context->store, settings, previous, report) && ok;
    ok = ok && tls_suites_check(context->ssl_ctx, &context->store, report);
    SSL_CTX_set_app_data(context->ssl_ctx, context);
    SSL_CTX_set_select_certificate_cb(context->ssl_ctx, choose_certificate);
    SSL_CTX_set_tlsext_servername_callback(context->ssl_ctx, acknowledge_name);
    SSL_CTX_set_tlsext_servername_arg(context->ssl_ctx, context);
    if (!ok)
        tls_context_unref(&context);
    return context;
}

static enum ssl_verify_result_t accept_any(SSL *ssl, uint8_t *alert)
{
    (void)ssl;
    (void)alert;
    return ssl_verify_ok;
}

struct tls_context *tls_context_new_client(uint16_t min_version, uint16_t max_version)
{
    struct tls_context *context = new_context();
    if (context == NULL)
        return NULL;
    SSL_CTX_set_custom_verify(context->ssl_ctx, SSL_VERIFY_PEER, accept_any);
    if (!SSL_CTX_set_min_proto_version(context->ssl_ctx, min_version) ||
        !SSL_CTX_set_max_proto_version(context->ssl_ctx, max_version))
        tls_context_unref(&context);
    return context;
}

struct tls_context *tls_context_new_trusting(struct tls_trust *trust)
{
    struct tls_context *context = new_context();
    if (context == NULL)
        tls_trust_unref(&trust);
    else
        context->trust = trust;
    return context;
}

void tls_context_set_own(struct tls_context *context, struct tls_certificate *own)
{
    tls_certificate_unref(&context->own);
    context->own = own;
}

struct tls_certificate *tls_context_own(const struct tls_context *context)
{
    return context->own;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    refcount_take(&context->references);
    return context;
}

static void destroy(struct disposal *disposal)
{
    struct tls_context *context = DISPOSAL_OWNER(disposal, struct tls_context, disposal);
    /*
     * Established endpoints still hold it; what they may call of ours they call in a handshake, and there is
     * none.
     */
    SSL_CTX_free(context->ssl_ctx);
    tls_store_free(&context->store);
    tls_ticket_keys_unref(&context->ticket_keys);
    tls_trust_unref(&context->trust); /* after what has its certificates */
    tls_certificate_unref(&context->own);
    free(context);
}

void tls_context_unref(struct tls_context **context)
{
    struct tls_context *dropped = *context;
    *context = NULL;
    if (dropped != NULL && refcount_drop(&dropped->references))
        disposal_begin(&dropped->disposal, destroy);
}

bool tls_context_same_certificates(const struct tls_context *a, const struct tls_context *b)
{
    bool same = a->store.count == b->store.count;
    for (size_t i = 0; same && i < a->store.count; i++)
        same = a->store.certificates[i] == b->store.certificates[i];
    return same;
}

const struct tls_store *tls_context_store(const struct tls_context *context)
{
    return &context->store;
}

size_t tls_context_certificate_count(const struct tls_context *context)
{
    return context->store.count;
}

size_t tls_context_default(const struct tls_context *context)
{
    return context->store.first;
}

size_t tls_context_stale_count(const struct tls_context *context)
{
    return context->store.stale;
}

static struct tls_certificate_info info_of(const struct tls_certificate *at)
{
    return (struct tls_certificate_info){.path = at->files.chain,
                                         .key_path = at->files.key,
                                         .names = at->names,
                                         .name_count = at->name_count,
                                         .begins = at->begins,
                                         .ends = at->ends,
                                         .self_signed = at->self_signed};
}

struct tls_certificate_info tls_context_certificate(const struct tls_context *context, size_t index)
{
    return info_of(context->store.certificates[index]);
}

bool tls_context_own_certificate(const struct tls_context *context, struct tls_certificate_info *into)
{
    if (context->own != NULL)
        *into = info_of(context->own);
    return context->own != NULL;
}

size_t tls_context_find(const struct tls_context *context, const char *name, size_t indexes[], size_t max)
{
    return tls_store_find(&context->store, name, indexes, max);
}

bool tls_is_tlsa(const char *record)
{
    struct tls_tlsa parsed;
    return tls_tlsa_parse(slice_of(record), &parsed);
}

bool tls_context_matches_tlsa(const struct tls_context *context, size_t index, const char *record)
{
    struct tls_tlsa parsed;
    const struct tls_certificate *at = context->store.certificates[index];
    return tls_tlsa_parse(slice_of(record), &parsed) && tls_tlsa_matches(&parsed, at->chain, at->chain_len);
}

bool tls_context_is_strong(const struct tls_context *context, uint16_t version)
{
    const STACK_OF(SSL_CIPHER) *suites = SSL_CTX_get_ciphers(context->ssl_ctx);
    uint16_t max = SSL_CTX_get_max_proto_version(context->ssl_ctx);
    if (max >= TLS_1_3) /* all of its suites are */
        return true;
    for (size_t i = 0; max >= version && i < sk_SSL_CIPHER_num(suites); i++)
        if (SSL_CIPHER_get_bits(sk_SSL_CIPHER_value(suites, i), NULL) >= 128)
            return true;
    return false;
}

#define QUOTED(number)       QUOTED_AS_IS(number)
#define QUOTED_AS_IS(number) #number

const char *tls_library_name(void)
{
    /* BoringSSL has no releases; its API is numbered. */
    return "BoringSSL, API " QUOTED(BORINGSSL_API_VERSION);
}
