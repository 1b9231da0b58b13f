/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_SESSION_SCOPE_H
#define DEEPPROXY_TLS_SESSION_SCOPE_H

#include "base/must_check.h"

#include <openssl/base.h>

#include <stdbool.h>

/*
 * Within which scope a session may be resumed. Private to tls/endpoint/.
 *
 * A ticket can be decrypted whatever name the client asks for, and in a resumed session the server sends no
 * certificate. So a session with one customer's name could be resumed under another's. RFC 6066 section 3
 * forbids that: a server must not resume a session if the name differs. The library resumes a session only in
 * the session id context in which it was made. Here the name becomes part of that context. What the context
 * has before stays part of it: other limits that sessions must not cross (the trust in client certificates)
 * are set earlier. The scope depends on nothing else: replicas agree on it, and a renewed certificate ends no
 * session.
 *
 * `server_name`: the SNI; NULL if the client sent none. Call it before the library looks at tickets: in the
 * servername callback, which is called with and without a name. False if the library fails: the handshake
 * must fail.
 */
MUST_CHECK bool tls_session_scope_set(SSL *ssl, const char *server_name);

#endif
