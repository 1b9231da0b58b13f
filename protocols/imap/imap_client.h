/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_CLIENT_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_CLIENT_H

#include "protocols/imap/imap_private.h"

/*
 * The client half of the IMAP engine: knows where the client's commands begin and end, refuses what must not
 * reach the backend, puts the cipher suite in, and passes all the rest. imap_private.h has the rules.
 */

/* As engine_wants. */
bool imap_client_is_wanted(const struct imap_engine *imap);

/* As engine_feed. */
size_t imap_client_feed(struct imap_engine *imap, struct slice data, struct engine_out *out);

/* A command that travels alone goes to the backend now: keeps its kind and tag, and counts it. */
void imap_client_track(struct imap_engine *imap, enum imap_command_kind kind, struct slice tag);

/*
 * Refuses a command in the backend's place. `text` as in imap_reply. `literal`: what its line so far ended
 * in, or NULL. If that is {n+}, the rest of the command still comes, and is skipped.
 */
void imap_client_reject(struct imap_engine *imap, struct slice tag, const char *text,
                        const struct imap_literal *literal, struct engine_out *out);

/* The same for an error of the client's; IMAP_ERRORS_MAX of them in a row end the session. */
void imap_client_reject_error(struct imap_engine *imap, struct slice tag, const char *text,
                              const struct imap_literal *literal, struct engine_out *out);

/*
 * Keeps a whole command (its text without the last line end) until those before it have been answered, the
 * proxy's own among them.
 */
void imap_client_hold_command(struct imap_engine *imap, struct slice text);

/* The backend has sent "+". */
void imap_client_go_ahead(struct imap_engine *imap, struct engine_out *out);

/* The backend has sent the tagged reply to the command that travels alone; imap->status is its status. */
void imap_client_command_done(struct imap_engine *imap, struct engine_out *out);

/* The backend has sent the tagged reply to any other command; imap->status is its status. */
void imap_client_reply_done(struct imap_engine *imap);

/* Sends the held command on, if nothing has to come before it any more. */
void imap_client_resume(struct imap_engine *imap, struct engine_out *out);

#endif
