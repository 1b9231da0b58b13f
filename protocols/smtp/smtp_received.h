/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_RECEIVED_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_RECEIVED_H

#include "protocols/engine.h"

/*
 * The Received field that a submission service may put before a message (RFC 5321 section 4.4, RFC 3848,
 * RFC 6531 section 4.3), with the "tls" clause of draft section 6. It is how a server that knows nothing of
 * DEEP gets to record the cipher suite:
 *   Received: from client.example.com ([203.0.113.5])
 *   	by mail.example.com with ESMTPSA id 5i9kzprs-0
 *   	tls TLS_AES_128_GCM_SHA256; Wed, 25 Nov 2026 09:00:00 +0000
 * It has nothing of the client's choice but the name of its HELO, and that only if it is a name.
 */
struct smtp_received;

enum {
    /* The field with its line ends: two domains of 255 octets (RFC 5321 section 4.5.3.1.2), and the rest. */
    SMTP_RECEIVED_MAX = 1024
};

/*
 * What a session's fields have in common: copies the client's address and the session's id. NULL if memory is
 * short.
 */
struct smtp_received *smtp_received_new(const struct engine_client *client);

/* Frees it, and sets the pointer to NULL, which it may already be. */
void smtp_received_free(struct smtp_received **received);

/*
 * The client has sent HELO or EHLO with this argument. It is a name only if it is a domain or an address (RFC
 * 5321 section 4.1.2, 4.1.3).
 */
void smtp_received_offer_name(struct smtp_received *received, struct slice argument);

/* The backend has accepted that command: from now on the name is in the field. */
void smtp_received_accept_name(struct smtp_received *received);

/* What differs from message to message. The strings are atoms or domains. */
struct smtp_stamp {
    const char *hostname;
    const char *tls_cipher;
    int64_t seconds;    /* since 1970 */
    bool extended;      /* EHLO, not HELO */
    bool authenticated; /* RFC 3848 */
    bool utf8;          /* MAIL with SMTPUTF8 */
};

/*
 * Writes the field, and returns its length, without a NUL. No line is over 998 octets, and none over 78 if
 * blanks allow it.
 */
size_t smtp_received_write(const struct smtp_received *received, const struct smtp_stamp *stamp,
                           char into[SMTP_RECEIVED_MAX]);

#endif
