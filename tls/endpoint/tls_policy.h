/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_POLICY_H
#define DEEPPROXY_TLS_POLICY_H

#include "base/must_check.h"
#include "tls/tls_report.h"
#include "tls/tls_settings.h"

#include <openssl/ssl.h>

/*
 * What a server agrees to: versions, cipher suites, groups and signatures, by RFC 9325. Private to
 * tls/endpoint/.
 *
 * The server chooses the suite. It prefers AES-128, which is strong enough and costs least, to AES-256. A
 * client without instructions for AES lists ChaCha20 before any AES, and gets it. In TLS 1.3 the library
 * leaves the choice among its three suites to the client, with the same result. X25519 is preferred to P-256,
 * and that to P-384. SHA-1 signs nothing. Renegotiation and early data (0-RTT) are never possible: the
 * library's servers do not know renegotiation, and nothing enables early data.
 */

/*
 * Configures a context. False if an error was reported: the context must then not be used. Suites that the
 * operator lists in `ciphers` are used. An old one (CBC) is a warning, unless a version of TLS is allowed
 * that has nothing better. One without forward secrecy or with less than 128 bits is an error.
 */
MUST_CHECK bool tls_policy_apply(SSL_CTX *ctx, const struct tls_settings *settings,
                                 const struct tls_report *report);

/*
 * Has a client accept whatever signature a server with this policy may make. False if memory is short.
 */
MUST_CHECK bool tls_policy_accept_signatures(SSL_CTX *ctx);

/*
 * Adapts the order of suites to one client, from the callback that sees the ClientHello first. False if
 * memory is short: the handshake must fail.
 */
MUST_CHECK bool tls_policy_adapt(const SSL_CLIENT_HELLO *hello);

#endif
