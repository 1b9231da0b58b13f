/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_TLS_SESSION_SCOPE_H
#define DEEPPROXY_TLS_SESSION_SCOPE_H

#include <openssl/base.h>

#include <stdbool.h>

/*
 * For whom a session may be resumed. Inner to tls/.
 *
 * A ticket opens to a session whatever name the client asks for, and a resumed session shows no certificate: without
 * this, one of another customer's name would do (RFC 6066 section 3: a server must not resume a session where the name
 * differs). The library resumes a session only in the context in which it was made, so the name becomes that context.
 * A context that the SSL object has already stays part of it: what else sessions may not cross (whose client certificates
 * are asked for) is to be set before. It depends on nothing else: replicas agree on it, and a renewed certificate ends no
 * session.
 *
 * `server_name`: SNI, or NULL where the client sent none. To be called before the library looks at tickets, that is in
 * the servername callback, which comes whether there is a name or not. False where the library fails; the handshake must
 * end then.
 */
bool tls_session_scope_set(SSL *ssl, const char *server_name);

#endif
