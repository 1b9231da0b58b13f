/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_CLIENT_CHECK_H
#define DEEPPROXY_TLS_CLIENT_CHECK_H

#include "tls/trust/tls_client_certificate.h"
#include "tls/trust/tls_client_trust.h"

#include <openssl/base.h>

/*
 * The client's certificate in one handshake of a server's. It lives in the SSL object, and is gone behind a handshake
 * without a certificate: a session without one costs nothing. Inner to tls/.
 */

/*
 * Has a new SSL ask for a certificate. It holds a reference to the trust. False where memory is short. Sessions may not
 * cross from one trust to another: the SSL's session context is the trust's from now on, to which tls_session_scope.h
 * adds.
 */
bool tls_client_check_begin(SSL *ssl, struct tls_client_trust *trust);

/*
 * The handshake is done: only now has the client proven that the certificate is its own. False where it is not good, or
 * was not shown where it had to be; the alert has been sent then.
 */
bool tls_client_check_finish(SSL *ssl);

/* Why it is not good: static words for a log, or NULL. */
const char *tls_client_check_failure(const SSL *ssl);

/* NULL where no good one has been shown, or the handshake is not done. */
const struct tls_client_certificate *tls_client_check_certificate(const SSL *ssl);

#endif
