/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CONTEXT_PRIVATE_H
#define DEEPPROXY_TLS_CONTEXT_PRIVATE_H

#include "tls/certificates/tls_store.h"
#include "tls/endpoint/tls_context.h"

#include <openssl/base.h>

/*
 * The inside of a context, for the sources of this room alone. Private to tls/endpoint/. What is returned
 * here lives as long as the context.
 */

/* What endpoints make their SSL objects from. */
SSL_CTX *tls_context_ssl_ctx(const struct tls_context *context);

struct tls_trust;

/*
 * Makes a context without certificates that takes a reference of `trust` over. The caller owns one reference.
 * NULL if memory is short: that of `trust` is dropped then.
 */
MUST_CHECK struct tls_context *tls_context_new_trusting(struct tls_trust *trust);

/* Hands over the certificate that a client sends to a server that asks for one; NULL: none. */
void tls_context_set_own(struct tls_context *context, struct tls_certificate *own);

/* That certificate; NULL if there is none. */
struct tls_certificate *tls_context_own(const struct tls_context *context);

/* tls_endpoint.c: the server's choice among the client's ALPN protocols, for SSL_CTX_set_alpn_select_cb. */
int tls_endpoint_choose_protocol(SSL *ssl, const uint8_t **chosen, uint8_t *chosen_len,
                                 const uint8_t *offered, unsigned offered_len, void *arg);

/* The certificates of a server's context. */
const struct tls_store *tls_context_store(const struct tls_context *context);

#endif
