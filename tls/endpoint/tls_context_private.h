/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CONTEXT_INNER_H
#define DEEPPROXY_TLS_CONTEXT_INNER_H

#include "tls/endpoint/tls_context.h"
#include "tls/certificates/tls_store.h"

#include <openssl/base.h>

/* What the endpoint makes its SSL objects from. Inner to tls/; lives as long as the context. */
SSL_CTX *tls_context_ssl_ctx(const struct tls_context *context);

/* A context without certificates that lives with a trust, which it takes over. NULL, and the trust freed, where memory is short. */
struct tls_trust;
struct tls_context *tls_context_new_trusting(struct tls_trust *trust);

/* What a client shows to a server that asks for it: taken over; NULL where there is nothing. */
void tls_context_set_own(struct tls_context *context, struct tls_certificate *own);
const struct tls_certificate *tls_context_own(const struct tls_context *context);

/* The endpoint's half of ALPN, as SSL_CTX_set_alpn_select_cb wants it. */
int tls_endpoint_choose_protocol(SSL *ssl, const uint8_t **chosen, uint8_t *chosen_len,
                                 const uint8_t *offered, unsigned offered_len, void *arg);

/* A server's certificates. */
const struct tls_store *tls_context_store(const struct tls_context *context);

#endif
