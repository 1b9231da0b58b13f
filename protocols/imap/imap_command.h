/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROTOCOLS_IMAP_IMAP_COMMAND_H
#define DEEPPROXY_PROTOCOLS_IMAP_IMAP_COMMAND_H

#include "protocols/imap/imap_engine.h"

/*
 * The client's half of the IMAP engine: knows where its commands begin and end, refuses what must not reach
 * the backend, puts the cipher suite in, and passes all the rest. imap_engine.h has the rules.
 */

/* As engine_feed and engine_wants. */
size_t imap_command_feed(struct imap_engine *e, struct slice data, struct engine_out *out);
bool imap_command_wants(const struct imap_engine *e);

/* Remembers the command that goes to the backend now and travels alone; or that one goes that doesn't. */
void imap_command_track(struct imap_engine *e, enum imap_command_kind kind, struct slice tag);

/*
 * Answers a command in the backend's place. `literal`, or NULL: what its line so far ended in; where that is
 * {n+}, the rest of the command still comes and is skipped.
 */
void imap_command_refuse(struct imap_engine *e, struct slice tag, const char *text,
                         const struct imap_literal *literal, struct engine_out *out);

/* The same for what is an error of the client's; IMAP_ERRORS_MAX of them in a row end the session. */
void imap_command_wrong(struct imap_engine *e, struct slice tag, const char *text,
                        const struct imap_literal *literal, struct engine_out *out);

/* Keeps a whole command (its text without the last line end) until those before it have been answered. */
void imap_command_drain(struct imap_engine *e, struct slice text);

/* What the backend said: "+"; the tagged answer (imap_engine.status) to the command under way; to any other. */
void imap_command_go_ahead(struct imap_engine *e);
void imap_command_answered(struct imap_engine *e, struct engine_out *out);
void imap_command_settled(struct imap_engine *e);

/* Sends a command that waits in DRAIN, if nothing stands before it any more. */
void imap_command_resume(struct imap_engine *e, struct engine_out *out);

#endif
