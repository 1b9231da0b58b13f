/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_EXTERNAL_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_EXTERNAL_H

#include "protocols/smtp/smtp_private.h"

/*
 * SASL EXTERNAL (RFC 4422 appendix A, RFC 4954) for a client whose certificate the backend has learned as a
 * login, by XCLIENT LOGIN. To Postfix the client has authenticated itself with that: it answers any AUTH with
 * 503. So the proxy shows EXTERNAL alone (draft section 9.1.1), and leads the exchange itself, whose outcome
 * is known. It refuses other mechanisms. The backend gets nothing of the exchange.
 */

/*
 * The backend has accepted XCLIENT. If that had a login, the client is logged in; takes the login from the
 * identity.
 */
void smtp_external_begin(struct smtp_engine *smtp);

/* What the client sees of the backend's AUTH. */
enum smtp_auth_shown smtp_external_shown(const struct smtp_engine *smtp);

/*
 * At the end of a reply to EHLO: sends the line in place of the backend's AUTH, if the backend has a login.
 */
void smtp_external_announce(const struct smtp_engine *smtp, struct engine_out *out);

/* Takes AUTH with these arguments. Only if the backend has a login. */
void smtp_external_take_auth(struct smtp_engine *smtp, struct slice arguments, struct engine_out *out);

/* Takes the line of the exchange, if AUTH had no response with it. */
void smtp_external_take_line(struct smtp_engine *smtp, struct slice text, struct engine_out *out);

#endif
