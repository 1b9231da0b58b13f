/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_XCLIENT_H
#define DEEPPROXY_PROTOCOLS_XCLIENT_H

#include "protocols/client_identity.h"

/*
 * XCLIENT in its two dialects: Postfix's for SMTP (its XCLIENT_README), Dovecot's for POP3. What is written is
 * the proxy's own knowledge; of the client's words there is the name of its HELO alone, and every value goes in
 * xtext (RFC 3461 section 4), so that none can end the line or begin another attribute. LOGIN,
 * behind which Postfix takes the client for one that has authenticated itself, comes from a verified certificate alone.
 */
enum {
    XCLIENT_SMTP_MAX =
        512, /* a command with its end: RFC 5321 section 4.5.3.1.4, and Postfix says so again */
    XCLIENT_VALUE_MAX = 255, /* Postfix takes no more of a value, as it is encoded */
    XCLIENT_POP3_MAX = 1024  /* Dovecot's limit of a line */
};

/* Attributes that are sent, each a bit of a set, in the order in which they go. */
enum xclient_attribute {
    XCLIENT_NAME,
    XCLIENT_REVERSE_NAME,
    XCLIENT_PORT,
    XCLIENT_PROTO,
    XCLIENT_HELO,
    XCLIENT_DESTADDR,
    XCLIENT_DESTPORT,
    XCLIENT_LOGIN, /* not sent for a client that has none */
    XCLIENT_ADDR,  /* the last: with it the connection is the client's, which may send no XCLIENT */
    XCLIENT_ATTRIBUTES
};

/* Those of a backend's EHLO line that are known here; `names`: what stands behind the keyword. */
unsigned xclient_offered(struct slice names);

/* Whose words the client greets with. */
struct xclient_greeting {
    struct slice name;
    bool extended; /* EHLO */
};

/*
 * Is the backend told a login? Not where it does not take it, the client has none, or that is longer than
 * XCLIENT_VALUE_MAX: the client is nobody then, and may authenticate itself in other ways.
 */
bool xclient_tells_login(const struct client_identity *identity, unsigned offered);

/*
 * Writes the command with all attributes of `offered`: at their longest they fit into one, but for a HELO name,
 * which is "[UNAVAILABLE]" where it is longer than XCLIENT_VALUE_MAX, or has no room beside a long login. Its length, without a NUL. The backend
 * answers with 220.
 */
size_t xclient_write_smtp(const struct client_identity *identity, const struct xclient_greeting *greeting,
                          unsigned offered, char into[XCLIENT_SMTP_MAX]);

/* The same for POP3. */
size_t xclient_write_pop3(const struct client_identity *identity, char into[XCLIENT_POP3_MAX]);

#endif
