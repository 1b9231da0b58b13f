/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CONTEXT_INNER_H
#define DEEPPROXY_TLS_CONTEXT_INNER_H

#include "tls/tls_context.h"

#include <openssl/base.h>

/* What the endpoint makes its SSL objects from. Inner to tls/; lives as long as the context. */
SSL_CTX *tls_context_ssl_ctx(const struct tls_context *context);

#endif
