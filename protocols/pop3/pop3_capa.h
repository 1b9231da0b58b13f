/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_CAPA_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_CAPA_H

#include "protocols/line.h"

/*
 * What the client sees of the backend's capabilities (RFC 2449): the backend's own list, line by line as it
 * comes, less what cannot work through the proxy or is not for clients, and with the service's DEEP status
 * (draft section 7.2) as its last line. Nothing of a list is kept.
 */

/* What a line of the reply to CAPA announces, as far as the proxy acts on it. */
struct pop3_capability {
    bool stls; /* RFC 2595 section 4 */
    bool user; /* RFC 2449 section 6.3 */
};

/* Reads a line. `*mechanisms` are those of SASL, with spaces between them; empty for any other capability. */
struct pop3_capability pop3_capability_read(struct slice text, struct slice *mechanisms);

/*
 * Sends a line of the reply to CAPA to the client: as it is, without the mechanisms that cannot work
 * (sasl_mechanism.h; `external` as there), or not at all.
 */
void pop3_capa_send(const struct line *line, bool external, struct engine_out *out);

/* Sends the DEEP line and the end of the list. "" is an empty status, and announced. */
void pop3_capa_end(const char *deep_status, struct engine_out *out);

/*
 * Sends a whole list in place of the backend's -ERR: a DEEP server must know CAPA (draft section 7.2). The
 * list has USER, as a client takes USER and PASS for missing if a list has no USER (RFC 2449 section 6.3),
 * and gives up; after -ERR it would have tried them. The proxy does not know what else such a backend can do,
 * and announces nothing of it.
 */
void pop3_capa_instead(const char *deep_status, struct engine_out *out);

/* Sends a line of the list that AUTH without an argument asks for, unless its mechanism cannot work. */
void pop3_mechanism_send(const struct line *line, bool external, struct engine_out *out);

#endif
