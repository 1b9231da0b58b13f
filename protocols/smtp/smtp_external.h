/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_EXTERNAL_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_EXTERNAL_H

#include "protocols/smtp/smtp_session.h"

/*
 * SASL EXTERNAL (RFC 4422 appendix A, RFC 4954) for a client whose certificate the backend has been told of as a login,
 * by XCLIENT LOGIN. To Postfix the client has authenticated itself with that: it answers any AUTH with 503. So the proxy
 * shows EXTERNAL alone (draft section 9.1.1), and leads the exchange itself, whose outcome is known; other mechanisms are
 * refused. The backend gets nothing of it.
 */

/* XCLIENT was accepted: if it has told a login, the client is logged in. */
void smtp_external_begin(struct smtp_engine *smtp);

/* What is shown of the backend's AUTH, and the line in its place at the end of an EHLO reply. */
enum smtp_auth_shown smtp_external_shown(const struct smtp_engine *smtp);
void smtp_external_announce(const struct smtp_engine *smtp, struct engine_out *out);

/* AUTH, and the line of the exchange where it had no response with it. Only where the backend has a login. */
void smtp_external_take_auth(struct smtp_engine *smtp, struct slice arguments, struct engine_out *out);
void smtp_external_take_line(struct smtp_engine *smtp, struct slice text, struct engine_out *out);

#endif
