/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_XCLIENT_H
#define DEEPPROXY_PROTOCOLS_XCLIENT_H

#include "protocols/client_identity.h"

/*
 * XCLIENT in its two dialects: Postfix's for SMTP (its XCLIENT_README), Dovecot's for POP3. It has what the
 * proxy itself knows; of the client's words only the name of its HELO. Every value is in xtext (RFC 3461
 * section 4), so that none can end the line or begin another attribute. After LOGIN Postfix takes the client
 * for authenticated: it comes from a verified certificate alone. Pure functions.
 */
enum {
    XCLIENT_SMTP_MAX = 512,  /* a command with its end: RFC 5321 section 4.5.3.1.4, and Postfix's README */
    XCLIENT_VALUE_MAX = 255, /* Postfix accepts no more of a value, as it is encoded */
    XCLIENT_POP3_MAX = 1024  /* Dovecot's limit of a line */
};

/* Attributes that are sent, each a bit of a set, in the order in which they are sent. */
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

/*
 * The attributes that a backend's EHLO line offers and that are known here, as a set. `names`: what follows
 * the keyword.
 */
unsigned xclient_offered(struct slice names);

/* The words with which the client greets. */
struct xclient_greeting {
    struct slice name;
    bool extended; /* EHLO */
};

/*
 * Will the backend learn a login? Not if it does not accept one, the client has none, or that is longer than
 * XCLIENT_VALUE_MAX: the client is then unauthenticated, and may log in in other ways.
 */
bool xclient_tells_login(const struct client_identity *identity, unsigned offered);

/*
 * Writes the command with all attributes of `offered`, and returns its length, without a NUL. At their
 * longest they fit into one command, but for a HELO name: that is "[UNAVAILABLE]" if it is longer than
 * XCLIENT_VALUE_MAX, or has no room beside a long login. The backend replies 220.
 */
size_t xclient_write_smtp(const struct client_identity *identity, const struct xclient_greeting *greeting,
                          unsigned offered, char into[XCLIENT_SMTP_MAX]);

/* Writes the command of POP3, and returns its length, without a NUL. The backend replies +OK. */
size_t xclient_write_pop3(const struct client_identity *identity, char into[XCLIENT_POP3_MAX]);

#endif
