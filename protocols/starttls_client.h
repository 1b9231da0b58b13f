/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_STARTTLS_CLIENT_H
#define DEEPPROXY_PROTOCOLS_STARTTLS_CLIENT_H

#include "protocols/engine.h"

/*
 * Asks a backend for TLS (RFC 3501 section 6.2.1, RFC 2595 section 4, RFC 3207) before the client gets
 * anything of it. It comes before a session's engine, which begins when this is READY.
 *
 *   in the clear      its greeting; in SMTP EHLO and the offer; STARTTLS or STLS, and its consent     AGREED
 *   over TLS          a harmless command and the reply to it                                          READY
 *
 * Nothing that came in the clear is known after the handshake (RFC 3207 section 4.2, RFC 9051 section 11.1):
 * neither what the greeting and its lists have named, nor APOP's timestamp, which would be an attacker's
 * challenge. The reply over TLS shows that the server has accepted the proxy (with TLS 1.3 a server refuses a
 * client certificate only after its own part of the handshake), and has IMAP's capabilities. The engine gets
 * a greeting made of it.
 *
 * There is no way from here to a session in the clear. Sans-I/O, as an engine; the caller limits the time.
 */
struct starttls_client;

enum {
    /* A line of the backend's, its end included: IMAP's capabilities, which become a part of the greeting. */
    STARTTLS_LINE_MAX = 4096,
    /* Lines up to READY: SMTP's offers, POP3's capabilities, IMAP's status responses. */
    STARTTLS_LINES_MAX = 200
};

enum starttls_progress {
    STARTTLS_UNDER_WAY,
    STARTTLS_AGREED, /* the handshake is next; then starttls_client_secured */
    STARTTLS_READY,  /* the engine is next; it begins with starttls_client_greeting */
    STARTTLS_FAILED, /* the server cannot be used for this session */
    STARTTLS_REFUSED /* nor can it, as its greeting refuses the client: that is starttls_client_greeting */
};

/* The service outlives it. NULL if memory is short. */
struct starttls_client *starttls_client_new(const struct engine_service *service);

/* Frees it, and sets the pointer to NULL, which it may already be. */
void starttls_client_free(struct starttls_client **request);

/*
 * Feeds what the backend has sent, in the clear, and over TLS after starttls_client_secured. Takes off the
 * front of `*data` what belongs here; what is left when it returns READY is the engine's. Octets after the
 * server's consent have come in the clear to be read as if they came over TLS (CERT VU#555316): FAILED. Sends
 * to the backend alone. Must not be called again after it has returned FAILED, REFUSED or READY.
 */
enum starttls_progress starttls_client_feed(struct starttls_client *request, struct slice *data,
                                            struct engine_out *out);

/*
 * The handshake is done, and the server has been verified: sends the first command over TLS. Once, after
 * AGREED.
 */
void starttls_client_secured(struct starttls_client *request, struct engine_out *out);

/* Why it has FAILED, or been REFUSED: static words, never a peer's octets; NULL otherwise. */
const char *starttls_client_failure(const struct starttls_client *request);

/*
 * READY: the greeting for the engine, one line, valid as long as the request. It names IMAP's capabilities,
 * as they came over TLS. POP3's has [XCLIENT] if the backend has to learn by it who the client is: Dovecot
 * offers it in its greeting, which came in the clear; a server that does not accept XCLIENT refuses it.
 *
 * REFUSED: the server's own greeting, of one line or more, with which an engine is refused as well. It came
 * in the clear: where servers are verified, whoever is on the way must not have his words shown to a client,
 * or make a failure one for good.
 */
struct slice starttls_client_greeting(const struct starttls_client *request);

#endif
