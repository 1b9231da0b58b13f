/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_CLIENT_ID_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_CLIENT_ID_H

#include "protocols/imap/imap_engine.h"

/*
 * ID between a client and a backend (RFC 2971, draft section 7.1). A client's ID is held until it is whole,
 * and goes on with the cipher suite in it. The first ID of a session is the one that counts (Dovecot applies
 * no second, Cyrus answers it with a bare OK), so the proxy sends one of its own only where the client has
 * not by the time it logs in, or at once where it is logged in from the start.
 */

/* A line of an ID command: its first, or one behind a literal. `literal`: what the line ends in, or NULL. */
void imap_client_id_line(struct imap_engine *e, struct slice text, const struct imap_literal *literal,
                         struct engine_out *out);

/* Octets of its literal: takes what belongs to it off the front of `*input`. */
void imap_client_id_literal(struct imap_engine *e, struct slice *input);

/* The command is whole: answers it or sends it on. */
void imap_client_id_finish(struct imap_engine *e, struct slice text, struct engine_out *out);

/*
 * Puts the proxy's own ID before a command that logs in, where the backend has not been told the cipher suite yet. False
 * where that command has to wait for the answer, or the session has ended.
 */
bool imap_client_id_before_login(struct imap_engine *e, struct engine_out *out);

/* The backend has not taken what it was to learn of the client: ends the session. */
void imap_client_id_untold(struct imap_engine *e, struct engine_out *out);

/* The same behind a PREAUTH greeting that announces ID: no login will come. */
void imap_client_id_after_preauth(struct imap_engine *e, struct engine_out *out);

/*
 * The tagged answer to the client's ID, with imap_engine.status: as it begins, where it returns true if the
 * proxy answers in its place, and as it has ended.
 */
bool imap_client_id_answer_begins(struct imap_engine *e, struct engine_out *out);
void imap_client_id_answered(struct imap_engine *e, struct engine_out *out);

#endif
