/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_CAPABILITY_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_CAPABILITY_H

#include "protocols/engine_out.h"

/*
 * Lists of capabilities: the words after "CAPABILITY", in a response of its own or in a response code.
 */

/* What the proxy acts on. */
struct imap_capabilities {
    bool id;
    bool login_disabled;
    bool starttls;
};

/* Reads a list. */
struct imap_capabilities imap_capability_read(struct slice list);

/* Does this word of a list announce a SASL mechanism? `*name` is set then. */
bool imap_capability_is_mechanism(struct slice word, struct slice *name);

/*
 * Sends the client an edited list, each word with a space before it, and returns what the backend's own list
 * has.
 *   Removed   what cannot work through a proxy that ends TLS: STARTTLS, COMPRESS=, and mechanisms
 *             (sasl_mechanism.h; `external` as there); private hints to proxies; and the backend's DEEP, as
 *             clients see one status
 *   Added     DEEP (draft section 7.1), and ID, which DEEP implies
 *   Stays     LOGINDISABLED, as it is true
 */
struct imap_capabilities imap_capability_edit(struct slice list, bool external, struct engine_out *out);

#endif
