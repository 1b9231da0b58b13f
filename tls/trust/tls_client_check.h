/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CLIENT_CHECK_H
#define DEEPPROXY_TLS_CLIENT_CHECK_H

#include "base/must_check.h"
#include "tls/trust/tls_client_certificate.h"
#include "tls/trust/tls_client_trust.h"

#include <openssl/base.h>

/*
 * The check of a client's certificate in one handshake of a server. The SSL object owns it. It is freed after
 * a handshake without a certificate, so that a session without one takes no memory. Private to tls/.
 */

/*
 * Makes a new SSL object ask for a certificate, and verify it by `trust`, to which it holds a reference.
 * False if memory is short. Sessions must not cross from one trust to another: the SSL object's session id
 * context becomes the trust's, and tls_session_scope.h extends it later.
 */
MUST_CHECK bool tls_client_check_begin(SSL *ssl, struct tls_client_trust *trust);

/*
 * Call it when the handshake is done, and not before: only now has the client proven that it has the
 * certificate's key. True also if no certificate was asked for. False if the certificate is not accepted, or
 * is required and was not sent: an alert is then in the output, and tls_client_check_failure has the reason.
 */
MUST_CHECK bool tls_client_check_finish(SSL *ssl);

/* Why the certificate is not accepted: static, for a log. NULL if it is, or if none was asked for. */
const char *tls_client_check_failure(const SSL *ssl);

/*
 * The accepted certificate; it lives as long as the SSL object. NULL if there is none, or if the handshake is
 * not done.
 */
const struct tls_client_certificate *tls_client_check_certificate(const SSL *ssl);

#endif
