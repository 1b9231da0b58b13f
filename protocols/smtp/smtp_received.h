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
 * Nothing of the client's choice stands in it but the name of its HELO, and that only where it is one.
 */
struct smtp_received;

enum {
    /* The field with its line ends: two domains of 255 octets (RFC 5321 section 4.5.3.1.2), and the rest. */
    SMTP_RECEIVED_MAX = 1024
};

/* Copies the client's address and the session's id. NULL where memory is short. */
struct smtp_received *smtp_received_new(const struct engine_client *client);
void smtp_received_free(struct smtp_received **received);

/*
 * The client says who it is: what stands behind its HELO or EHLO. The name counts once the backend has
 * accepted the command. What is neither a domain nor an address (RFC 5321 section 4.1.2, 4.1.3) counts as no name.
 */
void smtp_received_offer_name(struct smtp_received *received, struct slice argument);
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

/* The field's length, without a NUL. No line of it is over 998 octets, and none over 78 where a blank allows that. */
size_t smtp_received_write(const struct smtp_received *received, const struct smtp_stamp *stamp,
                           char into[SMTP_RECEIVED_MAX]);

#endif
