/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_POLICY_H
#define DEEPPROXY_TLS_POLICY_H

#include "tls/endpoint/tls_context.h"

#include <openssl/ssl.h>

/*
 * What a server agrees to: versions, cipher suites, groups and signatures, by RFC 9325. Inner to tls/.
 *
 * The suite is the server's choice: AES-128, which is strong enough and costs least, before AES-256. A client without
 * instructions for AES names ChaCha20 before any AES, and gets it. In TLS 1.3 the library leaves the choice among its three
 * suites to the client, to the same effect. Of groups X25519 comes before P-256 and P-384; SHA-1 signs nothing.
 * Renegotiation and early data (0-RTT) there is none of, whatever a client asks for: the library's servers know no
 * renegotiation, and early data is never enabled.
 */

/*
 * False where an error was reported. What somebody asks for by name in `ciphers` is used, with a warning where it is merely
 * old: CBC, unless a version of TLS is allowed that has nothing better. No forward secrecy, or less than 128 bits, is an
 * error.
 */
bool tls_policy_apply(SSL_CTX *ctx, const struct tls_settings *settings, const struct tls_report *report);

/* For the callback that sees a ClientHello first: this client's order of suites. False where memory is short. */
bool tls_policy_adapt(const SSL_CLIENT_HELLO *hello);

#endif
