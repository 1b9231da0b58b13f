/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_CAPABILITY_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_CAPABILITY_H

#include "protocols/engine_out.h"

/* What a list of capabilities (the words behind "CAPABILITY", wherever it stands) says that the proxy goes by. */
struct imap_capabilities {
    bool id;
    bool login_disabled;
};
struct imap_capabilities imap_capability_read(struct slice list);

/*
 * Lets the list out to the client: each with a space before it, edited. Out goes what can't work behind a proxy that
 * ends TLS: STARTTLS, mechanisms that can't (sasl_mechanism.h; `external` as there), COMPRESS=, private hints to proxies;
 * and a DEEP of the backend's, as clients see one status. In comes DEEP (draft section 7.1), and ID, which DEEP implies. LOGINDISABLED
 * stays: it is true. Returns what the backend itself has of it.
 */
struct imap_capabilities imap_capability_edit(struct slice list, bool external, struct engine_out *out);

#endif
