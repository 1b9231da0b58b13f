/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_POP3_POP3_CAPA_H
#define DEEPPROXY_PROTOCOLS_POP3_POP3_CAPA_H

#include "protocols/line.h"

/*
 * What the client sees of the backend's capabilities (RFC 2449): the backend's own list, line by line as it
 * comes, less what can't work through the proxy or is not for clients, and with the service's DEEP status
 * (draft section 7.2) as its last line. Nothing of a list is kept.
 */

/*
 * Lets a line of the list out: as it is, less mechanisms that can't work (sasl_mechanism.h; `external` as there), or not
 * at all.
 */
void pop3_capa_let_out(const struct line *line, bool external, struct engine_out *out);

/* The DEEP line and the end of the list. */
void pop3_capa_end(const char *deep_status, struct engine_out *out);

/*
 * A whole list in place of the backend's -ERR, as a DEEP server must know CAPA (draft section 7.2). It says
 * USER: a client that finds a list without it takes USER and PASS for missing (RFC 2449 section 6.3) and
 * gives up, where after -ERR it would have tried them. What else such a backend can do the proxy does not
 * know, and does not say.
 */
void pop3_capa_instead(const char *deep_status, struct engine_out *out);

/* Lets a line of the list behind AUTH without argument out, less those mechanisms. */
void pop3_mechanism_let_out(const struct line *line, bool external, struct engine_out *out);

#endif
