/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_ID_EXCHANGE_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_ID_EXCHANGE_H

#include "protocols/imap/imap_private.h"

/*
 * ID between a client and a backend (RFC 2971, draft section 7.1). The engine holds a client's ID until it is
 * whole, and sends it on with the cipher suite in it. The first ID of a session is the one that counts:
 * Dovecot applies no second, and Cyrus answers it with a bare OK. So the proxy sends one of its own only if
 * the client has sent none by the time it logs in, or at once if the backend greets with PREAUTH. If no list
 * of capabilities has been seen by then, it asks the backend for one first.
 */

/*
 * Takes a line of an ID command: its first, or one after a literal. `literal`: what the line ends in, or
 * NULL.
 */
void imap_id_exchange_line(struct imap_engine *imap, struct slice text, const struct imap_literal *literal,
                           struct engine_out *out);

/* Takes octets of a literal in an ID command off the front of `*input`. */
void imap_id_exchange_literal(struct imap_engine *imap, struct slice *input);

/* The backend has asked for a literal of the client's ID: sends it, and what follows. */
void imap_id_exchange_go_ahead(struct imap_engine *imap, struct engine_out *out);

/* The ID command is whole: answers it or sends it on. */
void imap_id_exchange_finish(struct imap_engine *imap, struct slice text, struct engine_out *out);

/*
 * Called before a command that logs in goes to the backend: sends the proxy's own ID if the backend has not
 * been sent the cipher suite yet, or asks whether it has ID. False if the command has to wait for the reply
 * to that, or the session has ended.
 */
bool imap_id_exchange_before_login(struct imap_engine *imap, struct engine_out *out);

/*
 * The backend has greeted with PREAUTH, so no login will come: sends the proxy's own ID if the backend
 * announces ID, or asks whether it does. The client waits for the reply to that.
 */
void imap_id_exchange_after_preauth(struct imap_engine *imap, struct engine_out *out);

/* The tagged reply to the proxy's own command has ended; imap->status is its status. */
void imap_id_exchange_own_done(struct imap_engine *imap, struct engine_out *out);

/* The backend does not accept an ID, by which it had to learn who the client is: ends the session. */
void imap_id_exchange_fail(struct imap_engine *imap, struct engine_out *out);

/*
 * The tagged reply to the client's ID begins; imap->status is its status. True if the proxy replies in its
 * place.
 */
bool imap_id_exchange_reply_begins(struct imap_engine *imap, struct engine_out *out);

/* That reply has ended. */
void imap_id_exchange_reply_done(struct imap_engine *imap, struct engine_out *out);

#endif
