/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_HELLO_H
#define DEEPPROXY_TLS_HELLO_H

#include <openssl/ssl.h>
#include <stdbool.h>

/*
 * Which kind of key a ClientHello lets a server sign with, so that a name with an RSA and an ECDSA certificate shows each
 * client the one that it can use. Inner to tls/.
 */
enum tls_key_kind { TLS_KEY_RSA, TLS_KEY_P256, TLS_KEY_P384, TLS_KEY_P521, TLS_KEY_OTHER };

/* Will it be TLS 1.3? */
bool tls_hello_is_tls13(const SSL_CLIENT_HELLO *hello);

enum tls_key_kind tls_key_kind_of(const EVP_PKEY *public_key);

/*
 * TLS 1.3: the signature algorithm (RFC 8446 4.2.3). Older: a cipher suite of that kind which the server has too, the
 * signature algorithms where they are sent (RFC 5246 7.4.1.4.1), and the curve where curves are (RFC 8422 5.1).
 */
bool tls_hello_allows(const SSL_CLIENT_HELLO *hello, enum tls_key_kind kind);

#endif
