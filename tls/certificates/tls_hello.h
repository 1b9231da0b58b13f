/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_HELLO_H
#define DEEPPROXY_TLS_HELLO_H

#include <openssl/ssl.h>
#include <stdbool.h>

/*
 * Which kinds of key a ClientHello lets a server sign with. If a name has an RSA and an ECDSA certificate,
 * each client gets the one that it can verify. Private to tls/. Nothing here changes the handshake.
 */
enum tls_key_kind { TLS_KEY_RSA, TLS_KEY_P256, TLS_KEY_P384, TLS_KEY_P521, TLS_KEY_OTHER };

/* Whether the handshake will be TLS 1.3: the client offers it, and the server has it enabled. */
bool tls_hello_is_tls13(const SSL_CLIENT_HELLO *hello);

/* The kind of a public key. */
enum tls_key_kind tls_key_kind_of(const EVP_PKEY *public_key);

/*
 * Whether the client accepts a signature by this kind of key. In TLS 1.3 it lists the signature algorithm
 * (RFC 8446 section 4.2.3). Before, both ends have a cipher suite for the kind, the client lists a signature
 * algorithm if it lists any (RFC 5246 section 7.4.1.4.1), and the curve if it lists curves (RFC 8422 section
 * 5.1).
 */
bool tls_hello_allows(const SSL_CLIENT_HELLO *hello, enum tls_key_kind kind);

#endif
