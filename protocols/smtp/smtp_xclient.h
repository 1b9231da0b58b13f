/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_SMTP_SMTP_XCLIENT_H
#define DEEPPROXY_PROTOCOLS_SMTP_SMTP_XCLIENT_H

#include "protocols/smtp/smtp_private.h"

/*
 * How a submission backend learns by XCLIENT who the client is, if the service tells it:
 *
 *   client            proxy                         backend
 *   EHLO c            EHLO c                        250-... 250 XCLIENT ADDR ...     not shown
 *                     XCLIENT ...                   220 ...                          not shown
 *                     EHLO c                        250-...                          the client's reply
 *
 * XCLIENT starts the dialogue over, so the engine holds the client's greeting and sends it again. Each step
 * waits for the one before. Until then the backend does not know the client: besides its greeting only NOOP,
 * RSET and QUIT pass, since Postfix accepts MAIL without a greeting, and would accept it from the proxy. A
 * backend that offers no XCLIENT, or refuses it, would take every client for the proxy: the session ends. One
 * that accepts it and refuses this client says so in place of the 220: the client gets that reply, and the
 * backend is told again who it is when it greets once more.
 */

/* The end of a detail for the log: which setting of Postfix it is about. */
#define SMTP_XCLIENT_REMEDY " (Postfix: smtpd_authorized_xclient_hosts)"

/* Takes the client's EHLO or HELO: holds it, and asks the backend for its offer. */
void smtp_xclient_begin(struct smtp_engine *smtp, const struct line *line, struct engine_out *out);

/*
 * May this command be taken while the backend does not know the client? Not if it would go to the backend and
 * count there.
 */
bool smtp_xclient_lets_pass(enum smtp_verb verb);

/* A line of the backend's offer, after the first: notes the attributes that it accepts. */
void smtp_xclient_note_offer(struct smtp_engine *smtp, struct slice text);

/* Does the backend accept the client's address? */
bool smtp_xclient_is_offered(const struct smtp_engine *smtp);

/* Why a reply that begins with this code ends the session: static words for the log; NULL if it does not. */
const char *smtp_xclient_failure(const struct smtp_engine *smtp, enum smtp_slot slot, unsigned code);

/*
 * Does the reply to XCLIENT refuse the client, and not the command? Postfix has 421, 501, 503 and 550 for the
 * command (XCLIENT_README), and for clients 554 and replies for now.
 */
bool smtp_xclient_refuses_client(enum smtp_slot slot, unsigned code);

/* The offer is complete: sends XCLIENT. */
void smtp_xclient_send(struct smtp_engine *smtp, struct engine_out *out);

/* The backend has accepted it: sends the client's greeting on. */
void smtp_xclient_end(struct smtp_engine *smtp, struct engine_out *out);

/*
 * The backend has refused EHLO, or the client itself, and the client has got that reply: drops the held
 * greeting, and expects another one.
 */
void smtp_xclient_give_up(struct smtp_engine *smtp);

/* Ends the session, with goodbye to the client. `detail`: static words for the log. */
void smtp_xclient_fail(struct smtp_engine *smtp, const char *detail, struct engine_out *out);

#endif
