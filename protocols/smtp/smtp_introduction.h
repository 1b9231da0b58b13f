/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_INTRODUCTION_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_INTRODUCTION_H

#include "protocols/smtp/smtp_session.h"

/*
 * How a submission backend learns by XCLIENT who the client is, where the service tells it so:
 *
 *   client            proxy                         backend
 *   EHLO c            EHLO c                        250-... 250 XCLIENT ADDR ...     not shown
 *                     XCLIENT ...                   220 ...                          not shown
 *                     EHLO c                        250-...                          the client's reply
 *
 * XCLIENT starts the dialogue over, so the client's greeting is held and goes again; each step waits for the one
 * before. Until then the client is nobody: besides its greeting there pass NOOP, RSET and QUIT alone, since
 * Postfix takes MAIL without a greeting, and would take it from the proxy. A backend that offers no XCLIENT, or
 * refuses it, would take every client for the proxy: the session ends.
 */

#define SMTP_XCLIENT_REMEDY " (Postfix: smtpd_authorized_xclient_hosts)"

/* Takes the client's EHLO or HELO. */
void smtp_introduce(struct smtp_engine *smtp, const struct line *line, struct engine_out *out);

/* May a command pass that is neither? */
bool smtp_is_for_strangers(enum smtp_verb verb);

/* A line of the reply to EHLO, behind the first. */
void smtp_introduction_note(struct smtp_engine *smtp, struct slice text);

/* Has it offered to be told the client's address? */
bool smtp_introduction_is_offered(const struct smtp_engine *smtp);

/* Why the reply that begins with this code ends the session: static words for the log; NULL where it does not. */
const char *smtp_introduction_fails(const struct smtp_engine *smtp, enum smtp_turn turn, unsigned code);

/* The offer is complete: sends XCLIENT. */
void smtp_introduction_tell(struct smtp_engine *smtp, struct engine_out *out);

/* It was accepted: the client's greeting goes on. */
void smtp_introduction_end(struct smtp_engine *smtp, struct engine_out *out);

/* The backend has refused the greeting, and the client has been told. */
void smtp_introduction_give_up(struct smtp_engine *smtp);

/* Ends the session, with words to the client. */
void smtp_introduction_fail(struct smtp_engine *smtp, const char *detail, struct engine_out *out);

#endif
