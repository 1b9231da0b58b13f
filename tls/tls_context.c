/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tls_context.h"

#include "tls/tls_certificate.h"
#include "tls/tls_context_inner.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdatomic.h>
#include <stdlib.h>

struct tls_context {
    atomic_uint references;
    SSL_CTX *base;             /* settings, ticket keys, and the default certificate */
    SSL_CTX **per_certificate; /* one for each certificate: only its chain and key count */
    size_t count;
    struct tls_names names;
};

/*
 * RFC 9325 section 4.2 less DHE, which BoringSSL does not have. In brackets: as the client prefers (one
 * without AES instructions asks for ChaCha20 first, RFC 8439).
 */
#define CIPHERS_RFC9325                                                                                      \
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:"                                         \
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:"                                             \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
/* What TLS 1.0 and 1.1 have, for those who ask for them. */
#define CIPHERS_OLD ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"

SSL_CTX *tls_context_ssl_ctx(const struct tls_context *context)
{
    return context->base;
}

/* Chooses the certificate that the client's SNI asks for. */
static int choose_certificate(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    const struct tls_context *context = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    size_t chosen = name != NULL ? tls_names_find(&context->names, slice_of(name), 0) : 0;
    if (chosen != 0)
        SSL_set_SSL_CTX(ssl, context->per_certificate[chosen]);
    return name != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static bool set_versions(SSL_CTX *ctx, uint16_t min, uint16_t max, const struct tls_report *report)
{
    if (SSL_CTX_set_min_proto_version(ctx, min) && SSL_CTX_set_max_proto_version(ctx, max) && min <= max)
        return true;
    tls_report_say(report, TLS_NO_CERTIFICATE, true,
                   "no TLS version is left between min_version and max_version");
    return false;
}

static bool set_ciphers(SSL_CTX *ctx, const struct tls_settings *settings, const struct tls_report *report)
{
    const char *ciphers = settings->ciphers;
    if (ciphers == NULL)
        ciphers = settings->min_version < TLS_1_2 ? CIPHERS_RFC9325 CIPHERS_OLD : CIPHERS_RFC9325;
    bool ok = SSL_CTX_set_strict_cipher_list(ctx, ciphers);
    if (!ok)
        tls_report_say(report, TLS_NO_CERTIFICATE, true, "the cipher list \"%s\" can't be used: %s", ciphers,
                       tls_library_error());
    if (settings->groups == NULL || SSL_CTX_set1_curves_list(ctx, settings->groups))
        return ok;
    tls_report_say(report, TLS_NO_CERTIFICATE, true, "the list of groups \"%s\" can't be used: %s",
                   settings->groups, tls_library_error());
    return false;
}

static bool set_server(SSL_CTX *ctx, const struct tls_settings *settings, const struct tls_report *report)
{
    /* One ticket a handshake: a client that comes back gets the next one then (RFC 8446 4.6.1). */
    SSL_CTX_set_num_tickets(ctx, 1);
    /* No cache: tickets alone, so that a session costs nothing after its end. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx,
                        SSL_OP_CIPHER_SERVER_PREFERENCE | (settings->session_tickets ? 0 : SSL_OP_NO_TICKET));
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    bool ok = set_versions(ctx, settings->min_version, settings->max_version, report);
    return set_ciphers(ctx, settings, report) && ok;
}

static SSL_CTX *new_ssl_ctx(void)
{
    /* Certificates as DER buffers: X.509 is parsed when a file is loaded, never in a handshake. */
    SSL_CTX *ctx = SSL_CTX_new(TLS_with_buffers_method());
    /* On each: behind SNI has chosen another certificate, the library asks that one's. */
    if (ctx != NULL)
        SSL_CTX_set_alpn_select_cb(ctx, tls_endpoint_choose_protocol, NULL);
    return ctx;
}

static bool load_one(struct tls_context *context, const struct tls_settings *settings, size_t i,
                     const struct tls_report *report)
{
    struct tls_certificate certificate;
    bool ok = tls_certificate_load(&settings->certificates[i], (int)i, report, &certificate, &context->names);
    if (ok) {
        SSL_CTX *ctx = i == 0 ? context->base : new_ssl_ctx();
        context->per_certificate[i] = ctx;
        context->count = i + 1;
        ok = ctx != NULL &&
             SSL_CTX_set_chain_and_key(ctx, certificate.chain, certificate.chain_len, certificate.key, NULL);
        if (!ok)
            tls_report_say(report, (int)i, true, "the certificate in %s can't be used: %s",
                           settings->certificates[i].chain, tls_library_error());
    }
    tls_certificate_free(&certificate);
    return ok;
}

static bool load_certificates(struct tls_context *context, const struct tls_settings *settings,
                              const struct tls_report *report)
{
    context->per_certificate = calloc(settings->certificate_count, sizeof context->per_certificate[0]);
    bool ok = context->per_certificate != NULL;
    for (size_t i = 0; context->per_certificate != NULL && i < settings->certificate_count; i++)
        ok = load_one(context, settings, i, report) && ok;
    tls_names_sort(&context->names);
    return ok;
}

static struct tls_context *new_context(void)
{
    struct tls_context *context = calloc(1, sizeof *context);
    if (context == NULL)
        return NULL;
    atomic_init(&context->references, 1);
    context->base = new_ssl_ctx();
    if (context->base == NULL)
        tls_context_unref(&context);
    return context;
}

struct tls_context *tls_context_new_server(const struct tls_settings *settings,
                                           const struct tls_report *report)
{
    struct tls_context *context = new_context();
    if (context == NULL) {
        tls_report_say(report, TLS_NO_CERTIFICATE, true, "no memory for a TLS context");
        return NULL;
    }
    bool ok = set_server(context->base, settings, report);
    ok = load_certificates(context, settings, report) && ok;
    SSL_CTX_set_tlsext_servername_callback(context->base, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(context->base, context);
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
    SSL_CTX_set_custom_verify(context->base, SSL_VERIFY_PEER, accept_any);
    if (!SSL_CTX_set_min_proto_version(context->base, min_version) ||
        !SSL_CTX_set_max_proto_version(context->base, max_version))
        tls_context_unref(&context);
    return context;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

static void destroy(struct tls_context *context)
{
    for (size_t i = 1; i < context->count; i++)
        SSL_CTX_free(context->per_certificate[i]);
    free(context->per_certificate);
    SSL_CTX_free(context->base);
    tls_names_free(&context->names);
    free(context);
}

void tls_context_unref(struct tls_context **context)
{
    if (*context != NULL && atomic_fetch_sub_explicit(&(*context)->references, 1, memory_order_acq_rel) == 1)
        destroy(*context);
    *context = NULL;
}

#define QUOTED(number)       QUOTED_AS_IS(number)
#define QUOTED_AS_IS(number) #number

const char *tls_library_name(void)
{
    /* BoringSSL has no releases; its API is numbered. */
    return "BoringSSL, API " QUOTED(BORINGSSL_API_VERSION);
}
